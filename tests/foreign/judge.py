#!/usr/bin/env python3
"""Judges of other people's, in Python: securesystemslib, sigstore-python, and in-toto's own reader of statements.

usage: judge.py securesystemslib TRUSTED_ROOT|- KEY.pub SHA256 [type=URI] BUNDLE...
       judge.py sigstore-python  TRUSTED_ROOT|- KEY.pub SHA256 [type=URI] BUNDLE...
       judge.py in-toto          -              KEY.pub SHA256 [type=URI] BUNDLE...

One line a bundle; status 1 if one is refused, 2 if the package is not installed. Each does what its library can do:

securesystemslib: the signature on the envelope. What it signed, and any log, it leaves to its caller; so does this.
sigstore-python: its `Verifier` takes certificates only, so its parts are put together here as that does it: the model of
  the bundle, the envelope's signature, inclusion proof and checkpoint of the one log entry, and its model of the entry's
  body, held against digest, signature and key. With `-` for the trusted root, no log. A message signature is verified
  as `verify_artifact` does.
in-toto: nothing about keys. The payload as a protobuf `Statement`, strictly, then its `validate()`; provenance as a
  protobuf `Provenance`, strictly.

The last two also ask whether the statement has a subject with this digest, and is of the type that is given, which they
leave to their caller.
"""

import base64
import hashlib
import json
import sys

IN_TOTO = "application/vnd.in-toto+json"


class Refused(Exception):
    """What the caller of a library refuses where the library has no word for it."""


def key_of(path):
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    with open(path, "rb") as file:
        text = file.read()
    # A line of selfsame's own may stand before the block.
    key = load_pem_public_key(text[text.index(b"-----BEGIN") :])
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise Refused("the key is not one on P-256")
    return key


def spki(key):
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def about(payload, digest, kind):
    statement = json.loads(payload)
    if not any(subject["digest"].get("sha256") == digest for subject in statement["subject"]):
        raise Refused("the statement is about something else")
    if kind is not None and statement["predicateType"] != kind:
        raise Refused("the statement is of another type")
    return statement


def securesystemslib(_root, key_file, _digest, _kind, path):
    from securesystemslib.dsse import Envelope
    from securesystemslib.signer import SSlibKey

    with open(path, encoding="utf-8") as file:
        document = json.load(file)
    envelope = Envelope.from_dict(document.get("dsseEnvelope", document))
    key = key_of(key_file)
    # It takes only signatures that carry the keyid of the key, which is whatever its caller says.
    keyid = base64.b64encode(hashlib.sha256(spki(key)).digest()).decode()
    envelope.verify([SSlibKey.from_crypto(key, keyid=keyid)], 1)
    if envelope.payload_type != IN_TOTO:
        raise Refused(f"the payload is {envelope.payload_type!r}")


def sigstore_python(root, key_file, digest, kind, path):
    from sigstore import dsse
    from sigstore._internal.trust import KeyringPurpose
    from sigstore.models import Bundle, TransparencyLogEntry, TrustedRoot
    from sigstore_models.bundle.v1 import Bundle as Model

    key = key_of(key_file)
    with open(path, "rb") as file:
        inner = Model.from_json(file.read())
    if inner.media_type != Bundle.BundleType.BUNDLE_0_3.value:
        raise Refused(f"unsupported bundle format: {inner.media_type}")
    material = inner.verification_material
    if material.public_key is None:
        raise Refused("the bundle is not signed with a key")
    if inner.dsse_envelope is not None:
        envelope = dsse.Envelope(inner.dsse_envelope)
        payload = dsse._verify(key, envelope)
        if inner.dsse_envelope.payload_type != IN_TOTO:
            raise Refused(f"the payload is {inner.dsse_envelope.payload_type!r}")
        # Its own model of a statement knows the type and that each subject has a digest.
        dsse.Statement(payload)
        about(payload, digest, kind)
        signed, signature = hashlib.sha256(envelope.pae()).digest(), envelope.signature
    else:
        signed, signature = bytes.fromhex(digest), message(inner.message_signature, key, digest)
    if root == "-":
        return
    if len(material.tlog_entries) != 1:
        raise Refused("expected exactly one log entry in bundle")
    entry = TransparencyLogEntry(material.tlog_entries[0])
    entry._verify(TrustedRoot.from_file(root).rekor_keyring(KeyringPurpose.VERIFY))
    body_is_about(entry, signed, signature, key)


def message(signed, key, digest):
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, utils

    if signed is None:
        raise Refused("the bundle holds no signature")
    if signed.message_digest is not None and signed.message_digest.digest != bytes.fromhex(digest):
        raise Refused("Bundle message digest mismatch")
    key.verify(signed.signature, bytes.fromhex(digest), ec.ECDSA(utils.Prehashed(hashes.SHA256())))
    return signed.signature


def body_is_about(entry, signed, signature, key):
    """What `_validate_hashedrekord_v002_dsse_entry_body` does, with a key where that has a certificate."""
    from sigstore_models.common import v1
    from sigstore_models.rekor import v2

    found = v2.entry.Entry.from_json(entry._inner.canonicalized_body)
    text = lambda data: base64.b64encode(data)
    verifier = v2.verifier.Verifier(
        public_key=v2.verifier.PublicKey(raw_bytes=text(spki(key))),
        key_details=v1.PublicKeyDetails.PKIX_ECDSA_P256_SHA_256,
    )
    expected = v2.entry.Entry(
        kind=entry._inner.kind_version.kind,
        api_version=entry._inner.kind_version.version,
        spec=v2.entry.Spec(
            hashed_rekord_v002=v2.hashedrekord.HashedRekordLogEntryV002(
                data=v1.HashOutput(algorithm=v1.HashAlgorithm.SHA2_256, digest=text(signed)),
                signature=v2.verifier.Signature(content=text(signature), verifier=verifier),
            )
        ),
    )
    if found != expected:
        raise Refused("transparency log entry is inconsistent with other materials")


def in_toto(_root, _key, digest, kind, path):
    from google.protobuf import json_format
    from in_toto_attestation.predicates.provenance.v1 import provenance_pb2
    from in_toto_attestation.v1 import statement_pb2
    from in_toto_attestation.v1.statement import Statement

    with open(path, encoding="utf-8") as file:
        payload = base64.b64decode(json.load(file)["dsseEnvelope"]["payload"])
    Statement.copy_from_pb(json_format.Parse(payload, statement_pb2.Statement())).validate()
    statement = about(payload, digest, kind)
    if statement["predicateType"] == "https://slsa.dev/provenance/v1":
        json_format.ParseDict(statement["predicate"], provenance_pb2.Provenance())


JUDGES = {"securesystemslib": securesystemslib, "sigstore-python": sigstore_python, "in-toto": in_toto}


def main(arguments):
    if len(arguments) < 5 or arguments[0] not in JUDGES:
        print(__doc__, file=sys.stderr)
        return 2
    name, root, key, digest, *bundles = arguments
    kind = bundles.pop(0)[len("type=") :] if bundles[0].startswith("type=") else None
    refused = not bundles
    for path in bundles:
        try:
            JUDGES[name](root, key, digest, kind, path)
            print(f"{path}: accepted")
        except ImportError as missing:
            print(f"not installed: {missing}", file=sys.stderr)
            return 2
        except Exception as error:  # a library's refusal of any sort
            print(f"{path}: refused: {type(error).__name__}: {' '.join(str(error).split())[:300]}")
            refused = True
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
