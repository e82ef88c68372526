#!/usr/bin/env python3
"""Bundles that other people's libraries make, in Python, with a key of their own.

usage: make_bundles.py securesystemslib|sigstore-python FOLDER STATEMENT ARTIFACT

Leaves FOLDER/key.pub and FOLDER/statement.sigstore.json with the bytes of STATEMENT in an envelope; sigstore-python also
FOLDER/message.sigstore.json about ARTIFACT. securesystemslib makes the key, the signature, its keyid and the envelope,
and knows no bundles: the lines around the envelope are written here. sigstore-python signs a statement with a key
(`dsse._sign`) but makes bundles with certificates only: this one is put together from its models.
"""

import base64
import hashlib
import json
import sys
from pathlib import Path

IN_TOTO = "application/vnd.in-toto+json"
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"


def securesystemslib(folder, statement, _artifact):
    from securesystemslib.dsse import Envelope
    from securesystemslib.signer import CryptoSigner

    signer = CryptoSigner.generate_ecdsa()
    envelope = Envelope(statement, IN_TOTO, {})
    envelope.sign(signer)
    bundle = {
        "mediaType": BUNDLE,
        "verificationMaterial": {"publicKey": {"hint": signer.public_key.keyid}},
        "dsseEnvelope": envelope.to_dict(),
    }
    (folder / "key.pub").write_text(signer.public_key.keyval["public"])
    (folder / "statement.sigstore.json").write_text(json.dumps(bundle))


def sigstore_python(folder, statement, artifact):
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
    from sigstore import dsse
    from sigstore_models.bundle import v1
    from sigstore_models.common import v1 as common

    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key()
    spki = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    hint = base64.b64encode(hashlib.sha256(spki).digest()).decode()
    material = lambda: v1.VerificationMaterial(
        public_key=common.PublicKeyIdentifier(hint=hint), tlog_entries=[]
    )
    envelope = dsse._sign(key, dsse.Statement(statement))
    signed = v1.Bundle(media_type=BUNDLE, verification_material=material(), dsse_envelope=envelope._inner)
    message = v1.Bundle(
        media_type=BUNDLE,
        verification_material=material(),
        message_signature=common.MessageSignature(
            message_digest=common.HashOutput(
                algorithm=common.HashAlgorithm.SHA2_256, digest=base64.b64encode(hashlib.sha256(artifact).digest())
            ),
            signature=base64.b64encode(key.sign(artifact, ec.ECDSA(hashes.SHA256()))),
        ),
    )
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (folder / "key.pub").write_bytes(pem)
    (folder / "statement.sigstore.json").write_text(signed.to_json())
    (folder / "message.sigstore.json").write_text(message.to_json())


MAKERS = {"securesystemslib": securesystemslib, "sigstore-python": sigstore_python}


def main(arguments):
    if len(arguments) != 4 or arguments[0] not in MAKERS:
        print(__doc__, file=sys.stderr)
        return 2
    name, folder, statement, artifact = arguments
    MAKERS[name](Path(folder), Path(statement).read_bytes(), Path(artifact).read_bytes())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
