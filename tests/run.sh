#!/bin/sh
# SPDX-License-Identifier: MIT
# Builds thole and runs all its tests, from nothing: sh tests/run.sh [meson test argument...]
# The build is $BUILD, or build/ beside this folder; SETUP holds arguments for `meson setup`.
# Ends with one line, and fails when a test did:  N passed, N failed, N skipped
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
build=${BUILD:-$root/build}

sh "$root/tests/setup.sh" base
if [ ! -f "$build/build.ninja" ]; then
    # A folder that only a failed configuration left behind is of no use.
    meson setup ${SETUP-} "$build" "$root"
fi
meson compile -C "$build"

log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
meson test -C "$build" --no-rebuild --print-errorlogs "$@" >"$log" 2>&1 </dev/null || status=$?
cat "$log"

# A fault that must be found, and is ("Expected Fail"), is a test that passed.
awk -v status="$status" '
    /^(Ok|Expected Fail): +[0-9]+ *$/ { passed += $NF; seen = 1 }
    /^(Fail|Unexpected Pass|Timeout): +[0-9]+ *$/ { failed += $NF; seen = 1 }
    /^Skipped: +[0-9]+ *$/ { skipped += $NF }
    END {
        if (!seen || (status != 0 && failed == 0))
            failed++
        printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped
    }' "$log"
exit "$status"
