#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Checks each model of this folder with spin: it and its VARIANT_s must be verified in full with 0
# errors, each of its MUTANT_s must be found. So a model that has gone blind is noticed.
#
#   run.sh [model.pml ...]      default: all. Exit 0 fine, 1 not, 77 skipped (no spin)
#
# A model's line "run:" holds the options: -D... for the compiler, the rest for the verifier.

if ! command -v spin >/dev/null 2>&1; then
    echo "skipped: spin is not installed (Debian: apt-get install spin)"
    exit 77
fi
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
failed=0
incomplete='depth too small\|Search not completed\|out of memory'

options() { # of $1, those that match -D ($2 = D) or do not
    for o in $(sed -n 's/^ \* run: //p' "$1"); do
        case $o in
        -D*) [ "$2" = D ] && echo "$o" ;;
        *) [ "$2" = D ] || echo "$o" ;;
        esac
    done
}

names() { # the $1_... that the model $2 knows
    grep -o "$1_[A-Z_]*" "$2" | sort -u
}

check() { # $1 model, $2 variant, mutant or nothing: the verifier's output in $work/out
    ( cd "$work" && rm -f pan* out &&
        spin -a ${2:+"-D$2"} "$1" >out 2>&1 &&
        ${CC:-gcc} -w -O2 $(options "$1" D) -o pan pan.c >>out 2>&1 &&
        ./pan $(options "$1" run) >>out 2>&1 )
}

states() { awk '/states, stored/ { n = $1 } /elapsed time/ { t = $4 } END { print n + 0, "states,", t + 0, "s" }' "$work/out"; }

fail() {
    echo "FAIL $1: $2"
    sed 's/^/    /' "$work/out" | head -40
    failed=1
}

[ $# -gt 0 ] || set -- "$here"/*.pml
for model in "$@"; do
    model=$(cd "$(dirname "$model")" && pwd)/$(basename "$model")
    name=$(basename "$model" .pml)
    for variant in "" $(names VARIANT "$model"); do
        check "$model" "$variant"
        if grep -q 'errors: 0' "$work/out" && ! grep -q "$incomplete" "$work/out"; then
            echo "ok   $name${variant:+ $variant}: $(states)"
        else
            fail "$name${variant:+ $variant}" "not verified"
        fi
    done
    for mutant in $(names MUTANT "$model"); do
        check "$model" "$mutant"
        if grep -q 'errors: [1-9]' "$work/out"; then
            echo "ok   $name $mutant found: $(grep -m1 'pan:1:' "$work/out" | cut -c1-70)"
        else
            fail "$name $mutant" "not found"
        fi
    done
done
exit $failed
