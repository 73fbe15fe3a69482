"""Many viewers of one stream, and many streams, most of which nobody reads: memory stays bounded, and those who read
notice nothing."""

import re
import selectors
import time

import pytest

from load import FastUpstream, Tool
from rig import SANITIZED, wait_until

pytestmark = pytest.mark.alone

IDLE, READERS = 100, 50
# 2 MiB of text, 4 MiB of frames.
SIZE, RATE = 180, 4000
TOKENS = 2_000 if SANITIZED else 10_000
STAMP = re.compile(rb"~(\d+)~(\d+)~(\d+)~")
MIB = 1 << 20
LIMITS = {"connections": 1000, "per_address": 1000}


@pytest.fixture
def fast_upstream():
    u = FastUpstream()
    yield u
    u.kill()


def p99(values):
    return sorted(values)[len(values) * 99 // 100]


class Reader:
    """Reads a whole response; how long the tokens were under way."""

    def __init__(self, client):
        self.client = client
        self.data = bytearray()
        self.late = []

    def take(self):
        """False: the end has come."""
        piece = self.client.sock.recv(1 << 18)
        self.data += piece
        if stamps := STAMP.findall(piece):
            self.late.append((time.monotonic_ns() - int(stamps[-1][2])) / 1e9)
        return piece and not self.data.endswith(b"\r\n0\r\n\r\n")

    @property
    def text(self):
        """The body, out of its chunks."""
        at, text = self.data.index(b"\r\n\r\n") + 4, []
        while at < len(self.data):
            start = self.data.index(b"\r\n", at) + 2
            n = int(self.data[at:start], 16)
            text.append(self.data[start:start + n])
            at = start + n + 2
        return b"".join(text)

    @property
    def tokens(self):
        return [(int(stream), int(seq)) for stream, seq, _ in STAMP.findall(self.text)]


def read_all(readers):
    """All at once, each as soon as there is something."""
    with selectors.DefaultSelector() as ready:
        for r in readers:
            ready.register(r.client.sock, selectors.EVENT_READ, r)
        while ready.get_map():
            events = ready.select(20)
            assert events, "nothing came for 20 s"
            for key, _ in events:
                if not key.data.take():
                    ready.unregister(key.fileobj)


def wait_until_still(p):
    """Until no entry has come for half a second."""
    last, since = None, time.monotonic()

    def is_still():
        nonlocal last, since
        now = p.metrics()["sluice_entries_total"]
        if now != last:
            last, since = now, time.monotonic()
        return time.monotonic() - since > 0.5

    wait_until(is_still, "the upstreams to be paused", 30)


def begin(p, number, delay=2000):
    """A stream without viewers, whose upstream is silent for so many ms at first."""
    model = f"bench:rate={RATE},tokens={TOKENS},size={SIZE},stream={number},delay={delay}"
    r = p.post("/v1/streams", {"model": model, "messages": [{"role": "user", "content": "why"}]})
    assert r.status == 201
    return r.json["id"]


def watch(p, id, format, **more):
    return p.client(timeout=30, **more).request("GET", f"/v1/streams/{id}?format={format}")


def viewers_of(p):
    return p.metrics()["sluice_viewers"]


def play(p, number, idle):
    """One stream with readers, and with as many viewers that read nothing: how late its tokens were, and the latter."""
    id = begin(p, number)
    before = viewers_of(p)
    formats = ("events", "openai", "text")
    silent = [watch(p, id, formats[n % 3], receive_buffer=4096) for n in range(idle)]
    readers = [Reader(watch(p, id, "text")) for _ in range(READERS)]
    wait_until(lambda: viewers_of(p) == before + idle + READERS, "all to watch")
    read_all(readers)
    for r in readers:
        assert r.tokens == [(number, n) for n in range(TOKENS)]
        r.client.close()
    return [late for r in readers for late in r.late], silent


def check_late_reader(r):
    """One that has read nothing while the stream ran lost its place; that it did is told, and in `events`, which has a
    word for it, the rest follows."""
    tokens = [seq for _, seq in r.tokens]
    holes = sum(b != a + 1 for a, b in zip([-1, *tokens], tokens))
    if b"event: done" in r.text:
        assert tokens[-1] == TOKENS - 1 and holes == r.text.count(b"event: lost")
    elif tokens != list(range(TOKENS)):
        assert holes == 0 and b"position_lost" in r.text[-300:]


def test_a_hundred_viewers_that_read_nothing_hold_up_no_reader_of_the_same_stream(rig, fast_upstream):
    p = rig.proxy(fast_upstream, workers=2, limits=LIMITS, log={"level": "warn"},
                  streams={"viewers": IDLE + READERS + 1})
    alone, _ = play(p, 1, 0)  # what the first one takes is no growth either
    before = p.rss - p.metrics()["sluice_log_bytes"]
    beside, silent = play(p, 2, IDLE)
    grown = p.rss - p.metrics()["sluice_log_bytes"] - before
    assert SANITIZED or grown < IDLE * 0.4 * MIB + 32 * MIB, f"{grown / MIB:.1f} MiB for {IDLE} that do not read"
    assert SANITIZED or p99(beside) < max(2 * p99(alone), 0.5), (p99(alone), p99(beside))
    late = [Reader(client) for client in silent]
    read_all(late)
    for r in late:
        check_late_reader(r)
        r.client.close()
    assert fast_upstream.counts()["requests"] == 2


def test_a_hundred_streams_that_nobody_reads_take_little_memory_and_hold_up_no_other(rig, fast_upstream):
    p = rig.proxy(fast_upstream, workers=2, limits=LIMITS, log={"level": "warn"}, streams={"per_stream": "256KiB"})

    def readers():
        """Fifty others: the 99th percentile of their tokens' latency, in seconds."""
        load = Tool("bench/load", "--port", p.address[1], "--streams", READERS, "--rate", 50,
                    "--tokens", 150, "--settle", "0.5", "--window", 2)
        try:
            report, status = load.end(60)
        finally:
            load.kill()
        assert status == 0, report["first_failure"]
        return report["latency_us"]["p99"] / 1e6

    readers()
    alone, before = readers(), p.rss
    silent = []
    for n in range(IDLE):
        body = {"model": f"bench:rate=0,tokens={TOKENS},size={SIZE},stream={1000 + n}", "stream": True, "messages": []}
        silent.append(p.client(receive_buffer=4096, timeout=60).request("POST", "/v1/chat/completions", body))
    wait_until_still(p)
    beside = readers()
    grown = p.rss - before
    assert SANITIZED or grown < IDLE * (0.4 + 0.25) * MIB + 32 * MIB, f"{grown / MIB:.1f} MiB for {IDLE}"
    assert SANITIZED or beside < max(2 * alone, 0.5), (alone, beside)
    late = [Reader(client) for client in silent[::10]]
    read_all(late)
    for r in late:  # a single viewer loses nothing, however late it reads
        assert [seq for _, seq in r.tokens] == list(range(TOKENS))
    for client in silent:
        client.close()
    wait_until(lambda: p.metrics()["sluice_streams_live"] == 0, "all streams to end")
