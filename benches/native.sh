#!/bin/sh
# A C program compiled by an action at level `normalized` against the same command on the host: examples/lz4, `make -j2`.
#
# usage: benches/native.sh [ROUNDS]
set -eu
. "$(dirname "$0")/lib.sh"
have jq || exit 2
rounds=${1:-7}
release=$bench/native.release
build="$selfsame build --dev-key --no-cache --progress quiet -o $release examples/lz4"
$build >/dev/null
native=$bench/native
rm -rf "$native"
mkdir "$native"
# The source as the release has it: the archive in its full capsule.
"$selfsame" build --capsule --dev-key --progress quiet -o "$bench/native-full.release" examples/lz4 >/dev/null
pack=
for blob in "$bench"/native-full.release/blobs/sha256/*; do
    if gzip -dc "$blob" 2>/dev/null | tar -tf - 2>/dev/null | grep -q 'liblz4/programs/Makefile'; then
        pack=$blob
        break
    fi
done
: >"$bench/native.times"
for round in $(seq 0 "$rounds"); do
    rm -rf "$native" && mkdir "$native"
    gzip -dc "$pack" | tar -xf - -C "$native"
    makefile=$(find "$native" -path '*/liblz4/Makefile' | head -1)
    folder=$(dirname "$(dirname "$makefile")")
    before=$(date +%s%N)
    (cd "$folder" && make -j2 -C liblz4 lz4 LDFLAGS=-static BUILD_SHARED=no >/dev/null 2>&1)
    after=$(date +%s%N)
    $build >/dev/null
    action=$(jq -r .dsseEnvelope.payload "$release/run-record.sigstore.json" | base64 -d |
        jq '[.predicate.actions[].durationMs] | add')
    [ "$round" = 0 ] || echo "$(((after - before) / 1000000)) $action" >>"$bench/native.times"
done
middle() { sort -n | sed -n "$(((rounds + 1) / 2))p"; }
least() { sort -n | head -1; }
native_ms=$(cut -d' ' -f1 "$bench/native.times" | middle)
action_ms=$(cut -d' ' -f2 "$bench/native.times" | middle)
native_min=$(cut -d' ' -f1 "$bench/native.times" | least)
action_min=$(cut -d' ' -f2 "$bench/native.times" | least)
ratio=$(awk '{ print $2 / $1 }' "$bench/native.times" | middle)
echo "make -j2 of lz4, $rounds rounds in turn; load $(cut -d' ' -f1 /proc/loadavg)"
echo "native  min $native_min ms, median $native_ms ms"
echo "action  min $action_min ms, median $action_ms ms; sandbox, placing the source and taking the outputs included"
echo "ratio   $(awk "BEGIN { printf \"%.3f\", $action_min / $native_min }") of minima, $ratio median of pairs"
