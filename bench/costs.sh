#!/bin/sh
# SPDX-License-Identifier: MIT
# What the basic operations cost, and a log call while syslog's receiver is stopped: nanoseconds, then
# instructions counted by callgrind (the same on any machine, however busy).
#
#     sh bench/costs.sh [BUILD FOLDER]
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
build=${1:-$top/build}
[ -x "$build/bench/bench_costs" ] || { echo "costs.sh: build first (sh tests/run.sh)" >&2; exit 1; }

commit=$(git -C "$top" rev-parse --short HEAD 2>/dev/null || echo unknown)
echo "$(uname -m), $(nproc) cores, $(cc --version | head -n 1), commit $commit"
"$build/bench/bench_costs"
echo
"$build/bench/bench_stopped"

if ! command -v valgrind >/dev/null; then
    echo "instructions: skipped, valgrind is missing"
    exit 0
fi
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

# Instructions that thread 1, the one that logs, executes for COUNT operations.
count() {
    valgrind --tool=callgrind --separate-threads=yes --callgrind-out-file="$out/cg" \
        "$build/bench/bench_$1" "$2" "$3" >/dev/null 2>&1
    awk '/^(summary|totals):/ { n = $2 } END { print n }' "$out/cg-01"
}

# The difference of two counts, so that start and stop do not weigh in.
each() {
    printf '%-48s %8d\n' "$3" $((($(count "$1" "$2" 5000) - $(count "$1" "$2" 1000)) / 4000))
}

# The same while an operator looks in, again and again, at least ten times a second.
watched() {
    count costs on3 "$1" >"$out/count" &
    counting=$! pid=
    while kill -0 $counting 2>/dev/null; do
        [ "$pid" ] || pid=$("$build/src/cli/thole" ls 2>/dev/null | awk '$2 == "bench_costs" { print $1 }')
        [ "$pid" ] || continue
        "$build/src/cli/thole" leaks "$pid" >/dev/null 2>&1 && looks=$((looks + 1))
        sleep 0.05
    done
    n=$(cat "$out/count")
}

printf '\n%-48s %8s\n' "instructions of the logging thread" "each"
each costs empty "floor: an empty loop"
each costs off "a call that is off"
each costs on3 "a call that is on, 3 numbers"
each costs on10 "a call that is on, 10 fields"
each costs childonly "a child of 5 fields, made and dropped"
each costs child "the same, one record logged through it"
each costs file "a line of 2 fields"
each stopped running "a call, syslog's receiver running"
each stopped stopped "a call, syslog's receiver stopped"
looks=0
watched 900000 && many=$n
watched 300000 && few=$n
printf '%-48s %8d   (%d looks)\n' "a call, 3 numbers, while thole looks in" $(((many - few) / 600000)) $looks
