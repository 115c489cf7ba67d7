#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs what a build and its tests need, when it is missing. usage: sh tests/setup.sh [base|ci]
# base: meson, ninja, pkg-config, Criterion. ci: also clang and its tools, valgrind, spin, and what
# tests of rotation and of outages run beside: logrotate, nftables.
# Knows apt-get; where that or root is missing it says which packages are, and fails.
set -eu

# packages PROGRAM-OR-FILE=PACKAGE...: prints the packages whose program is not there
packages() {
    for pair; do
        need=${pair%%=*} package=${pair#*=}
        case $need in
        *.pc) command -v pkg-config >/dev/null && pkg-config --exists "${need%.pc}" ||
            echo "$package" ;;
        *) command -v "$need" >/dev/null || echo "$package" ;;
        esac
    done
}

runtime_of_clang() {
    command -v clang >/dev/null && echo 'int main(void) { return 0; }' |
        clang -fsanitize=address -x c -o /dev/null - 2>/dev/null || echo libclang-rt-14-dev
}

missing() {
    packages cc='gcc libc6-dev' meson=meson ninja=ninja-build pkg-config=pkg-config \
        criterion.pc=libcriterion-dev python3=python3
    if [ "$1" = ci ]; then
        packages c++=g++ clang=clang clang-format=clang-format clang-tidy=clang-tidy \
            valgrind=valgrind spin=spin logrotate=logrotate nft=nftables ip=iproute2 \
            unshare=util-linux
        runtime_of_clang
    fi
}

wanted=$(missing "${1:-base}" | sort -u | tr '\n' ' ')
[ -n "$wanted" ] || exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "setup: please install: $wanted" >&2
    exit 1
fi
echo "setup: installing $wanted" >&2
# Waits for another apt-get rather than failing beside it.
apt="apt-get -o DPkg::Lock::Timeout=120 -qq"
$apt update >&2
DEBIAN_FRONTEND=noninteractive $apt install -y --no-install-recommends $wanted >&2 </dev/null
