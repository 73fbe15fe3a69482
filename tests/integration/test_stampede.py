"""A server that goes away under thousands of EventSources and comes back: they return spread over time, and all of them
are served."""

import asyncio
import math
import random
import signal
import statistics
import threading

import pytest

from load import Tool
from rig import SANITIZED, config_for

pytestmark = pytest.mark.alone

CLIENTS = 500 if SANITIZED else 10_000
BUSIEST = 0.08  # the most that may come within 100 ms; evenly spread over four seconds each has 0.025


def busiest(report):
    """The share of the clients that came back in the busiest 100 ms."""
    return max(report["came_back"]) / report["clients"]


def deciles(report):
    return statistics.quantiles(report["retries"], n=10)


def is_spread(report):
    """Between one and five seconds, evenly: each decile within five standard deviations of its place."""
    wanted = [1000 + 400 * n for n in range(1, 10)]
    off = 5 * 4000 * 0.5 / math.sqrt(report["clients"])
    within = all(1000 <= r <= 5000 for r in report["retries"])
    return within and all(abs(have - want) < off for have, want in zip(deciles(report), wanted))


def stampede(port, clients, path, publish, restart):
    """What the clients say, after the server was ended and started again."""
    herd = Tool("load/stampede", "--port", port, "--path", path, "--clients", clients)
    try:
        for event, then in (("open", publish), ("armed", restart), ("back", publish), ("served", None)):
            assert herd.line() == {"event": event}
            if then:
                then()
        report, status = herd.end(30)
    finally:
        herd.kill()
    assert status == 0 and report["failed"] == 0
    assert report["open"] == report["clients"] == sum(report["came_back"])
    return report


def test_all_come_back_to_a_server_that_was_killed_and_they_come_spread(rig):
    limits = {"connections": 2 * CLIENTS, "per_address": 2 * CLIENTS}
    config = config_for("http://127.0.0.1:9/v1", workers=2, limits=limits, log={"level": "warn"})
    p = rig.start(config)
    host, port = p.address
    number = 0

    def publish():
        nonlocal number
        number += 1
        assert p.post("/v1/channels/news", f"number {number}".encode(), {"Content-Type": "text/plain"}).status == 201

    def restart():
        nonlocal p
        p.signal(signal.SIGKILL)
        p.wait()
        rig.forget(p)
        p = rig.start({**config, "listen": [f"{host}:{port}"]})

    report = stampede(port, CLIENTS, "/v1/channels/news", publish, restart)
    assert report["lost"] == CLIENTS, "each is told that what it had seen is not known any more"
    assert is_spread(report), deciles(report)
    assert busiest(report) < BUSIEST, report["came_back"]
    assert p.is_alive()


# --- and does the herd notice? ----------------------------------------------------------------------

class StandIn:
    """A server of one URL that tells each client to come back after retry() ms."""

    def __init__(self, retry):
        self.retry = retry
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.writers, self.port, self.number = [], 0, 0
        self.start()

    def call(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(30)

    async def _client(self, reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        self.writers.append(writer)

    def start(self):
        async def listen():
            self.server = await asyncio.start_server(self._client, "127.0.0.1", self.port, backlog=1024)
        self.call(listen())
        self.port = self.server.sockets[0].getsockname()[1]

    def publish(self):
        async def send():
            self.number += 1
            for w in self.writers:
                w.write(b"id: %d\nretry: %d\ndata: x\n\n" % (self.number, self.retry()))
        self.call(send())

    def stop(self):
        async def end():
            self.server.close()
            for w in self.writers:
                w.close()
            self.writers.clear()
            await self.server.wait_closed()
        self.call(end())

    def restart(self):
        self.stop()
        self.start()

    def close(self):
        self.stop()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(5)
        self.loop.close()


@pytest.mark.parametrize("retry, good", [
    (lambda: random.randint(1000, 5000), True), (lambda: 1000, False), (lambda: random.randint(1000, 1300), False),
    (lambda: random.choice((1000, 5000)), False)], ids=["spread", "at once", "nearly at once", "in two waves"])
def test_the_herd_shows_a_server_that_does_not_spread_it(retry, good):
    server = StandIn(retry)
    try:
        report = stampede(server.port, 1000, "/", server.publish, server.restart)
    finally:
        server.close()
    assert is_spread(report) == good
    assert (busiest(report) < BUSIEST) == good
