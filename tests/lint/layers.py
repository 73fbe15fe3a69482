#!/usr/bin/env python3
"""A file includes only headers of its own layer and of those below it (docs/architecture.md has the picture)."""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
BELOW = {
    "base": set(),
    "codec": {"base"},
    "stream": {"base", "codec"},
    "upstream": {"base", "codec", "stream"},
    "server": {"base", "codec", "stream"},
    "app": {"base", "codec", "stream", "upstream", "server"},
}
# Only these may use these libraries.
LIBRARIES = {"microhttpd.h": {"server"}, "curl/curl.h": {"upstream", "app/main.c"}, "cjson/cJSON.h": {"codec"},
             "yaml.h": {"app"}, "gnutls/gnutls.h": {"server"},
             "gnutls/crypto.h": {"server", "app/config_keys.c", "upstream/sigv4.c"}}


def faults():
    for path in sorted((ROOT / "src").rglob("*.[ch]")):
        name = path.relative_to(ROOT / "src").as_posix()
        layer = name.split("/")[0]
        for number, line in enumerate(path.read_text().splitlines(), 1):
            match = re.match(r'\s*#\s*include\s+["<]([^">]+)[">]', line)
            if not match:
                continue
            header = match[1]
            owner = header.split("/")[0]
            if owner in BELOW and owner != layer and owner not in BELOW[layer]:
                yield f"src/{name}:{number}: {layer} must not include {header}"
            users = LIBRARIES.get(header)
            if users and layer not in users and name not in users:
                yield f"src/{name}:{number}: {header} is for {', '.join(sorted(users))} only"
    for path in sorted((ROOT / "include").rglob("*.h")):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if re.match(r'\s*#\s*include\s+"', line):
                yield f"{path.relative_to(ROOT)}:{number}: a public header includes only <sluice/…> and the system's"


found = list(faults())
print("\n".join(found))
sys.exit(1 if found else 0)
