#!/bin/sh
# Peak memory of build and verification as the tree doubles: 707 MB, then twice that.
set -eu
. "$(dirname "$0")/lib.sh"
need_tree
[ -x /usr/bin/time ] || { echo 'memory.sh: /usr/bin/time is not installed' >&2; exit 2; }
peak() {
    /usr/bin/time -f '%M' "$@" 2>&1 >/dev/null | tail -1
}
printf '%-10s %14s %16s %18s\n' tree 'build' 'verify content' '(peak KiB, one process)'
for copies in 1 2; do
    folder=$bench/memory-$copies
    if [ ! -d "$folder" ]; then
        mkdir -p "$folder"
        for copy in $(seq $copies); do
            cp -r "$bench/layer-tree" "$folder/tree$copy"
            # Other content in each copy, else its blobs are the same ones.
            find "$folder/tree$copy" -type f -exec sh -c 'n=$1; shift; for f; do echo "$n" >>"$f"; done' sh "$copy" {} +
        done
        copying_definition >"$folder/selfsame.toml"
    fi
    release=$bench/memory-$copies.release
    built=$(peak "$selfsame" build --dev-key --no-cache --progress quiet -o "$release" "$folder")
    verified=$(peak "$selfsame" verify --depth content --key "$XDG_DATA_HOME/selfsame/dev.pub" "$release")
    printf '%-10s %14s %16s\n' "$copies x 707" "$built" "$verified"
done
