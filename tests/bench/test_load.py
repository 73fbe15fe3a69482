#!/usr/bin/env python3
"""Does the benchmark's client see what a bad proxy does, and does its publisher post what it should?

A server here damages streams in known ways, and looks at what is posted.

usage: test_load.py LOAD PUBLISH
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
ENDED = b'event: done\ndata: {"finish_reason":"stop","usage":null}\n\n'


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


def named(stream):
    """A stream that says its name, so that others can watch it."""
    return stream_of(GOOD)(stream).replace(b"\r\n\r\n", b"\r\nX-Stream-Id: abc\r\n\r\n", 1)


def bare(stream, seq):
    return f"id: abc.{seq + 2}\ndata: ~{stream}~{seq}~{time.monotonic_ns()}~ lor\n\n".encode()


def viewed(order, stream_offset=0, end=ENDED, last=LAST):
    """What a viewer gets, as events."""
    return lambda stream: HEAD + b"".join(chunk(bare(stream + stream_offset, n)) for n in order) + (
        chunk(end) if end else b"") + last


def replayed(stream):
    """What has been so far in one event, then token by token."""
    first = b"id: abc.4\ndata: " + b"".join(bare(stream, n).split(b"data: ")[1].strip() for n in range(3)) + b"\n\n"
    return HEAD + chunk(first) + b"".join(chunk(bare(stream, n)) for n in range(3, TOKENS)) + chunk(ENDED) + LAST


def on_channel(order, end=DONE):
    """Messages to a viewer who came when some had been; the connection stays open, nothing says where it ends."""
    return lambda _: HEAD.replace(b"Transfer-Encoding: chunked\r\n", b"") + b": hi\n\n" + b"".join(
        bare(1, n) for n in order) + end


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


VIEW = ["--viewers", "1"]
WATCH = ["--channel", "--path", "/v1/channels/bench", "--viewers", "1"]
# As above, but with options of the client, and one answer for each connection that it opens.
WATCH_CASES = [
    ("a viewer sees the stream", VIEW, [named, viewed(GOOD)], 0, {"tokens_ever": 2 * TOKENS, "requests_ever": 2}),
    ("a viewer gets the past in one event", VIEW, [named, replayed], 0, {"tokens_ever": 2 * TOKENS, "failed": 0}),
    ("two viewers", ["--viewers", "2"], [named, replayed, viewed(GOOD)], 0, {"tokens_ever": 3 * TOKENS}),
    ("a viewer as openai", [*VIEW, "--format", "openai"], [named, named], 0, {"tokens_ever": 2 * TOKENS}),
    ("a viewer as openai without [DONE]", [*VIEW, "--format", "openai"], [named, stream_of(GOOD, end=[FINISH])], 3,
     {"failed": 1}),
    ("a viewer loses a token", VIEW, [named, viewed([0, 1, 2, 4, 5])], 1, {"lost": 1}),
    ("a viewer loses the past", VIEW, [named, viewed([2, 3, 4, 5])], 1, {"lost": 2}),
    ("a viewer sees a token twice", VIEW, [named, viewed([0, 1, 2, 2, 3, 4, 5])], 1, {"doubled": 1}),
    ("a viewer sees another stream", VIEW, [named, viewed(GOOD, stream_offset=1)], 1, {"foreign": TOKENS}),
    ("a viewer sees no end", VIEW, [named, viewed(GOOD, end=b"")], 3, {"failed": 1}),
    ("a stream without a name", VIEW, [stream_of(GOOD)], 3, {"failed": 1, "tokens_ever": TOKENS}),
    ("a channel from its first message", WATCH, [on_channel(GOOD)], 0, {"tokens_ever": TOKENS, "requests_ever": 1}),
    ("a channel from a later one", WATCH, [on_channel(GOOD[2:])], 0, {"tokens_ever": TOKENS - 2, "lost": 0}),
    ("a channel loses a message", WATCH, [on_channel([2, 3, 5])], 1, {"lost": 1}),
    ("a channel loses the last message", WATCH, [on_channel([2, 3, 4])], 1, {"lost": 1}),
    ("a channel brings one twice", WATCH, [on_channel([3, 4, 4, 5])], 1, {"doubled": 1}),
    ("a channel breaks off", WATCH, [on_channel(GOOD, end=b"")], 3, {"failed": 1}),
]


def read_request(client):
    """Head and body, None at the end."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = client.recv(65536)
        if not piece:
            return None
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    length = re.search(rb"\r\nContent-Length: (\d+)", head)
    while length and len(body) < int(length.group(1)):
        body += client.recv(65536)
    return head.decode(), body.decode()


