#!/usr/bin/env python3
"""clang-format has nothing to change: format.py CLANG_FORMAT."""

import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
files = [str(p) for top in ("include", "src", "tests") for p in sorted((ROOT / top).rglob("*.[ch]"))
         if "node_modules" not in p.parts]
run = subprocess.run([sys.argv[1], "--dry-run", "-Werror", "--style=file", *files], capture_output=True, text=True)
print(run.stderr[:8000])
sys.exit(run.returncode)
