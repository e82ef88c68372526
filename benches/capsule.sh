#!/bin/sh
# `capsule export` of 1 GiB, or as many MiB as are said, that does not compress: with an empty store (what the release carries is unpacked, packed and
# written), then with all of it known (copied and hashed), beside a plain copy of the release; then `du` and `import`.
#
# usage: benches/capsule.sh [MIB]
# Prints seconds and peak memory. The release is made once, in the folder of the benchmarks, and stays. Four times as much
# room is wanted meanwhile.
set -eu
. "$(dirname "$0")/lib.sh"
[ -x /usr/bin/time ] || { echo 'capsule.sh: /usr/bin/time is not installed' >&2; exit 2; }
# A store of its own: what others left would be known already.
export SELFSAME_STORE="$bench/cold"
rm -rf "$bench/cold" "$bench"/capsule-*.tar "$bench/capsule-copy"
project=$bench/capsule-project
mib=${1:-1024}
release=$bench/capsule-$mib.release
if [ ! -d "$release" ]; then
    mkdir -p "$project/data"
    for number in $(seq $((mib / 16))); do
        head -c 16777216 /dev/urandom >"$project/data/$number"
    done
    echo small >"$project/small"
    copying_definition | sed 's/source:\./source:small/' >"$project/selfsame.toml"
    "$selfsame" build --dev-key --progress quiet -o "$release" "$project" >/dev/null
    rm -rf "$project" "$bench/cold"
fi
measure() {
    name=$1
    shift
    sync
    printf '%-28s %s\n' "$name" "$(/usr/bin/time -f '%e s, %U s user, %M KiB' "$@" 2>&1 >/dev/null | tail -1)"
}
measure 'cp -r of the release' cp -r "$release" "$bench/capsule-copy"
rm -rf "$bench/capsule-copy"
measure 'export, empty store' "$selfsame" capsule export --progress quiet "$release" -o "$bench/capsule-1.tar"
measure 'export, everything known' "$selfsame" capsule export --progress quiet "$release" -o "$bench/capsule-2.tar"
cmp "$bench/capsule-1.tar" "$bench/capsule-2.tar"
rm "$bench/capsule-2.tar"
measure 'du' "$selfsame" capsule du "$bench/capsule-1.tar"
rm -rf "$bench/cold"
measure 'import, empty store' "$selfsame" capsule import --progress quiet "$bench/capsule-1.tar"
rm -rf "$bench/cold" "$bench"/capsule-*.tar
