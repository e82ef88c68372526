#!/bin/sh
# Verification: of the evidence of an image of 2,000 files (each a component of the SBOM), and of the content of the
# 707 MB tree against hashing and unpacking it with other tools.
#
# usage: benches/verify.sh [ROUNDS]
set -eu
. "$(dirname "$0")/lib.sh"
rounds=${1:-10}
small=$bench/verify
if [ ! -d "$small" ]; then
    mkdir -p "$small"
    for n in $(seq 2000); do
        echo "file $n" >"$small/file$n"
    done
    copying_definition >"$small/selfsame.toml"
fi
"$selfsame" build --dev-key --progress quiet -o "$bench/verify.release" "$small" >/dev/null
key=$XDG_DATA_HOME/selfsame/dev.pub
echo "evidence: 4 bundles, SBOM of 2,000 components"
compare --rounds "$rounds" \
    "verify --depth evidence=$selfsame verify --depth evidence --key $key $bench/verify.release" \
    "the program alone=$selfsame --version"

# The same four documents, in a log, and Sigstore's own verifiers where tests have them (docs/judges.md): one process each.
log=$bench/verify.log
[ -d "$log" ] || "$selfsame" log init "$log" >/dev/null
"$selfsame" build --dev-key --progress quiet --log "$log" -o "$bench/verify-logged.release" "$small" >/dev/null
"$selfsame" log trusted-root "$log" >"$bench/verify-root.json"
bundles=$(grep -l '"dsseEnvelope"' "$bench/verify-logged.release/blobs/sha256/"* | tr '\n' ' ')
image=$(grep -o '"digest":"sha256:[0-9a-f]*"' "$bench/verify-logged.release/index.json" | head -1 | cut -d: -f3 | tr -d '"')
asked="$bench/verify-root.json $key $image $bundles"
set -- "verify --depth evidence, in a log=$selfsame verify --depth evidence --key $key --log-key $log.pub $bench/verify-logged.release"
[ -z "${SELFSAME_SIGSTORE_JS:-}" ] || set -- "$@" "sigstore-js=node tests/foreign/verify_sigstore.mjs $SELFSAME_SIGSTORE_JS $asked"
[ -z "${SELFSAME_PYTHON:-}" ] || set -- "$@" "sigstore-python, its parts=$SELFSAME_PYTHON -B tests/foreign/judge.py sigstore-python $asked"
# Built with --release, to be compared.
[ -z "${SELFSAME_SIGSTORE_RUST:-}" ] || set -- "$@" "sigstore-rust=$SELFSAME_SIGSTORE_RUST $asked"
echo "the same evidence by others: signatures, log entries and subjects, and of the SBOM nothing more"
compare --rounds "$rounds" "$@"

# What an auditor has: many releases, one trust file, one processor. Copies of one release are as good as others: nothing is
# remembered from one to the next.
one=$bench/verify-one
if [ ! -d "$one" ]; then
    mkdir -p "$one"
    echo 'one file' >"$one/file"
    copying_definition >"$one/selfsame.toml"
fi
"$selfsame" build --dev-key --progress quiet -o "$bench/verify-one.release" "$one" >/dev/null
rm -rf "$bench/many" "$bench/many.toml"
mkdir -p "$bench/many"
for n in $(seq 1000); do
    cp -r "$bench/verify-one.release" "$bench/many/$n"
done
"$selfsame" trust init "$bench/many.toml" --key "$key" >/dev/null
alone=
[ "$(nproc)" = 1 ] || ! have taskset || alone='taskset -c 0'
echo "1,000 releases of one file each against one trust file, on one processor"
compare --rounds 3 \
    "verify of all, evidence=$alone $selfsame verify --depth evidence --trust $bench/many.toml $bench/many/*" \
    "verify of all, content=$alone $selfsame verify --depth content --trust $bench/many.toml $bench/many/*" \
    "one process for each=$alone sh -c 'for r in $bench/many/*; do $selfsame verify --depth evidence --trust $bench/many.toml \$r; done'" \
    "the program 1,000 times=$alone sh -c 'for r in $bench/many/*; do $selfsame --version; done'"
echo "the large evidence on one processor"
compare --rounds "$rounds" \
    "verify --depth evidence=$alone $selfsame verify --depth evidence --key $key $bench/verify.release"

need_tree
large=$bench/content
if [ ! -d "$large" ]; then
    cp -r "$bench/layer-tree" "$large"
    copying_definition >"$large/selfsame.toml"
fi
"$selfsame" build --dev-key --progress quiet -o "$bench/content.release" "$large" >/dev/null
layer=$(ls -S "$bench/content.release/blobs/sha256" | sed -n 1,2p | while read -r name; do
    gzip -dc "$bench/content.release/blobs/sha256/$name" 2>/dev/null | head -c 262 | grep -q ustar && echo "$name" && break
done)
echo "content: 707 MB in 20,001 files, $(du -m "$bench/content.release" | tail -1 | cut -f1) MiB of release"
compare --rounds 3 \
    "verify --depth content=$selfsame verify --depth content --key $key $bench/content.release" \
    "verify --depth blobs=$selfsame verify --depth blobs --key $key $bench/content.release" \
    "openssl sha256 of the blobs=openssl dgst -sha256 $bench/content.release/blobs/sha256/*" \
    "gzip -dc of the layer=gzip -dc $bench/content.release/blobs/sha256/$layer | openssl dgst -sha256"
