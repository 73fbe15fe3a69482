#!/usr/bin/env python3
"""libsluice can be installed and used: installed.py BUILD_DIR CC."""

import os
import pathlib
import shlex
import subprocess
import sys
import tempfile

PROGRAM = r"""
#include <stdio.h>
#include <string.h>
#include <sluice/reader.h>
#include <sluice/sse.h>

int main(void)
{
	static const char body[] = "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,"
				   "\"delta\":{\"content\":\"hello\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
	struct sl_reader_options o = {.dialect = SL_DIALECT_OPENAI_CHAT, .status = 200, .max_frame_bytes = 1 << 20};
	struct sl_reader *r = sl_reader_new(&o);
	struct sl_entry e;
	sl_reader_feed(r, body, strlen(body));
	while (sl_reader_next(r, &e) == 1)
		for (size_t i = 0; i < e.n_events; i++)
			if (e.events[i].kind == SL_EVENT_TEXT)
				printf("%.*s\n", (int)e.events[i].s[0].n, e.events[i].s[0].p);
	int ended = sl_reader_ended(r);
	sl_reader_free(r);
	return !ended;
}
"""

build, compiler = pathlib.Path(sys.argv[1]), shlex.split(sys.argv[2])
with tempfile.TemporaryDirectory() as temp:
    root = pathlib.Path(temp)
    subprocess.run(["meson", "install", "-C", build, "--no-rebuild", "--quiet", "--destdir", root], check=True)
    pc = next(root.rglob("sluice.pc"))
    env = dict(os.environ, PKG_CONFIG_PATH=str(pc.parent), PKG_CONFIG_SYSROOT_DIR=str(root))
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", "sluice"], env=env, check=True, capture_output=True,
                           text=True).stdout.split()
    sanitize = [w for w in sys.argv[3:] if w]
    (root / "use.c").write_text(PROGRAM)
    subprocess.run([*compiler, "-Wall", "-Wextra", "-Werror", *sanitize, root / "use.c", "-o", root / "use", *flags], check=True)
    library = next(root.rglob("libsluice.so"))
    out = subprocess.run([root / "use"], env=dict(env, LD_LIBRARY_PATH=str(library.parent)), check=True,
                         capture_output=True, text=True).stdout
    assert out == "hello\n", out
    symbols = subprocess.run(["nm", "-D", "--defined-only", library], check=True, capture_output=True, text=True).stdout
    foreign = [line for line in symbols.splitlines() if not line.split()[-1].startswith("sl_")]
    assert not foreign, foreign
