"""The server's own feeds: its log, line by line, without a word of prompts or keys; and its figures, once a second."""

import json
import threading
import time

import pytest

from client import PROVIDER_KEY
from rig import CANARY, CLIENT_KEY, config_for, wait_until
from upstream import DONE, FINISH, ROLE, answer, stall, status, token

LEVELS = ("debug", "info", "warn", "error")


@pytest.fixture(scope="module")
def upstream(shared_rig):
    return shared_rig.upstream(answer("a", "b"))


@pytest.fixture(scope="module", params=["json", "text"])
def proxy(shared_rig, upstream, tmp_path_factory, request):
    return shared_rig.proxy(upstream, workers=2, log={"level": "debug", "format": request.param, "file": "stderr"}) \
        if request.param == "json" else TextLog(shared_rig, upstream, tmp_path_factory)


def TextLog(shared_rig, upstream, directories):
    """A proxy whose log has the format text. Its lines go to a file; the address is one that was free."""
    import socket
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    file = directories.mktemp("log") / "log"
    return shared_rig.text_proxy(upstream, port, file)