def answer_all(listener, answers, piece, seen):
    stream = 1
    for make in answers:
        client, _ = listener.accept()
        with client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            head, body = read_request(client)
            seen.append(head)
            user = re.search(r'"user":"(\d+)"', body)
            stream = int(user.group(1)) if user else stream
            answer = make(stream)
            for at in range(0, len(answer), piece or len(answer)):
                client.sendall(answer[at:at + (piece or len(answer))])
            client.shutdown(socket.SHUT_WR)
            while client.recv(65536):
                pass


def check_load(options, answers, piece, status, says):
    """What is wrong, None."""
    heads = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=answer_all, args=(listener, answers, piece, heads), daemon=True)
        server.start()
        done = subprocess.run([sys.argv[1], "--port", str(listener.getsockname()[1]), "--tokens", str(TOKENS),
                               "--settle", "0", "--window", "0", "--open", "5", "--grace", "1", *options],
                              capture_output=True, text=True, timeout=30, check=False)
        server.join(5)
    seen = json.loads(done.stdout) if done.stdout else {}
    wrong = {k: seen.get(k) for k in says if seen.get(k) != says[k]}
    view = "/v1/streams/abc?format=" + ("openai" if "openai" in options else "events")
    targets = [WATCH[2]] if "--channel" in options else ["/v1/chat/completions", *[view] * (len(answers) - 1)]
    asked = [head.split()[1] for head in heads]
    if done.returncode == status and not wrong and asked == targets:
        return None
    return (f"status {done.returncode} instead of {status}; {wrong}; asked for {asked}; {seen.get('first_failure')} "
            f"{done.stderr}")


def publish_to(serve):
    """Runs the publisher against a server's one connection: its status and what the server saw."""
    result = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        def run():
            client, _ = listener.accept()
            with client:
                result.extend(serve(client))
        server = threading.Thread(target=run, daemon=True)
        server.start()
        done = subprocess.run([sys.argv[2], "--port", str(listener.getsockname()[1]), "--tokens", str(TOKENS),
                               "--rate", "100", "--path", "/pub"], capture_output=True, timeout=30, check=False)
        server.join(5)
    return done.returncode, result


CREATED = b'HTTP/1.1 201 Created\r\nContent-Length: 8\r\n\r\n{"id":1}'
INTERVAL_NS = 10_000_000


def take_all(client):
    while (request := read_request(client)) is not None:
        yield request
        client.sendall(CREATED)


def hold_up(client):
    """The first answer comes when four more messages are due."""
    for n, request in enumerate(take_all(client)):
        yield request
        while n == 0 and time.monotonic_ns() < int(request[1].split("~")[3]) + 5 * INTERVAL_NS:
            pass


def refuse(client):
    yield read_request(client)
    client.sendall(b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n")


def check_publish():
    """Pairs of a name and what is wrong, None."""
    status, seen = publish_to(take_all)
    tokens = [body.split("~")[1:] for _, body in seen[:-1]]
    in_order = [t[:2] for t in tokens] == [["1", str(n)] for n in range(TOKENS)]
    stamps = [int(t[2]) for t in tokens]
    good = (status == 0 and in_order and stamps == sorted(stamps) and seen[-1][1] == "[DONE]"
            and all(head.startswith("POST /pub HTTP/1.1\r\n") for head, _ in seen))
    yield "the publisher posts its tokens in order", None if good else f"status {status}, {seen}"
    status, seen = publish_to(hold_up)
    stamps = [int(body.split("~")[3]) for _, body in seen[:-1]]
    apart = [b - a for a, b in zip(stamps[1:4], stamps[2:5])]
    good = status == 0 and len(stamps) == TOKENS and apart == [INTERVAL_NS] * 3
    yield "a publisher that is held up stamps the time that was due", None if good else f"status {status}, {apart}"
    status, seen = publish_to(refuse)
    yield "a refused publisher says so", None if (status, len(seen)) == (1, 1) else f"status {status}, {seen}"


def checks():
    for name, make, piece, status, says in CASES:
        yield name, check_load([], [make], piece, status, says)
    for name, options, answers, status, says in WATCH_CASES:
        yield name, check_load(options, answers, 0, status, says)
        yield name + ", in pieces of five", check_load(options, answers, 5, status, says)
    yield from check_publish()


def main():
    bad = number = 0
    for number, (name, wrong) in enumerate(checks(), 1):
        bad += wrong is not None
        print(f"{'not ok' if wrong else 'ok'} {number} - {name}")
        if wrong:
            print(f"# {wrong}")
    print(f"1..{number}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
