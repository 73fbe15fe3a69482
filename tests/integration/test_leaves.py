"""Clients that leave, and clients that do not read: the upstream is closed at once, or goes on as was asked for; and
nobody else notices."""

import json
import re
import socket
import threading
import time

import pytest

from client import Client, Cut
from outcome import ask
from rig import SANITIZED, bare_text, content, parallel, wait_until
from upstream import DONE, FINISH, ROLE, USAGE_FRAME, stall, token

TOGETHER = 20
WITHIN = 1.0


@pytest.fixture(scope="module")
def upstream(shared_rig):
    return shared_rig.upstream()


@pytest.fixture(scope="module")
def proxy(shared_rig, upstream):
    return shared_rig.proxy(upstream)


def drip(reply):
    """A token every now and then, for ever."""
    number = 0
    while True:
        reply.body(token(f"{number} "))
        number += 1
        reply.silent(0.05)


def half_answer(reply):
    reply.head(framing="length", length=1000, type="application/json")
    reply.body(b'{"choices":[')
    reply.stall()


# When the client leaves: what the upstream does until then, and what the client has seen.
MOMENTS = {
    "before-any-byte": ([lambda reply: reply.connection.wait(lambda: False)], ("chat", "text", "whole"), None),
    "before-the-first-token": ([ROLE, stall], ("chat", "text"), None),
    "between-tokens": ([ROLE, drip], ("chat", "text"), b"3 "),
    "while-the-upstream-is-silent": ([ROLE, *(token(f"{i} ") for i in range(4)), stall], ("chat", "text"), b"3 "),
    "in-the-middle-of-a-whole-answer": ([half_answer], ("whole",), None),
}
CASES = [(moment, way) for moment, (_, ways, _) in MOMENTS.items() for way in ways]


def begin(proxy, way, seen):
    """A client that has come so far."""
    client = proxy.client()
    if seen is None:
        method, target, body = {
            "chat": ("POST", "/v1/chat/completions", {"model": "m", "messages": [], "stream": True}),
            "whole": ("POST", "/v1/chat/completions", {"model": "m", "messages": []}),
            "text": ("POST", "/ask?model=m", b"why"),
        }[way]
        client.request(method, target, body)
    else:
        ask(proxy, way, client=client).read_until(seen)
    return client


LEAVE = {"fin": Client.close, "reset": Client.reset, "half-close": Client.half_close}


@pytest.mark.parametrize("moment, way", CASES)
@pytest.mark.parametrize("how", LEAVE)
def test_the_upstream_is_closed_when_the_client_leaves(proxy, upstream, how, moment, way):
    script, _, seen = MOMENTS[moment]
    upstream.script = script
    before = len(upstream.posts)
    cancelled = proxy.metrics()["sluice_streams_cancelled_total"]
    clients = parallel(TOGETHER, lambda i: begin(proxy, way, seen))
    upstream.until(lambda: len(upstream.posts) - before == TOGETHER)
    connections = [r.connection for r in upstream.posts[before:]]
    assert not any(c.closed for c in connections)
    left = time.monotonic()
    for c in clients:
        LEAVE[how](c)
    upstream.until(lambda: all(c.closed for c in connections), "all upstream connections to close", 5)
    assert max(c.closed_at for c in connections) - left <= WITHIN
    assert proxy.metrics()["sluice_streams_cancelled_total"] - cancelled == TOGETHER
    wait_until(lambda: proxy.metrics()["sluice_streams_live"] == 0, "all streams to end", 2)
    for c in clients:
        c.sock.close()


def test_a_client_that_pipelines_and_leaves_is_gone_too(proxy, upstream):
    upstream.script = [ROLE, token("3 "), stall]
    with proxy.client() as c:
        r = ask(proxy, "chat", client=c)
        r.read_until(b"3 ")
        c.request("GET", "/healthz")
    connection = upstream.posts[-1].connection
    upstream.until(lambda: connection.closed, "the upstream to be closed", WITHIN)


