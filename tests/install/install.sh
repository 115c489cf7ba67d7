#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs into an empty folder; a program found by pkg-config alone builds against it, shared and
# static, in C and C++, and logs one line. usage: install.sh SOURCE BUILD PREFIX CC [CXX]
set -eu
source=$1 build=$2 prefix=$3 cc=$4 cxx=${5-}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

meson install -C "$build" --no-rebuild --quiet --destdir "$folder/root"
root=$folder/root$prefix
pc=$(find "$root" -name thole.pc)
libdir=$(dirname "$(dirname "$pc")")
export PKG_CONFIG_PATH="$libdir/pkgconfig"
for file in include/thole/thole.h include/thole/field.h include/thole/sink.h \
    include/thole/test.h include/thole/version.h; do
    [ -f "$root/$file" ] || { echo "$file is not installed"; exit 1; }
done
[ -f "$libdir/libthole.a" ] && [ -f "$libdir/libthole.so" ] || { echo "no libraries"; exit 1; }
readelf -d "$libdir/libthole.so" | grep -q 'SONAME.*libthole\.so\.0' || { echo "no SONAME"; exit 1; }
readelf -d "$libdir/libthole.so" | grep -q NODELETE || { echo "no NODELETE"; exit 1; }

version=$("$root/bin/thole" --version)
[ "$version" = "thole $(pkg-config --modversion thole)" ] || { echo "thole printed: $version"; exit 1; }
if readelf -d "$root/bin/thole" | grep -q 'NEEDED.*libthole'; then echo "thole is not alone"; exit 1; fi

ask() { pkg-config --define-variable=prefix="$root" "$@" thole; }

# consume NAME COMPILER-AND-FLAGS LIBRARIES
consume() {
    $2 $(ask --cflags) -Wall -Wextra -Werror -o "$folder/$1" "$source/consumer.c" $3
    out=$(LD_LIBRARY_PATH="$libdir" "$folder/$1")
    case $out in
    *'"logger":"net","msg":"installed","conn":42,"status":200}') echo "$1: $out" ;;
    *) echo "$1 printed: $out"; exit 1 ;;
    esac
}

shared=$(ask --libs)
static="-Wl,-Bstatic $(ask --libs --static) -Wl,-Bdynamic"
consume c_shared "$cc -std=c11" "$shared"
consume c_static "$cc -std=c11" "$static"
readelf -d "$folder/c_shared" | grep -q 'NEEDED.*libthole' || { echo "not shared"; exit 1; }
if readelf -d "$folder/c_static" | grep -q 'NEEDED.*libthole'; then echo "not static"; exit 1; fi
if [ -n "$cxx" ]; then
    consume cxx_shared "$cxx -std=c++11 -x c++" "-x none $shared"
    consume cxx_static "$cxx -std=c++11 -x c++" "-x none $static"
fi
