#!/bin/sh
# Layer assembly of a generated tree (20,001 files, 707 MB) against tar | pigz -6 and tar | gzip -6, in one run; then a
# whole release from that tree, nothing remembered, against buildah (FROM scratch, COPY; and written as an OCI layout with
# gzip, which a release is) and docker.
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

project=$bench/layer-project
rm -rf "$project"
mkdir "$project"
cp -r "$folder" "$project/data"
copying_definition >"$project/selfsame.toml"
printf 'FROM scratch\nCOPY data /data/\n' >"$project/Containerfile"
# A store of its own for each run, and no release to compare with, so that nothing is there.
after="rm -rf $bench/cold $bench/layer.release"
set -- "selfsame build=SELFSAME_STORE=$bench/cold $selfsame build --dev-key --progress quiet -o $bench/layer.release $project"
if have buildah; then
    build="$buildah build --no-cache --quiet --isolation chroot --tag selfsame-bench $project"
    set -- "$@" "buildah build=$build" "buildah build and push=$build && $buildah push --quiet selfsame-bench oci:$bench/cold"
    after="$after; { $buildah rm --all; $buildah rmi --all --force; } >/dev/null 2>&1 || true"
fi
if have_docker; then
    set -- "$@" "docker build=timeout 600 docker build --no-cache --quiet --tag selfsame-bench --file $project/Containerfile $project"
    after="$after; docker rmi --force selfsame-bench >/dev/null 2>&1 || true"
fi
echo "a whole image, cold; buildah's storage: $driver"
compare --rounds "$rounds" --after "$after" "$@"
