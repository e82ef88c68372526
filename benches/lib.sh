# Read by the other scripts: one build of the program, a folder for everything, and who is installed.

cd "$(dirname "$0")/.."
bench=${SELFSAME_BENCH:-target/bench}
mkdir -p "$bench"
bench=$(cd "$bench" && pwd)
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
