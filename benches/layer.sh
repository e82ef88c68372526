#!/bin/sh
# Layer assembly of a generated tree (20,001 files, 707 MB) against tar | pigz -6 and tar | gzip -6, in one run; then a
# whole release from that tree, nothing remembered, against buildah (FROM scratch, COPY, and written as an OCI layout).
#
# usage: benches/layer.sh [FOLDER] [THREADS] [ROUNDS]
# FOLDER is filled if it does not exist, and taken as it is otherwise; it stays. Prints time, CPU time and size of
# each, and ours as a multiple of theirs. On a machine with other work only the CPU column says something.
set -eu
. "$(dirname "$0")/lib.sh"
folder=${1:-$bench/layer-tree}
rounds=${3:-3}
for tool in tar gzip pigz; do
    have "$tool" || exit 2
done
cargo run --release --quiet -p selfsame-oci --example layer_bench -- "$folder" "${2:-2}" "$rounds"

have buildah || exit 0
project=$bench/layer-project
rm -rf "$project"
mkdir "$project"
cp -r "$folder" "$project/data"
copying_definition >"$project/selfsame.toml"
printf 'FROM scratch\nCOPY data /data/\n' >"$project/Containerfile"
# A store of its own for each run, so that nothing is there.
compare --rounds "$rounds" \
    --after "rm -rf $bench/cold; buildah rmi --force selfsame-bench >/dev/null 2>&1 || true" \
    "selfsame build=SELFSAME_STORE=$bench/cold $selfsame build --dev-key --progress quiet -o $bench/layer.release $project" \
    "buildah build=timeout 300 buildah build --no-cache --quiet --tag selfsame-bench $project" \
    "buildah build and push=timeout 300 buildah build --no-cache --quiet --tag selfsame-bench $project &&
        buildah push --quiet selfsame-bench oci:$bench/cold"
