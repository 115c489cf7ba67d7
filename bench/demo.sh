#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs what is missing, builds thole and replays the incident it exists for: 80,000 connections.
#
#     sh bench/demo.sh        from anywhere; exit status 0 when every check holds
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
sh "$root/tests/setup.sh" base
[ -f "$root/build/build.ninja" ] || meson setup "$root/build" "$root"
ninja -C "$root/build" tests/echod/echod tests/echod/load bench/receiver src/cli/thole
exec python3 -B "$root/bench/incident/incident.py" "$root/build"
