#!/usr/bin/env python3
"""Every header compiles alone: headers.py CC."""

import pathlib
import shlex
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
FLAGS = ["-std=gnu17", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Wpedantic", "-Wno-unused-function", "-Werror",
         "-fsyntax-only", "-x", "c", f"-I{ROOT}/include", f"-I{ROOT}/src"]
libraries = subprocess.run(["pkg-config", "--cflags", "libmicrohttpd", "libcurl", "yaml-0.1"], check=True,
                           capture_output=True, text=True).stdout.split()
compiler = shlex.split(sys.argv[1])
failed = 0
for top in ("include", "src"):
    for header in sorted((ROOT / top).rglob("*.h")):
        source = f'#include "{header.relative_to(ROOT / top)}"\n'
        run = subprocess.run([*compiler, *FLAGS, *libraries, "-"], input=source, capture_output=True, text=True)
        if run.returncode:
            failed += 1
            print(f"{header.relative_to(ROOT)}:\n{run.stderr}")
sys.exit(1 if failed else 0)
