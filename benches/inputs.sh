#!/bin/sh
# The packages of toolchains/gcc (62 MiB, 246 MiB unpacked): locked, fetched and unpacked, with an empty store and with
# one that has them, beside mmdebstrap, which chooses, fetches and unpacks the same, runs no script of a package either
# (--variant=extract), and keeps nothing; and beside `skopeo copy` of the image that they make, from one folder to another.
# Then the unpacking alone, against dpkg-deb.
#
# usage: benches/inputs.sh [ROUNDS]
# All but skopeo and the last part use the network: the mirror that this machine's apt names. mmdebstrap wants root, or a
# subordinate id range.
set -eu
. "$(dirname "$0")/lib.sh"
rounds=${1:-3}
packages=$(sed -n 's/^deb = //p' toolchains/gcc/selfsame.toml)
list=$(echo "$packages" | tr -d '[]" ')
suite=$(sed -n 's/^suite = "\(.*\)"/\1/p' toolchains/gcc/selfsame.toml)
project=$bench/inputs-project
rm -rf "$project" "$bench/inputs-cold" "$bench/inputs-debs" "$bench/inputs-debs.files" "$bench/inputs.release" "$bench/gcc.release"
mkdir "$project"
# An action that needs no more than that the files are there.
cat >"$project/selfsame.toml" <<END
name = "unpacked"
version = "1.0.0"
license = "MIT"

[source]
epoch = 1700000000

[toolchain.root]
deb = $packages
suite = "$suite"

[[action]]
name = "touch"
run = ["touch", "done"]
outputs = ["done"]

[image]
[[image.file]]
from = "touch:done"
to = "/done"
END
build="$selfsame build --dev-key --no-check --progress quiet -o $bench/inputs.release $project"
clean="rm -rf $bench/inputs.release $bench/inputs-cold $bench/inputs-mmdebstrap $bench/inputs-skopeo"

# The image, for skopeo; and a full store.
$selfsame build --dev-key --no-check --progress quiet -o "$bench/gcc.release" toolchains/gcc >/dev/null
sh -c "$build" >/dev/null
set -- "selfsame, empty store=rm -f $project/selfsame.lock; SELFSAME_STORE=$bench/inputs-cold $build"
set -- "$@" "selfsame, full store=rm -f $project/selfsame.lock; $build"
set -- "$@" "selfsame, full store, locked=$build"
if have mmdebstrap; then
    sources=$(ls /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources 2>/dev/null | tr '\n' ' ')
    set -- "$@" "mmdebstrap=mmdebstrap --quiet --variant=extract --include=$list $suite $bench/inputs-mmdebstrap $sources"
fi
if have skopeo; then
    set -- "$@" "skopeo copy=skopeo copy --quiet oci:$bench/gcc.release:gcc:12.2 oci:$bench/inputs-skopeo"
fi
compare --rounds "$rounds" --after "$clean" "$@"

# A store that has the packages and has unpacked none of them.
SELFSAME_STORE="$bench/inputs-debs" $selfsame fetch --progress quiet "$project"
mkdir "$bench/inputs-debs.files"
sed -n 's/.*purl = "pkg:deb.* sha256 = "\([0-9a-f]*\)".*/\1/p' "$project/selfsame.lock" | while read -r hex; do
    cp "$bench/inputs-debs/blobs/sha256/$(echo "$hex" | cut -c1-2)/$hex" "$bench/inputs-debs.files/$hex.deb"
done
echo "unpacking alone; both copy the packages first"
copied="cp -a $bench/inputs-debs $bench/inputs-cold"
all="mkdir $bench/inputs-mmdebstrap; for deb in $bench/inputs-cold/*.deb; do dpkg-deb -x \$deb $bench/inputs-mmdebstrap; done"
set -- "selfsame=$copied; SELFSAME_STORE=$bench/inputs-cold $build --offline --locked"
if have dpkg-deb; then
    set -- "$@" "dpkg-deb -x, one by one=cp -a $bench/inputs-debs.files $bench/inputs-cold; $all"
fi
compare --rounds "$rounds" --after "$clean" "$@"
mkdir "$bench/inputs-mmdebstrap"
for deb in "$bench"/inputs-debs.files/*.deb; do dpkg-deb -x "$deb" "$bench/inputs-mmdebstrap"; done
echo "MB of files unpacked: $(du -sm --apparent-size "$bench/inputs-mmdebstrap" | cut -f1); divide by the seconds above"
rm -rf "$bench/inputs-mmdebstrap" "$bench/inputs-debs" "$bench/inputs-debs.files"