def test_an_event_source_may_come_back_so_its_stream_goes_on(proxy, upstream):
    gate = upstream.gate()
    upstream.script = [ROLE, token("a"), gate, token("b"), FINISH, DONE]
    r = ask(proxy, "events")
    first = r.next_event()
    cancelled = proxy.metrics()["sluice_streams_cancelled_total"]
    r.client.close()
    connection = upstream.posts[-1].connection
    proxy.wait_log("request", path="/ask", stream=r.header("X-Stream-Id"))
    with pytest.raises(AssertionError):
        upstream.until(lambda: connection.closed, timeout=1.5)
    gate.open()
    again = proxy.get("/ask?q=a&format=events", {"Last-Event-ID": first.id})
    assert bare_text(again.all_events()) == "b"
    assert proxy.metrics()["sluice_streams_cancelled_total"] == cancelled


def closed_after(upstream, connection, left, timeout=5):
    upstream.until(lambda: connection.closed, "the upstream to be closed", timeout)
    return connection.closed_at - left


@pytest.mark.parametrize("way, header", [("chat", "detach 1s"), ("text", "detach 1s"), ("whole", "detach 1000ms"),
                                         ("events", "detach 1s")])
def test_detach_waits_as_long_as_was_asked_for(proxy, upstream, way, header):
    upstream.script = [half_answer] if way == "whole" else [ROLE, token("3 "), stall]
    client = proxy.client()
    headers = {"X-Sluice-Client-Leaves": header}
    if way == "whole":
        before = len(upstream.posts)
        client.request("POST", "/v1/chat/completions", {"model": "m", "messages": []}, headers)
        upstream.until(lambda: len(upstream.posts) > before)
    else:
        ask(proxy, way, headers, client).read_until(b"3 ")
    left = time.monotonic()
    client.close()
    assert 0.9 <= closed_after(upstream, upstream.posts[-1].connection, left) <= 2


def test_whoever_comes_back_in_time_keeps_the_stream(proxy, upstream):
    gate = upstream.gate()
    upstream.script = [ROLE, token("a"), gate, token("b"), FINISH, DONE]
    r = ask(proxy, "chat", {"X-Sluice-Client-Leaves": "detach 1s"})
    r.next_event()
    seen = r.next_event()
    r.client.close()
    proxy.wait_log("request", stream=r.header("X-Stream-Id"))
    again = proxy.chat({"Last-Event-ID": seen.id})
    connection = upstream.posts[-1].connection
    with pytest.raises(AssertionError):
        upstream.until(lambda: connection.closed, timeout=1.5)
    gate.open()
    assert content(again.all_events()) == "b"


def test_cancel_can_be_asked_for_by_an_event_source(proxy, upstream):
    upstream.script = [ROLE, token("3 "), stall]
    r = ask(proxy, "events", {"X-Sluice-Client-Leaves": "cancel"})
    r.next_event()
    left = time.monotonic()
    r.client.close()
    assert closed_after(upstream, upstream.posts[-1].connection, left) <= WITHIN


@pytest.mark.parametrize("by", ["header", "configuration"])
def test_drain_reads_on_for_the_usage(rig, proxy, upstream, by):
    gate = upstream.gate()
    upstream.script = [ROLE, token("3 "), gate, *(token("x" * 1000) for _ in range(500)), FINISH, USAGE_FRAME, DONE]
    if by == "header":
        p, headers = proxy, {"X-Sluice-Client-Leaves": "drain"}
    else:
        p, headers = rig.proxy(upstream, streams={"when_client_leaves": "drain"}), {}
    r = ask(p, "chat", headers)
    r.read_until(b"3 ")
    r.client.close()
    p.wait_log("request", stream=r.header("X-Stream-Id"))
    gate.open()
    end = p.wait_log("stream_end", stream=r.header("X-Stream-Id"))
    assert (end["state"], end["prompt_tokens"], end["completion_tokens"]) == ("done", 11, 7)


def test_the_configuration_can_let_all_streams_detach(rig, upstream):
    p = rig.proxy(upstream, streams={"when_client_leaves": "detach 1s"})
    upstream.script = [ROLE, token("3 "), stall]
    r = ask(p, "chat")
    r.read_until(b"3 ")
    left = time.monotonic()
    r.client.close()
    assert 0.9 <= closed_after(upstream, upstream.posts[-1].connection, left) <= 2


@pytest.mark.parametrize("value", ["detach soon", "stay", "detach -1s", "detach 1", "cancel 5s",
                                   "detach 99999999999999999999s"])
