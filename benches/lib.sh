# Read by the other scripts: one build of the program, a folder for everything, and who is installed.

cd "$(dirname "$0")/.."
bench=${SELFSAME_BENCH:-target/bench}
mkdir -p "$bench"
bench=$(cd "$bench" && pwd)
# A repository of its own: what git ignores, as this project's does `target`, is no source.
[ -d "$bench/.git" ] || git init --quiet "$bench"
cargo build --release --quiet --package selfsame
selfsame=$(cargo metadata --format-version 1 --no-deps | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')/release/selfsame
export SELFSAME_STORE="$bench/store" XDG_DATA_HOME="$bench/data"

# compare [--rounds N] [--after COMMAND] NAME=COMMAND...
compare() {
    cargo bench --quiet --package selfsame --bench compare -- "$@"
}

have() {
    command -v "$1" >/dev/null || { echo "$1 is not installed: left out"; return 1; }
}

# ext4 without a journal never reuses an inode in the minutes after its removal, and looks at each of them again for each
# file it makes. All that make and remove whole trees, as buildah does in every build, then spin in the kernel: making
# 20,000 files takes 0.5 s at first and 14 s later. Figures from there say nothing of a program.
disk=$(df --output=source "$bench" | tail -1)
if [ "$(df --output=fstype "$bench" | tail -1)" = ext4 ] && ! ls -d "/proc/fs/jbd2/${disk##*/}-"* >/dev/null 2>&1; then
    cat >&2 <<END
$bench is on ext4 without a journal, where removed files make new ones slow: name a folder on another file system with
SELFSAME_BENCH. As root: truncate -s 24G DISK && mkfs.ext4 -q DISK && mount -o loop DISK FOLDER && SELFSAME_BENCH=FOLDER
END
fi

# What runs buildah: a storage of its own in the folder of the benchmarks, so that both write to one disk and other images
# do not count; and an end for it, should it find none.
driver=${STORAGE_DRIVER:-overlay}
buildah="timeout 600 buildah --root $bench/containers --runroot $bench/containers.run --storage-driver $driver"

# Whether a docker engine can be asked; docker alone is only its client.
have_docker() {
    have docker || return 1
    timeout 10 docker info >/dev/null 2>&1 || { echo "docker: no engine answers: left out"; return 1; }
}

# The tree of 20,001 files and 707 MB that benches/layer.sh makes.
need_tree() {
    [ -d "$bench/layer-tree" ] && return
    cargo run --release --quiet -p selfsame-oci --example layer_bench -- "$bench/layer-tree" 2 0
}

# A definition that copies the whole source into an image.
copying_definition() {
    cat <<END
name = "copied"
version = "1.0.0"
license = "MIT"

[source]
epoch = 1700000000

[image]
[[image.file]]
from = "source:."
to = "/data"
END
}
