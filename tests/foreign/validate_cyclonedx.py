#!/usr/bin/env python3
"""Holds CycloneDX documents against the schema and the model of cyclonedx-python-lib.

usage: validate_cyclonedx.py FILE...

Each file must (1) pass the strict JSON schema of the version that it names, (2) load into the library's model,
(3) keep its dependency graph there: no edge to or from an unknown component, and (4) have unique bom-refs, which a
schema cannot ask. Prints one line for each file and ends with status 1 if one fails, 2 if the package
`cyclonedx-python-lib[json-validation]` is not installed.
"""

import json
import re
import sys

try:
    from cyclonedx.model.bom import Bom
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator
    import jsonschema._format
    import jsonschema._keywords  # the `json-validation` extra, without which nothing is validated
except ImportError as missing:
    print(f"not installed: {missing}", file=sys.stderr)
    sys.exit(2)


# Two answers of the judge are given here in his place, where his own way to them takes a quarter of an hour for the
# 14,000 files of an image. Both only where the answer is beyond doubt; the rest is still asked of him.
PLAIN_IRI = re.compile(r"file:///[A-Za-z0-9._~/+-]+")  # RFC 3987 allows these characters in any path


def unique(container):
    """Whether no two items of a list are equal. The judge compares each object with each."""
    if has_number(container):  # 1 is 1.0, and not `true`
        return judged_unique(container)
    return len({json.dumps(item, sort_keys=True) for item in container}) == len(container)


def has_number(value):
    """Whether a number stands in a value, at any depth."""
    if isinstance(value, dict):
        return any(has_number(item) for item in value.values())
    if isinstance(value, list):
        return any(has_number(item) for item in value)
    return isinstance(value, (int, float))


def valid_iri(rule, text):
    """Whether a text is an IRI. The judge parses each by a grammar, 13 ms a path."""
    return PLAIN_IRI.fullmatch(text) is not None or judged_iri(rule, text)


judged_unique, jsonschema._keywords.uniq = jsonschema._keywords.uniq, unique
judged_iri, jsonschema._format._rfc3987_is_valid_syntax = jsonschema._format._rfc3987_is_valid_syntax, valid_iri


def references(value):
    """Every `bom-ref` in a document, as often as it stands there."""
    if isinstance(value, dict):
        if isinstance(value.get("bom-ref"), str):
            yield value["bom-ref"]
        for item in value.values():
            yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


def fault(path):
    """What is wrong with a document, or None."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    document = json.loads(text)
    version = SchemaVersion.from_version(document["specVersion"])
    error = JsonStrictValidator(version).validate_str(text)
    if error is not None:
        return f"schema: {error}"[:2000]
    seen = set()
    for reference in references(document):
        if reference in seen:
            return f"bom-ref `{reference}` stands twice"
        seen.add(reference)
    for name, ends in (("dependencies", ("ref", "dependsOn")), ("compositions", ("assemblies", "dependencies"))):
        for entry in document.get(name, []):
            for end in ends:
                named = entry.get(end, [])
                for reference in [named] if isinstance(named, str) else named:
                    if reference not in seen:
                        return f"{name}: `{reference}` is no component"
    bom = Bom.from_json(data=document)
    bom.validate()
    loaded, written = len(bom.components), len(document.get("components", []))
    if loaded != written:
        return f"{written} components are written and {loaded} are loaded"
    return None


def main(paths):
    failed = False
    for path in paths:
        try:
            found = fault(path)
        except Exception as error:  # a library's refusal of any sort is a finding
            found = f"{type(error).__name__}: {error}"[:2000]
        print(f"{path}: {found or 'valid'}")
        failed = failed or found is not None
    return 1 if failed else 0


if __name__ == "__main__":
    if len(sys.argv) < 2:
        print(__doc__, file=sys.stderr)
        sys.exit(2)
    sys.exit(main(sys.argv[1:]))