def test_an_unknown_wish_is_refused(proxy, upstream, value):
    before = len(upstream.posts)
    r = proxy.chat({"X-Sluice-Client-Leaves": value})
    assert r.status == 400 and "X-Sluice-Client-Leaves" in r.error["message"]
    assert len(upstream.posts) == before


# --- clients that do not read -----------------------------------------------------------------------

LINES = [f"{i:07d} {'x' * 1000}\n" for i in range(24_000)]  # 24 MB as text


FLOOD = [b"".join(map(token, LINES[at:at + 50])) for at in range(0, len(LINES), 50)] + [FINISH + DONE]


def flood(request, reply):
    for frames in FLOOD:
        reply.body(frames)


def stamped(reply):
    """Tokens that say when they were sent."""
    for _ in range(100):
        reply.body(token(f"{time.monotonic()} "))
        reply.silent(0.02)


def play_by_prompt(request, reply):
    if b"flood" in request.body:
        flood(request, reply)
    else:
        for step in (ROLE, stamped, FINISH, DONE):
            reply.play(step)


def begin_to_read_nothing(proxy, way="text"):
    client = proxy.client(receive_buffer=65536, timeout=60)
    if way == "text":
        return client.request("POST", "/ask?model=m", b"flood")
    return client.request("POST", "/v1/chat/completions", {
        "model": "m", "stream": True, "messages": [{"role": "user", "content": "flood"}]})


def wait_for_standstill(connections):
    """Until nothing more has been taken from the upstreams for half a second."""
    last, since = None, time.monotonic()

    def is_still():
        nonlocal last, since
        now = [c.sent for c in connections]
        if now != last:
            last, since = now, time.monotonic()
        return time.monotonic() - since > 0.5
    wait_until(is_still, "the upstreams to be paused", 30)


def latencies(proxy):
    """Of the tokens of one stream, in seconds."""
    r = proxy.chat()
    assert r.status == 200
    result = []
    for e in r.events():
        if e.data != "[DONE]" and (text := content([e])):
            result.append(e.at - float(text))
    return result


def test_a_client_that_reads_nothing_pauses_its_upstream_and_gets_everything_later(rig):
    upstream = rig.upstream(play_by_prompt)
    p = rig.proxy(upstream, timeouts={"between_tokens": "1s"})
    p.chat().read()  # what the first request takes is no growth
    before = p.rss
    clients = [begin_to_read_nothing(p, way) for way in ("text", "chat")]
    upstream.until(lambda: len(upstream.posts) == 3)
    connections = [r.connection for r in upstream.posts[1:]]
    wait_for_standstill(connections)
    assert max(c.sent for c in connections) < 20 << 20, "more was taken than buffers may hold"
    grown = p.rss - before
    assert SANITIZED or grown < 2 * (3 << 20) + (4 << 20), f"{grown >> 10} KiB for two streams"
    seen = parallel(4, lambda i: latencies(p))
    assert max(map(max, seen)) < 0.3
    # The pause lasts longer than an upstream may be silent, and is not its fault.
    wait_for_standstill(connections)
    text = clients[0].response("POST").read().decode()
    assert text.rstrip("\n") == "".join(LINES).rstrip("\n")
    r = clients[1].response("POST")
    data = re.findall(rb"^data: (.*)$", r.read(), re.M)
    assert "".join(json.loads(d)["choices"][0]["delta"].get("content", "") for d in data[:-1]) == "".join(LINES)
    assert data[-1] == b"[DONE]"


@pytest.mark.parametrize("way", ["text", "chat"])
def test_a_client_that_takes_nothing_is_cut_after_the_idle_time(rig, way):
    upstream = rig.upstream(play_by_prompt)
    p = rig.proxy(upstream, timeouts={"idle": "1s"})
    files = p.open_files
    began = time.monotonic()
    client = begin_to_read_nothing(p, way)
    upstream.until(lambda: len(upstream.posts) == 1)
    connection = upstream.posts[0].connection
    upstream.until(lambda: connection.closed)  # nobody is left to generate for
    assert 1 <= time.monotonic() - began < 8
    wait_until(lambda: p.open_files <= files + 2, "the client's connection to be closed")
    with pytest.raises((Cut, OSError)):
        client.response("POST").read()


