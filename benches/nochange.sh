#!/bin/sh
# A build when nothing changed: the tree of 20,001 files in git, copied into an image; against what git and `find` need
# to look at the same files, and buildah and docker with their caches.
#
# usage: benches/nochange.sh [ROUNDS]
set -eu
. "$(dirname "$0")/lib.sh"
need_tree
source=$bench/nochange
if [ ! -d "$source/.git" ]; then
    rm -rf "$source"
    cp -r "$bench/layer-tree" "$source"
    copying_definition >"$source/selfsame.toml"
    printf 'FROM scratch\nCOPY . /data/\n' >"$source/Containerfile"
    # No source of selfsame has it either.
    echo .git >"$source/.containerignore"
    cp "$source/.containerignore" "$source/.dockerignore"
    git -C "$source" init --quiet
    git -C "$source" add --all
    git -C "$source" -c user.name=bench -c user.email=bench@example.com commit --quiet --message all
fi
set -- "--rounds" "${1:-10}" \
    "selfsame=$selfsame build --dev-key --progress quiet -o $bench/nochange.release $source" \
    "find, stat of each file=find $source -path $source/.git -prune -o -printf '%s %T@ %C@\n'" \
    "git status=git -C $source --no-optional-locks status --porcelain"
if have buildah; then
    set -- "$@" "buildah build --layers=$buildah build --layers --quiet --isolation chroot --tag selfsame-nochange $source"
fi
if have_docker; then
    set -- "$@" "docker build=timeout 600 docker build --quiet --tag selfsame-nochange --file $source/Containerfile $source"
fi
echo "nothing changed; buildah's storage: $driver"
compare "$@"
