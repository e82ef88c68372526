#!/bin/sh
# All benchmarks, or those named: start layer nochange verify memory native inputs. Files go to target/bench, which stays.
set -eu
here=$(dirname "$0")
[ $# -gt 0 ] || set -- start layer nochange verify memory native inputs
for name; do
    echo "== $name"
    case $name in
    start) cargo bench --quiet --package selfsame --bench start ;;
    layer | nochange | verify | memory | native | inputs) sh "$here/$name.sh" ;;
    *) echo "run.sh: there is no benchmark $name" >&2; exit 2 ;;
    esac
done