def test_a_slow_client_that_takes_something_now_and_then_is_not_cut(rig):
    upstream = rig.upstream(play_by_prompt)
    p = rig.proxy(upstream, timeouts={"idle": "1s"})
    client = begin_to_read_nothing(p)
    client.sock.setblocking(True)
    taken, ended = 0, time.monotonic() + 4
    while time.monotonic() < ended:
        taken += len(client.sock.recv(200_000, socket.MSG_WAITALL))
        time.sleep(0.3)  # its pace is what is tested
    client.sock.settimeout(20)
    while more := client.sock.recv(1 << 20):
        taken += len(more)
        if taken > 24_000_000:
            break
    assert taken > 24_000_000


def test_many_clients_that_read_nothing_take_little_memory(rig):
    upstream = rig.upstream(play_by_prompt)
    p = rig.proxy(upstream, streams={"per_stream": "256KiB"})
    p.chat().read()
    alone = parallel(2, lambda i: latencies(p))
    before, files = p.rss, p.open_files
    n = 30
    clients = [begin_to_read_nothing(p) for _ in range(n)]
    upstream.until(lambda: len(upstream.posts) == n + 3)
    connections = [r.connection for r in upstream.posts[3:]]
    wait_for_standstill(connections)
    grown = p.rss - before
    assert SANITIZED or grown < n * (512 << 10) + (8 << 20), f"{grown >> 10} KiB for {n} streams"
    beside = parallel(2, lambda i: latencies(p))
    assert median(beside) < max(2 * median(alone), 0.02)
    for c in clients:
        c.reset()
    upstream.until(lambda: all(c.closed for c in connections), "the upstreams to be closed", 2)
    # Connections to the upstream that are kept for the next request are among them.
    wait_until(lambda: p.open_files <= files + n // 2, "all files to be closed")


def median(lists):
    values = sorted(sum(lists, []))
    return values[len(values) // 2]


@pytest.mark.parametrize("format", ["events", "openai", "text"])
def test_a_slow_viewer_gets_everything_and_holds_up_nobody(rig, format):
    texts = [f"{i:06d} {'y' * 100}\n" for i in range(2000)]
    gate_holder = rig.upstream()
    gate = gate_holder.gate()
    gate_holder.script = [ROLE, token("start\n"), gate, *map(token, texts), FINISH, DONE]
    p = rig.proxy(gate_holder)
    r = ask(p, "events")
    start = r.next_event()
    target = "/ask?q=a&format=events"
    fast = [p.get(target, {"Last-Event-ID": start.id}) for _ in range(2)]
    slow = p.client(receive_buffer=65536, timeout=30)
    slow.request("GET", f"/v1/streams/{r.header('X-Stream-Id')}?format={format}", None, {"Last-Event-ID": start.id})
    wait_until(lambda: p.metrics()["sluice_viewers"] == 4, "all to watch")
    gate.open()
    began = time.monotonic()
    for viewer in (r, *fast):
        assert bare_text(viewer.all_events()) == "".join(texts)
    assert time.monotonic() - began < 5
    late = slow.response()
    got = {"events": lambda: bare_text(late.all_events()), "openai": lambda: content(late.all_events()),
           "text": lambda: late.read().decode()}[format]()
    assert got == "".join(texts)
    assert len(gate_holder.posts) == 1


def test_clients_that_come_and_go_leave_nothing_behind(proxy, upstream):
    upstream.script = [ROLE, drip]
    parallel(10, lambda i: ask(proxy, "chat").client.reset())
    wait_until(lambda: proxy.metrics()["sluice_streams_live"] == 0, "all streams to end", 3)
    files = proxy.open_files
    stop = threading.Event()

    def come_and_go(number):
        for turn in range(10):
            if stop.is_set():
                return
            r = ask(proxy, ("chat", "text")[turn % 2])
            r.read_until(b"2 ")
            r.client.reset() if (number + turn) % 2 else r.client.close()

    try:
        parallel(10, come_and_go)
    finally:
        stop.set()
    wait_until(lambda: proxy.metrics()["sluice_streams_live"] == 0, "all streams to end")
    wait_until(lambda: not [c for c in upstream.open_connections if c.requests], "the upstreams to be closed")
    wait_until(lambda: proxy.open_files <= files + 2, "all files to be closed")
    assert proxy.is_alive()
