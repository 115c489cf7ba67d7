#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The README's C is compiled as it stands and run. usage: readme.py README LIBRARY HERE CC

LIBRARY is libthole.so, HERE holds readme_sink.c. The program must print what the README says
it prints, but for its times; the sink must carry records.
"""
import os
import re
import subprocess
import sys
import tempfile

FLAGS = ["-std=c11", "-D_DEFAULT_SOURCE", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]


def find_block(blocks, part):
    found = [b for b in blocks if part in b]
    assert len(found) == 1, f"{len(found)} blocks of C have {part!r}"
    return found[0]


def without_time(line):
    return re.sub(r'"time":"[^"]*"', '"time":""', line)


def compile_and_run(cc, root, library, folder, name, source):
    path = os.path.join(folder, name + ".c")
    with open(path, "w", encoding="utf-8") as f:
        f.write(source)
    lib = os.path.dirname(library)
    subprocess.run([cc, *FLAGS, "-I", os.path.join(root, "include"), "-I", folder, "-o",
                    os.path.join(folder, name), path, "-L", lib, "-lthole", "-lrt", "-pthread"],
                   check=True)
    env = {k: v for k, v in os.environ.items() if not k.startswith("THOLE_")}
    env["LD_LIBRARY_PATH"] = lib
    return subprocess.run([os.path.join(folder, name)], env=env, capture_output=True, text=True,
                          timeout=60, check=False)


def check_program(blocks, text, *rest):
    ran = compile_and_run(*rest, "program", find_block(blocks, "serve(thole_logger net"))
    wanted = re.findall(r'^    (\{"time".*"logger":"demo.net".*\})$', text, re.M)
    got = ran.stderr.splitlines()
    assert ran.returncode == 0, ran.stderr
    assert len(wanted) == 2, "the README shows two lines of the program"
    assert [without_time(x) for x in got] == [without_time(x) for x in wanted], ran.stderr


def check_sink(blocks, here, cc, root, library, folder):
    block = find_block(blocks, "mq_open")
    lines = [x for x in block.splitlines() if x.strip() and not x.startswith("#include")]
    assert len(lines) <= 42, f"{len(lines)} lines; the README says forty"
    with open(os.path.join(folder, "readme_mq.h"), "w", encoding="utf-8") as f:
        f.write(block)
    with open(os.path.join(here, "readme_sink.c"), encoding="utf-8") as f:
        ran = compile_and_run(cc, root, library, folder, "sink", f.read())
    print(ran.stdout + ran.stderr, end="")
    if ran.returncode == 77:
        sys.exit(77)
    assert ran.returncode == 0, "the README's sink does not work"


def main():
    readme, library, here, cc = sys.argv[1:5]
    root = os.path.dirname(os.path.abspath(readme))
    with open(readme, encoding="utf-8") as f:
        text = f.read()
    blocks = re.findall(r"^```c\n(.*?)^```$", text, re.M | re.S)
    with tempfile.TemporaryDirectory() as folder:
        check_program(blocks, text, cc, root, library, folder)
        check_sink(blocks, here, cc, root, library, folder)


main()
