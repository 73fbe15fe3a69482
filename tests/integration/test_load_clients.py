"""Do the viewers of tests/load see what a bad proxy does? Here a server damages streams in known ways."""

import re
import socket
import threading
import urllib.parse

import pytest

from client import Client
from load import FastUpstream, Tool

TOKENS = 20


@pytest.fixture(scope="module")
def fast_upstream():
    u = FastUpstream()
    yield u
    u.kill()


def good_stream(upstream, model):
    """What a good proxy makes of the upstream's answer: [[id, data], …]."""
    port = int(upstream.url.split(":")[2].split("/")[0])
    with Client(("127.0.0.1", port)) as c:
        body = {"model": model, "stream": True, "stream_options": {"include_usage": True}}
        return c.request("POST", "/v1/chat/completions", body).response("POST").all_events()


def as_openai(events, shows_usage):
    return [[seq, "", e.data] for seq, e in enumerate(events, 1)
            if shows_usage or e.data == "[DONE]" or e.json["choices"]]


def as_events(events):
    blocks = []
    for seq, e in enumerate(events, 1):
        if e.data == "[DONE]":
            blocks.append([seq, "done", '{"finish_reason":"stop","usage":null}'])
        elif not e.json["choices"]:
            blocks.append([seq, "usage", '{"completion_tokens":20}'])
        elif text := e.json["choices"][0]["delta"].get("content"):
            blocks.append([seq, "", text])
    return blocks


def written(blocks):
    out = ""
    for seq, type, data in blocks:
        out += (f"event: {type}\n" if type else "") + f"id: S.{seq}\n"
        out += "".join(f"data: {line}\n" for line in data.split("\n")) + "\n"
    return out.encode()


class Crooked:
    """Answers the first request with a damaged stream, and those that follow with 204."""

    def __init__(self, upstream, damage):
        self.upstream, self.damage = upstream, damage
        self.format = None
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        first = True
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            with sock:
                request = b""
                while b"\r\n\r\n" not in request or (request.startswith(b"POST") and not request.endswith(b"}")):
                    request += sock.recv(65536)
                sock.sendall(self._answer(request.decode()) if first else b"HTTP/1.1 204 No Content\r\n\r\n")
                first = False

    def _answer(self, request):
        events = good_stream(self.upstream, re.search(r"bench:[^\"& ]*", urllib.parse.unquote(request))[0])
        is_openai = request.startswith("POST") or "format=openai" in request
        self.format = "openai" if is_openai else "events"
        blocks = as_openai(events, '"include_usage":true' in request) if is_openai else as_events(events)
        blocks = self.damage(blocks)
        body = blocks if isinstance(blocks, bytes) else written(blocks)
        return (b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nX-Stream-Id: S\r\n"
                b"Content-Length: %d\r\n\r\n%s" % (len(body), body))

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(5)


def renumbered(blocks):
    """The text of a damaged stream under the ids of a good one."""
    return [[blocks[0][0] + n, type, data] for n, (_, type, data) in enumerate(blocks)]


def swapped(blocks):
    return renumbered([*blocks[:5], blocks[6], blocks[5], *blocks[7:]])


def changed(blocks):
    blocks[5][2] = blocks[5][2].replace("~", "~~", 1)
    return blocks


DAMAGES = {
    "a good stream": (lambda b: b, {}),
    "comments, and a heartbeat in a block": (lambda b: b": hb\n\n: hb\n" + written(b), {}),
    "a block is missing": (lambda b: b[:5] + b[6:], {"openai": "gaps", "events": "lost"}),
    "a token is missing": (lambda b: renumbered(b[:5] + b[6:]), {"openai": "lost", "events": "lost"}),
    "a block comes twice": (lambda b: b[:6] + b[5:], {"openai": "disordered", "events": "disordered"}),
    "a token comes twice": (lambda b: renumbered(b[:6] + b[5:]), {"openai": "doubled", "events": "doubled"}),
    "two tokens change places": (swapped, {"openai": "lost", "events": "lost"}),
    "a byte is not the same": (changed, {"openai": "errors", "events": "errors"}),
    "the end is missing": (lambda b: b[:-1], {"openai": "errors", "events": "errors"}),
    "the end comes twice": (lambda b: b + b[-1:], {"openai": "errors", "events": "errors"}),
    "the last block has no empty line": (lambda b: written(b)[:-1], {"openai": "errors", "events": "errors"}),
    "another stream's id": (lambda b: written(b).replace(b"id: S.7\n", b"id: T.7\n"),
                            {"openai": "errors", "events": "errors"}),
    "no id": (lambda b: written(b).replace(b"id: S.7\n", b""), {"openai": "errors", "events": "errors"}),
}


@pytest.mark.parametrize("format", ["openai", "events"])
@pytest.mark.parametrize("name", DAMAGES)
def test_a_viewer_sees_what_is_wrong(fast_upstream, name, format):
    damage, expected = DAMAGES[name]
    server = Crooked(fast_upstream, damage)
    viewers = Tool("load/cuts", "--port", server.port, "--streams", 1, "--viewers", 1, "--cuts", 0, "--tokens", TOKENS,
                   "--rate", 0, "--route", "chat" if format == "openai" else "ask_get", "--seed", 1)
    try:
        report, status = viewers.end(30)
    finally:
        viewers.kill()
        server.close()
    assert server.format == format, "the seed is to be one that asks for this format"
    seen = {fault for fault in ("lost", "doubled", "disordered", "gaps", "errors") if report[fault]}
    assert seen == ({expected[format]} if expected else set()), report["first_failure"]
    assert status == bool(expected)
