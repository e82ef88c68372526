"""One statement about one file: a Sigstore bundle, judged by one public key, and by logs if they are given.

From docs/verdicts.md ("verify-file") and the specifications of DSSE, in-toto, SLSA and Sigstore.
"""

import hashlib
import pathlib

from release import PROVENANCE, key_file, payload_of, request, statement_of
from transparency import Fault, logged, strict_json, unbase64

SUMMARY = "https://slsa.dev/verification_summary/v1"
BUNDLE_BYTES = 64 << 20


def judge(key_path, kind, artifact, bundle, logs):
    """Raises a Fault with the first thing that does not hold."""
    try:
        key, builder = key_file(key_path)
        path = pathlib.Path(bundle)
        if path.stat().st_size > BUNDLE_BYTES:
            raise Fault("the bundle is too large")
        text = path.read_bytes()
        payload = payload_of(text, key)
        if payload is None:
            raise Fault("there is no signature by this key")
        statement = statement_of(payload)
        if statement["predicateType"] != kind:
            raise Fault("the statement is of another type")
        digest = hashlib.sha256(pathlib.Path(artifact).read_bytes()).hexdigest()
        if not any(subject["digest"].get("sha256") == digest for subject in statement["subject"]):
            raise Fault("the statement is about something else")
        if kind == PROVENANCE:
            request(statement["predicate"], None, builder)
        if kind == SUMMARY:
            passed(statement["predicate"])
        if logs:
            entered(strict_json(text), key, logs)
    except (KeyError, TypeError, AttributeError, IndexError, ValueError, OSError, RecursionError) as error:
        raise Fault(f"something is missing or of another kind: {error!r}") from error


def passed(summary):
    """A verification summary that says yes, and at which levels."""
    levels = summary["verifiedLevels"]
    if summary["verificationResult"] != "PASSED" or not levels or "FAILED" in levels:
        raise Fault("the verification summary does not say PASSED at a level")
    if not all(":" in it for it in (summary["verifier"]["id"], summary["resourceUri"], summary["policy"]["uri"])):
        raise Fault("the verification summary does not say who, what or by what")


def entered(bundle, key, logs):
    """One entry is of a log that is given, and each that is holds."""
    material, found = bundle["verificationMaterial"], 0
    for entry in material.get("tlogEntries") or []:
        if any(log.id == unbase64(entry["logId"]["keyId"]) for log in logs):
            logged(entry, bundle["dsseEnvelope"], key, logs)
            found += 1
    if not found:
        raise Fault("the bundle is in no log that was given")
