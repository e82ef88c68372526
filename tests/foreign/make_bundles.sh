#!/bin/sh
# usage: make_bundles.sh FOLDER STATEMENT ARTIFACT
#
# A bundle by openssl and a shell alone, with a key of its own: FOLDER/key.pub, FOLDER/statement.sigstore.json with the bytes
# of STATEMENT in an envelope, FOLDER/message.sigstore.json about ARTIFACT.
set -eu
folder=$1 statement=$2 artifact=$3
type=application/vnd.in-toto+json
encoded() { openssl base64 -A; }
openssl ecparam -name prime256v1 -genkey -noout -out "$folder/key.pem"
openssl pkey -in "$folder/key.pem" -pubout -out "$folder/key.pub"
hint=$(openssl pkey -in "$folder/key.pem" -pubout -outform DER | openssl dgst -sha256 -binary | encoded)
material="\"verificationMaterial\":{\"publicKey\":{\"hint\":\"$hint\"},\"tlogEntries\":[]}"
media="\"mediaType\":\"application/vnd.dev.sigstore.bundle.v0.3+json\""
size=$(wc -c <"$statement")
{ printf 'DSSEv1 %d %s %d ' ${#type} $type "$size"; cat "$statement"; } >"$folder/pae"
signature=$(openssl dgst -sha256 -sign "$folder/key.pem" "$folder/pae" | encoded)
payload=$(encoded <"$statement")
printf '{%s,%s,"dsseEnvelope":{"payload":"%s","payloadType":"%s","signatures":[{"keyid":"%s","sig":"%s"}]}}' \
    "$media" "$material" "$payload" $type "$hint" "$signature" >"$folder/statement.sigstore.json"
signature=$(openssl dgst -sha256 -sign "$folder/key.pem" "$artifact" | encoded)
digest=$(openssl dgst -sha256 -binary "$artifact" | encoded)
printf '{%s,%s,"messageSignature":{"messageDigest":{"algorithm":"SHA2_256","digest":"%s"},"signature":"%s"}}' \
    "$media" "$material" "$digest" "$signature" >"$folder/message.sigstore.json"
