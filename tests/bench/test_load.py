#!/usr/bin/env python3
"""Does the benchmark's client see what a bad proxy does? A server here damages streams in known ways.

usage: test_load.py LOAD
"""

import json
import re
import socket
import subprocess
import sys
import threading
import time

TOKENS = 6
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
FINISH = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
DONE = b"data: [DONE]\n\n"
LAST = b"0\r\n\r\n"


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


def token(stream, seq):
    text = f"~{stream}~{seq}~{time.monotonic_ns()}~ lor"
    return f'data: {{"choices":[{{"index":0,"delta":{{"content":"{text}"}},"finish_reason":null}}]}}\n\n'.encode()


def stream_of(order, stream_offset=0, end=(FINISH, DONE), last=LAST):
    return lambda stream: HEAD + b"".join(chunk(token(stream + stream_offset, n)) for n in order) + b"".join(
        chunk(e) for e in end) + last


def dressed(stream):
    """All that a good proxy may add."""
    body = b": hello\n\nretry: 1000\nid: s.1\ndata: {\"choices\":[{\"delta\":{\"role\":\"assistant\"}}]}\n\n"
    for n in range(TOKENS):
        body += b":\nid: s.%d\r\n" % (n + 2) + token(stream, n).replace(b"\n\n", b"\r\n\r\n")
    return HEAD + chunk(body + FINISH + DONE) + LAST


def merged(stream):
    """Two tokens in one event."""
    pairs = b"".join(token(stream, n).replace(b"\n\n", b"") + token(stream, n + 1)[5:] for n in range(0, TOKENS, 2))
    return HEAD + chunk(pairs + FINISH + DONE) + LAST


def by_length(stream):
    body = b"".join(token(stream, n) for n in range(TOKENS)) + FINISH + DONE
    return b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)


GOOD = list(range(TOKENS))
CASES = [  # name, answer, bytes a write (0: all at once), exit status, what the report must say
    ("a good stream is good", stream_of(GOOD), 0, 0, {"tokens_ever": TOKENS, "requests_ever": 1, "failed": 0}),
    ("cut into single bytes it is the same", stream_of(GOOD), 1, 0, {"tokens_ever": TOKENS, "requests_ever": 1}),
    ("comments, ids and CRLF are fine", dressed, 0, 0, {"tokens_ever": TOKENS, "comments_ever": 1 + TOKENS}),
    ("also in pieces of seven", dressed, 7, 0, {"tokens_ever": TOKENS, "comments_ever": 1 + TOKENS}),
    ("merged tokens are all there", merged, 0, 0, {"tokens_ever": TOKENS}),
    ("a body by length is fine", by_length, 3, 0, {"tokens_ever": TOKENS, "requests_ever": 1}),
    ("a token is lost", stream_of([0, 1, 3, 4, 5]), 0, 1, {"lost": 1, "doubled": 0, "reordered": 0}),
    ("the last token is lost", stream_of(GOOD[:-1]), 0, 1, {"lost": 1}),
    ("a token comes twice", stream_of([0, 1, 1, 2, 3, 4, 5]), 0, 1, {"lost": 0, "doubled": 1}),
    ("two tokens change places", stream_of([0, 2, 1, 3, 4, 5]), 0, 1, {"lost": 0, "doubled": 0, "reordered": 1}),
    ("a token of another stream", stream_of(GOOD, stream_offset=1), 0, 1, {"foreign": TOKENS}),
    ("no [DONE]", stream_of(GOOD, end=[FINISH]), 0, 3, {"failed": 1}),
    ("no finish_reason", stream_of(GOOD, end=[DONE]), 0, 3, {"failed": 1}),
    ("no last chunk", stream_of(GOOD, last=b""), 0, 3, {"failed": 1}),
    ("cut in the middle", stream_of([0, 1], end=[], last=b""), 0, 3, {"failed": 1, "lost": 0}),
    ("an error status", lambda _: b"HTTP/1.1 503 No\r\ncontent-length: 2\r\n\r\nno", 0, 3, {"failed": 1}),
    ("bad chunks", lambda _: HEAD + b"xyz\r\n", 0, 3, {"failed": 1}),
]


def answer_one(listener, make, piece):
    client, _ = listener.accept()
    with client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        request = b""
        while b"}]}" not in request:
            request += client.recv(65536)
        answer = make(int(re.search(rb'"user":"(\d+)"', request).group(1)))
        for at in range(0, len(answer), piece or len(answer)):
            client.sendall(answer[at:at + (piece or len(answer))])
        client.shutdown(socket.SHUT_WR)
        while client.recv(65536):
            pass


def main():
    bad = 0
    print(f"1..{len(CASES)}")
    for number, (name, make, piece, status, says) in enumerate(CASES, 1):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            server = threading.Thread(target=answer_one, args=(listener, make, piece), daemon=True)
            server.start()
            done = subprocess.run([sys.argv[1], "--port", str(listener.getsockname()[1]), "--tokens", str(TOKENS),
                                   "--settle", "0", "--window", "0", "--open", "5", "--grace", "1"],
                                  capture_output=True, text=True, timeout=30, check=False)
            server.join(5)
        seen = json.loads(done.stdout) if done.stdout else {}
        wrong = {k: seen.get(k) for k in says if seen.get(k) != says[k]}
        good = done.returncode == status and not wrong
        bad += not good
        print(f"{'ok' if good else 'not ok'} {number} - {name}")
        if not good:
            print(f"# status {done.returncode} instead of {status}; {wrong}; {seen.get('first_failure')} {done.stderr}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
