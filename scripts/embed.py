#!/usr/bin/env python3
"""Turns the files of the chat page into C: embed.py OUT.c PATH=FILE...

PATH is what browsers ask for; the file's own name does not matter. The same files always give the same OUT.c.
src/server/page.h declares what it defines.
"""

import hashlib
import pathlib
import re
import sys

CONTENT_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}

# Libraries name the map of their source, which is not served.
SOURCE_MAP = re.compile(rb"\n//# sourceMappingURL=\S*\s*\Z")


def content_type(path):
    return CONTENT_TYPES.get(".html" if path == "/" else pathlib.PurePosixPath(path).suffix)


def array(number, data):
    # An array, for string literals beyond 4095 bytes are no portable C; never empty, for that is none either.
    lines = [",".join(map(str, data[i:i + 32])) for i in range(0, len(data), 32)] or ["0"]
    return f"static const unsigned char data_{number}[] = {{\n" + ",\n".join(lines) + "};\n"


def entry(number, path, data):
    etag = hashlib.sha256(data).hexdigest()[:16]
    return f'\t{{"{path}", "{content_type(path)}", "\\"{etag}\\"", data_{number}, {len(data)}}},\n'


def main(out, files):
    files = [(n, path, SOURCE_MAP.sub(b"\n", pathlib.Path(file).read_bytes()))
             for n, (path, file) in enumerate(files)]
    text = "/* Made by scripts/embed.py: change the files of the page instead. */\n"
    text += '#include "server/page.h"\n\n'
    text += "\n".join(array(n, data) for n, _, data in files)
    text += "\nconst struct page_file page_files[] = {\n"
    text += "".join(entry(*file) for file in files)
    text += "};\n\nconst size_t page_files_count = sizeof(page_files) / sizeof(page_files[0]);\n"
    pathlib.Path(out).write_bytes(text.encode("ascii"))


if __name__ == "__main__":
    if len(sys.argv) < 3 or not all("=" in file for file in sys.argv[2:]):
        sys.exit("usage: embed.py OUT.c PATH=FILE...")
    given = [file.split("=", 1) for file in sys.argv[2:]]
    strange = [path for path, _ in given if not content_type(path)]
    if strange:
        sys.exit(f"embed.py: no content type is known for {', '.join(strange)}")
    try:
        main(sys.argv[1], given)
    except OSError as error:
        sys.exit(f"embed.py: {error}")
