"""A second reader, in Python's standard library alone.

    selfsame_reader.py RELEASE... KEY.pub
    selfsame_reader.py file KEY.pub TYPE FILE BUNDLE [TRUSTED_ROOT]
    selfsame_reader.py bundles TRUSTED_ROOT KEY.pub IMAGE_SHA256 BUNDLE...
    selfsame_reader.py log FOLDER LOG.pub [OLDER_CHECKPOINT]

One line for each release or file: `verified: `, or `not verified: ` and why; for each bundle or log one that ends with
`accepted`, or with `refused: ` and why. Exit 0 if all are good, 1 if one is not, 2 if the question could not be put.
"""

import base64
import hashlib
import pathlib
import sys

import one_file
import release
import signatures
from transparency import Fault, Histories, LogKey, checkpoint, logged, read_folder, root_of, strict_json, unbase64


def public_key(path):
    """The SubjectPublicKeyInfo of a PEM file."""
    text = pathlib.Path(path).read_text(encoding="utf-8")
    begin, end = "-----BEGIN PUBLIC KEY-----", "-----END PUBLIC KEY-----"
    return base64.b64decode(text.split(begin, 1)[1].split(end, 1)[0])


def bundle(path, logs, key, image, histories):
    """A Sigstore bundle: the signature, what it is about, and its place in a log, which told every bundle the same."""
    document = strict_json(pathlib.Path(path).read_bytes())
    try:
        if document["mediaType"] != "application/vnd.dev.sigstore.bundle.v0.3+json":
            raise Fault("another media type")
        material, envelope = document["verificationMaterial"], document["dsseEnvelope"]
        hint = base64.b64encode(hashlib.sha256(key).digest()).decode()
        if material["publicKey"]["hint"] != hint or len(envelope["signatures"]) != 1:
            raise Fault("not one signature by this key")
        kind, payload = envelope["payloadType"], unbase64(envelope["payload"])
        pae = b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(payload), payload)
        if not signatures.p256(key, pae, unbase64(envelope["signatures"][0]["sig"])):
            raise Fault("the signature is not over this document")
        statement = strict_json(payload)
        if kind != "application/vnd.in-toto+json" or statement["_type"] != "https://in-toto.io/Statement/v1":
            raise Fault("not an in-toto statement")
        if not any(subject["digest"].get("sha256") == image for subject in statement["subject"]):
            raise Fault("the statement is about something else")
        if not material["tlogEntries"]:
            raise Fault("no log entry")
        places = [logged(entry, envelope, key, logs, histories) for entry in material["tlogEntries"]]
        if len(set(places)) != len(places):
            raise Fault("an entry stands there twice")
    except (KeyError, TypeError) as error:
        raise Fault(f"the bundle lacks something: {error!r}") from error


def log(folder, key, older):
    """A log's folder, and that an older checkpoint's entries are its first ones."""
    leaves = read_folder(folder, key)
    if older:
        size, root = checkpoint(pathlib.Path(older).read_text(encoding="utf-8"), key)
        if size > len(leaves) or root_of(leaves[:size]) != root:
            raise Fault("the log did not only grow since the older checkpoint")


def judged(name, judge, *arguments):
    try:
        judge(*arguments)
    except Fault as fault:
        print(f"{name}: refused: {fault}")
        return False
    print(f"{name}: accepted")
    return True


def verified(name, judge, *arguments):
    try:
        judge(*arguments)
    except Fault as fault:
        print(f"not verified: {name}: {fault}")
        return False
    print(f"verified: {name}")
    return True


def main(arguments):
    if len(arguments) >= 5 and arguments[0] == "bundles":
        root = strict_json(pathlib.Path(arguments[1]).read_bytes())
        logs, key = [LogKey.of_root(log) for log in root["tlogs"]], public_key(arguments[2])
        if len({log.origin for log in logs}) != len(logs):
            print("two logs of the trusted root have one name", file=sys.stderr)
            return 2
        histories = Histories()
        answers = [judged(path, bundle, path, logs, key, arguments[3], histories) for path in arguments[4:]]
        return 0 if all(answers) else 1
    if len(arguments) in (5, 6) and arguments[0] == "file":
        _, key, kind, artifact, path = arguments[:5]
        public_key(key)
        root = strict_json(pathlib.Path(arguments[5]).read_bytes()) if len(arguments) == 6 else {"tlogs": []}
        logs = [LogKey.of_root(log) for log in root["tlogs"]]
        return 0 if verified(artifact, one_file.judge, key, kind, artifact, path, logs) else 1
    if len(arguments) in (3, 4) and arguments[0] == "log":
        key = LogKey.line(pathlib.Path(arguments[2]).read_text(encoding="utf-8"))
        return 0 if judged(arguments[1], log, arguments[1], key, (arguments[3:] or [None])[0]) else 1
    if len(arguments) >= 2 and arguments[0] not in ("bundles", "file", "log"):
        *folders, key = arguments
        try:
            public_key(key)
        except (OSError, ValueError, IndexError) as error:
            print(f"cannot read the key {key}: {error}", file=sys.stderr)
            return 2
        answers = [verified(folder, release.judge, folder, key) for folder in folders]
        return 0 if all(answers) else 1
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
