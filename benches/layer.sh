#!/bin/sh
# Layer assembly of a generated tree (20,001 files, 707 MB) against tar | pigz -6 and tar | gzip -6, in one run.
#
# usage: benches/layer.sh [FOLDER] [THREADS] [ROUNDS]
# FOLDER is filled if it does not exist, and taken as it is otherwise; it stays. Prints time, CPU time and size of
# each, and ours as a multiple of theirs. On a machine with other work only the CPU column says something.
set -eu
cd "$(dirname "$0")/.."
folder=${1:-target/bench/layer-tree}
mkdir -p "$(dirname "$folder")"
for tool in tar gzip pigz; do
    command -v "$tool" >/dev/null || { echo "layer.sh: $tool is not installed" >&2; exit 2; }
done
exec cargo run --release --quiet -p selfsame-oci --example layer_bench -- "$folder" "${2:-2}" "${3:-3}"
