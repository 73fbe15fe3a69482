"""The way of the bytes to a client's socket: clients that read slowly, or not at all, and then go on or leave."""

import random
import re
import signal
import socket
import ssl

import pytest

from chunks import check_blocks
from client import Cut, EventReader, fields
from rig import SANITIZED, bare_text, chat_body, content, parallel, wait_until
from test_leaves import wait_for_standstill
from upstream import DONE, FINISH, ROLE, answer, at_once, stall, token

WAYS = ("text", "events", "chat")
CLOSE = {"Connection": "close"}
SHORT = {"per_stream": "1MiB"}  # with a socket's buffer, less than a big stream


@pytest.fixture(scope="module")
def upstream(shared_rig):
    return shared_rig.upstream()


@pytest.fixture(scope="module")
def proxy(shared_rig, upstream):
    return shared_rig.proxy(upstream, streams=SHORT)


def some_texts(total, seed):
    """Tokens of all sizes, from a letter to several of the server's chunks."""
    rng = random.Random(seed)
    texts = []
    while total > 0:
        n = rng.choice((rng.randint(1, 8), rng.randint(1, 300), rng.randint(1, 5000), rng.randint(1, 60_000)))
        texts.append("".join(rng.choices("abc de\u00e4\u6f22\U0001f600\n", k=n)))
        total -= len(texts[-1].encode())
    return texts


BIG = some_texts(4_200_000, 1)
WHOLE = "START" + "".join(BIG)
BIG_ANSWER = answer("START", *BIG)
STALLED = [*map(token, BIG), stall]

# A unix socket's buffer is small: the same with less.
MEDIUM = some_texts(1_600_000, 2)
MEDIUM_WHOLE = "START" + "".join(MEDIUM)
MEDIUM_SCRIPT = [*map(token, MEDIUM), FINISH, DONE]


def ask(client, way, headers=(), version="1.1", stream=None):
    """Sends a request; nothing is read."""
    if stream:
        format = {"chat": "openai"}.get(way, way)
        return client.request("GET", f"/v1/streams/{stream}?format={format}", None, headers, version)
    if way == "chat":
        return client.request("POST", "/v1/chat/completions", chat_body(), headers, version)
    return client.request("GET", f"/ask?format={way}&model=m&q=why", None, headers, version)


def unchunked(raw):
    """The body, by the grammar of RFC 9112 and nothing beside it; and what stands behind it."""
    body, at = [], 0
    while True:
        size = re.compile(rb"([1-9a-fA-F][0-9a-fA-F]*|0)\r\n").match(raw, at)
        assert size, f"no chunk size at {at}: {raw[at:at + 40]!r}"
        n, at = int(size[1], 16), size.end()
        assert raw[at + n:at + n + 2] == b"\r\n", f"no line end at {at + n} of {len(raw)}, behind {n} bytes"
        if n == 0:
            return b"".join(body), raw[at + 2:]
        body.append(raw[at:at + n])
        at += n + 2


def text_in(way, body, stream_id, whole=True):
    """The text of a body, which must be a stream with its good end."""
    if way == "text":
        return body.decode("utf-8", "strict")
    reader = EventReader()
    events = reader.feed(body)
    assert reader.rest == b"", "something behind the last block"
    check_blocks(reader.blocks, stream_id, named=way == "events")
    if way == "events":
        assert events[-1].type == "done" and not any(e.type in ("failed", "lost") for e in events)
        return bare_text(events)
    assert [e.data == "[DONE]" for e in events] == [False] * (len(events) - 1) + [True]
    return content(events)


def take_all(client, way):
    """The text of the next response, which must be the last of its connection. Its framing is looked at strictly."""
    r = client.response()
    assert r.status == 200 and r.header("Transfer-Encoding") == "chunked"
    body, rest = unchunked(client.rest())
    assert rest == b"" and client.ended == "fin"
    return text_in(way, body, r.header("X-Stream-Id"))


def take_at_random(client, n, seed):
    """Some n bytes or more, in pieces of all sizes."""
    rng = random.Random(seed)
    got = []
    while n > 0:
        piece = client.sock.recv(rng.choice((1, 7, 100, 4096, 65536)))
        assert piece, "the end, too early"
        got.append(piece)
        n -= len(piece)
    client._inbox += b"".join(got)
    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)  # from here on it is a fast one


def stuck_clients(proxy, upstream, ways, headers=(), script=None, **more):
    """Clients that have read the first token, and then nothing, and their upstreams' connections: nothing moves any
    more, and much of each stream has still to come."""
    gates, pairs = [], []
    for way in ways:
        gates.append(upstream.gate())
        upstream.script = [ROLE, token("START"), gates[-1], *(script or [*map(token, BIG), FINISH, DONE])]
        client = proxy.client(receive_buffer=16384, timeout=20, **more)
        ask(client, way, headers)
        while b"START" not in client._inbox:
            assert client.receive()
        pairs.append((client, upstream.posts[-1].connection))
    for gate in gates:
        gate.open()
    wait_for_standstill([connection for _, connection in pairs])
    for client, _ in pairs:
        id = re.search(rb"X-Stream-Id: (\S+)", client._inbox)[1].decode()
        assert not proxy.logged("stream_end", stream=id), "the whole stream went into buffers"
    return pairs


def stuck_client(proxy, upstream, way, headers=(), script=None, **more):
    return stuck_clients(proxy, upstream, [way], headers, script, **more)[0]


# --- reading slowly ---------------------------------------------------------------------------------

@pytest.mark.parametrize("way", WAYS)
def test_a_client_that_stops_reading_and_goes_on_gets_every_byte(proxy, upstream, way):
    client, connection = stuck_client(proxy, upstream, way, CLOSE)
    take_at_random(client, 300_000, 3)
    wait_for_standstill([connection])
    take_at_random(client, 100_000, 4)
    assert take_all(client, way) == WHOLE


@pytest.mark.parametrize("way", WAYS)
def test_a_client_that_comes_late_and_reads_slowly_gets_every_byte(rig, upstream, way):
    p = rig.proxy(upstream, streams={"per_stream": "64MiB", "memory": "256MiB"})
    upstream.script = BIG_ANSWER
    first = p.chat()
    assert content(first.all_events()) == WHOLE
    with p.client(receive_buffer=16384, timeout=20) as client:
        ask(client, way, CLOSE, stream=first.header("X-Stream-Id"))
        take_at_random(client, 200_000, 5)
        assert take_all(client, way) == WHOLE


def test_streams_that_share_a_connection_come_whole_to_a_slow_client(proxy, upstream):
    texts = BIG[:len(BIG) // 2]
    upstream.script = answer(*texts)
    before = len(upstream.posts)
    ids = [proxy.post("/v1/streams", chat_body(stream=None)).json["id"] for _ in range(3)]
    client = proxy.client(receive_buffer=16384, timeout=20)
    client.request("GET", "/v1/events?streams=" + ",".join(ids), None, CLOSE)
    upstream.until(lambda: len(upstream.posts) == before + 3)
    wait_for_standstill([r.connection for r in upstream.posts[before:]])
    r = client.response()
    take_at_random(client, 100_000, 6)
    body, rest = unchunked(client.rest())
    assert r.status == 200 and rest == b""
    events = [e.json for e in EventReader().feed(body)]
    for id in ids:
        mine = [e for e in events if e["stream"] == id]
        assert "".join(e["data"] for e in mine if e["type"] == "text") == "".join(texts)
        assert [e["type"] for e in mine].count("done") == 1 and mine[-1]["type"] == "done"


def test_an_old_client_gets_every_byte_without_chunks(unix_proxy, upstream):
    upstream.script = answer("START", *MEDIUM)
    for way in WAYS:
        client = unix_proxy.client(receive_buffer=16384, timeout=20)
        ask(client, way, version="1.0")
        take_at_random(client, 200_000, 7)
        r = client.response()
        assert r.header("Transfer-Encoding") is None and r.header("Content-Length") is None
        assert text_in(way, client.rest(), r.header("X-Stream-Id")) == MEDIUM_WHOLE
        assert client.ended == "fin"


def test_an_old_client_costs_about_what_a_new_one_does(rig, upstream):
    p = rig.proxy(upstream, streams={"per_stream": "64MiB"})
    upstream.script = BIG_ANSWER
    used = []
    for version in ("1.1", "1.0"):
        before = p.cpu
        for way in WAYS:
            client = p.client(timeout=20)
            ask(client, way, CLOSE, version)
            assert len(client.rest()) > len(WHOLE)
        used.append(p.cpu - before)
    assert SANITIZED or used[1] < 4 * used[0] + 0.2, f"{used[0]} s for HTTP/1.1, {used[1]} s for HTTP/1.0"


@pytest.fixture(scope="module")
def tls_proxy(shared_rig, upstream, certificates):
    return shared_rig.proxy(upstream, streams=SHORT,
                            tls={"cert": certificates.server, "key": certificates.server_key})


@pytest.mark.parametrize("way", WAYS)
def test_a_slow_client_gets_every_byte_through_tls(tls_proxy, upstream, certificates, way):
    context = ssl.create_default_context(cafile=certificates.ca)
    client, _ = stuck_client(tls_proxy, upstream, way, CLOSE, tls=context)
    take_at_random(client, 200_000, 8)
    assert take_all(client, way) == WHOLE


@pytest.fixture(scope="module")
def unix_proxy(shared_rig, upstream, tmp_path_factory):
    return shared_rig.proxy(upstream, listen=[f"unix:{tmp_path_factory.mktemp('unix')}/s"],
                            streams={**SHORT, "heartbeat": "1s"})


@pytest.mark.parametrize("way", WAYS)
def test_a_slow_client_gets_every_byte_through_a_unix_socket(unix_proxy, upstream, way):
    client, _ = stuck_client(unix_proxy, upstream, way, CLOSE, MEDIUM_SCRIPT)
    take_at_random(client, 200_000, 9)
    assert take_all(client, way) == MEDIUM_WHOLE


# --- the same connection again ----------------------------------------------------------------------

def take_response(client, way):
    """The next response of several."""
    r = client.response()
    assert r.status == 200
    text = text_in(way, r.read(), r.header("X-Stream-Id"))
    assert r.complete
    return text


def test_a_connection_serves_the_next_request_after_a_stream(proxy, upstream):
    with proxy.client() as client:
        for turn in range(12):
            way = WAYS[turn % 3]
            gate = upstream.gate()
            texts = [f"{turn}:{i} " for i in range(50)]
            upstream.script = [ROLE, token("live "), gate, b"".join(map(token, texts)), FINISH, DONE]
            ask(client, way)
            r = client.response()
            start = next(r.pieces())
            gate.open()
            assert text_in(way, start + r.read(), r.header("X-Stream-Id")) == "live " + "".join(texts)
            client.request("GET", "/healthz")
            assert client.response().read()


def test_requests_that_are_sent_while_a_stream_runs_are_answered_behind_it(proxy, upstream):
    gate = upstream.gate()
    upstream.script = [ROLE, token("one "), gate, token("two"), FINISH, DONE]
    with proxy.client() as client:
        ask(client, "events")
        r = client.response()
        events = [r.next_event()]
        for way in ("chat", "text"):
            ask(client, way)
        client.request("GET", "/healthz")
        gate.open()
        events += r.all_events()
        assert bare_text(events) == "one two" and events[-1].type == "done"
        for way in ("chat", "text"):
            assert take_response(client, way) == "one two"
        assert client.response().status == 200


def test_requests_behind_a_stream_that_was_stuck_are_answered(unix_proxy, upstream):
    client, _ = stuck_client(unix_proxy, upstream, "chat", script=MEDIUM_SCRIPT)
    ask(client, "events")
    ask(client, "text", CLOSE)
    assert take_response(client, "chat") == MEDIUM_WHOLE
    assert take_response(client, "events") == MEDIUM_WHOLE
    assert take_all(client, "text") == MEDIUM_WHOLE


# --- leaving ----------------------------------------------------------------------------------------

@pytest.mark.parametrize("place", ["tcp", "unix"])
@pytest.mark.parametrize("how", ["reset", "close", "half_close"])
def test_a_client_that_leaves_while_it_is_stuck_is_gone_at_once(proxy, unix_proxy, upstream, how, place):
    p = proxy if place == "tcp" else unix_proxy
    headers = {"X-Sluice-Client-Leaves": "cancel"}
    files = p.open_files
    # close() reads first what is there, so that it is no reset, and the server may write again.
    for client, connection in stuck_clients(p, upstream, WAYS, headers, STALLED):
        getattr(client, how)()
        upstream.until(lambda c=connection: c.closed, "the upstream to be told", 1 if not SANITIZED else 5)
        client.sock.close()
    wait_until(lambda: p.metrics()["sluice_streams_live"] == 0, "all streams to end", 3)
    wait_until(lambda: p.open_files <= files + 2, "all files to be closed", 3)


def test_clients_that_get_stuck_and_leave_leave_nothing_behind(proxy, upstream):
    upstream.script = STALLED
    headers = {"X-Sluice-Client-Leaves": "cancel"}

    def come_and_go(number):
        client = proxy.client(receive_buffer=16384, timeout=20)
        ask(client, WAYS[number % 3], headers)
        take_at_random(client, 50_000 * (number % 4) + 1, number)
        (client.reset, client.sock.close)[number % 2]()

    parallel(6, come_and_go)
    wait_until(lambda: proxy.metrics()["sluice_streams_live"] == 0, "all streams to end", 5)
    files = proxy.open_files
    before = len(upstream.posts)
    parallel(40, come_and_go)
    wait_until(lambda: proxy.metrics()["sluice_streams_live"] == 0, "all streams to end", 10)
    upstream.until(lambda: all(r.connection.closed for r in upstream.posts[before:]), "the upstreams to be closed")
    wait_until(lambda: proxy.open_files <= files + 2, "all files to be closed", 3)


# --- many at once -----------------------------------------------------------------------------------

@pytest.mark.parametrize("way", ["events", "chat"])
def test_thousands_of_tokens_in_one_burst_are_each_an_event(proxy, upstream, way):
    n = 20_000
    gate = upstream.gate()
    texts = [f"{i} " for i in range(n)]
    upstream.script = [ROLE, token("start "), gate, b"".join(map(token, texts)), FINISH, DONE]
    client = proxy.client(timeout=20)
    ask(client, way, CLOSE)
    r = client.response()
    while b"start " not in client._inbox:
        assert client.receive()
    gate.open()
    body, rest = unchunked(client.rest())
    events = EventReader().feed(body)
    assert rest == b""
    tokens = [e for e in events if way == "events" and e.type == "message" or way == "chat" and content([e])]
    assert [e.data if way == "events" else content([e]) for e in tokens] == ["start ", *texts]
    assert [e.seq for e in tokens] == list(range(2, n + 3))


@pytest.mark.parametrize("way", WAYS)
def test_a_hundred_viewers_at_full_speed_get_all_of_it(rig, upstream, way):
    n = 100
    p = rig.proxy(upstream, workers=2, streams={"viewers": n, "per_stream": "16MiB"})
    gate = upstream.gate()
    texts = some_texts(300_000, 11)
    upstream.script = [ROLE, gate, *map(token, texts), FINISH, DONE]
    id = p.post("/v1/streams", chat_body(stream=None)).json["id"]
    clients = [ask(p.client(timeout=30), way, CLOSE, stream=id) for _ in range(n)]
    heads = [c.response() for c in clients]
    gate.open()
    bodies = {}
    for raw in parallel(n, lambda i: clients[i].rest()):
        body, rest = unchunked(raw)
        assert rest == b""
        body = re.sub(rb"retry: \d+\n", b"", body)
        bodies[body] = bodies.get(body, 0) + 1
    assert all(r.status == 200 for r in heads)
    for body in bodies:
        assert text_in(way, body, id) == "".join(texts)
    if way == "chat":
        assert bodies == {body: n}


# --- time -------------------------------------------------------------------------------------------

def beats(response, n):
    """Waits for n heartbeats of a clock."""
    data = b""
    for piece in response.pieces():
        data += piece
        n -= piece.count(b": hb\n")
        if n <= 0:
            return data
    raise AssertionError("the clock has ended")


def clock_of(proxy, upstream):
    """A stream that is silent from now on, but for a heartbeat a second."""
    upstream.script = [ROLE, token("tick"), stall]
    clock = proxy.chat(timeout=20)
    clock.read_until(b"tick")
    return clock


def test_stuck_clients_take_no_time(unix_proxy, upstream):
    clients = [c for c, _ in stuck_clients(unix_proxy, upstream, WAYS, script=STALLED)]
    clock = clock_of(unix_proxy, upstream)
    before = unix_proxy.cpu
    beats(clock, 3)
    used = unix_proxy.cpu - before
    assert SANITIZED or used < 0.3, f"{used} s of CPU in 3 s in which nothing happens"
    for c in clients:
        c.reset()


@pytest.mark.parametrize("way", ["events", "chat"])
def test_heartbeats_break_into_nothing_while_a_client_is_stuck_and_come_again_afterwards(unix_proxy, upstream, way):
    gate = upstream.gate()
    script = [*map(token, MEDIUM), token("LAST"), gate, FINISH, DONE]
    client, _ = stuck_client(unix_proxy, upstream, way, CLOSE, script)
    beats(clock_of(unix_proxy, upstream), 2)
    r = client.response()
    body = r.read_until(b"LAST") + beats(r, 2)
    gate.open()
    body += r.read()
    assert text_in(way, body, r.header("X-Stream-Id")) == MEDIUM_WHOLE + "LAST"
    for block in body.split(b"\n\n")[:-1]:
        names = [name for name, _ in fields(block + b"\n\n")]
        assert "" not in names or names.index("") == 0 and "" not in names[names.count(""):], "a comment inside"


@pytest.mark.parametrize("kept", [True, False])
def test_no_heartbeat_comes_behind_the_end(unix_proxy, upstream, kept):
    """Whichever part of the stream it is that does not fit into the socket: its end too."""
    clients = []
    for size in range(60_000, 300_000, 4000):
        upstream.script = at_once(answer(*["z" * 1000] * (size // 1000)))
        client = unix_proxy.client()
        if kept:
            done = unix_proxy.chat()
            done.read()
            ask(client, "events", CLOSE, stream=done.header("X-Stream-Id"))
        else:
            ended = len(unix_proxy.logged("stream_end"))
            ask(client, "events", CLOSE)
            unix_proxy.wait_log("stream_end", count=ended + 1)
        clients.append(client)
    beats(clock_of(unix_proxy, upstream), 2)
    for c in clients:
        assert take_all(c, "events").strip("z") == ""


@pytest.fixture
def impatient(rig, upstream):
    return rig.proxy(upstream, streams=SHORT, timeouts={"idle": "1s"})


def test_a_client_that_takes_nothing_for_too_long_is_cut(impatient, upstream):
    pairs = stuck_clients(impatient, upstream, WAYS, {"X-Sluice-Client-Leaves": "cancel"})
    upstream.until(lambda: all(c.closed for _, c in pairs), "the upstreams to be told", 10)
    wait_until(lambda: impatient.metrics()["sluice_viewers"] == 0, "the clients to be cut", 3)
    for client, _ in pairs:
        with pytest.raises(Cut):
            client.response().read()


def test_a_client_that_takes_little_at_a_time_is_not_cut(rig, unix_proxy, upstream):
    """Much less than what makes its socket writable again, and for longer than it may take nothing."""
    clock = clock_of(unix_proxy, upstream)
    p = rig.proxy(upstream, streams=SHORT, timeouts={"idle": "4s"})
    client, _ = stuck_client(p, upstream, "text", CLOSE)
    for turn in range(6):
        take_at_random(client, 30_000, turn)
        beats(clock, 1)
    assert take_all(client, "text") == WHOLE


# --- ends -------------------------------------------------------------------------------------------

def test_a_stop_while_a_client_is_stuck_ends_its_stream_properly(proxy, upstream):
    ways = ("events", "chat")
    for way, (client, connection) in zip(ways, stuck_clients(proxy, upstream, ways, CLOSE, STALLED)):
        r = client.response()
        stopped = proxy.post(f"/v1/streams/{r.header('X-Stream-Id')}/stop", b"")
        assert stopped.status == 200 and stopped.json["state"] == "stopped"
        upstream.until(lambda c=connection: c.closed, "the upstream to be told", 2)
        body, rest = unchunked(client.rest())
        text = text_in(way, body, r.header("X-Stream-Id"))
        assert rest == b"" and WHOLE.startswith(text) and len(text) > 1000
        assert (b'"stopped":true' if way == "events" else b'"finish_reason":"stop"') in body[-2000:]


def test_a_server_that_is_told_to_end_waits_for_a_stuck_client_no_longer_than_it_may(rig, upstream, tmp_path):
    p = rig.proxy(upstream, listen=[f"unix:{tmp_path}/s"], streams=SHORT, timeouts={"drain": "1s"})
    clients = [c for c, _ in stuck_clients(p, upstream, WAYS, script=MEDIUM_SCRIPT)]
    p.signal(signal.SIGTERM)
    assert p.wait() == 0
    for way, client in zip(WAYS, clients):
        r = client.response()
        with pytest.raises(Cut):
            r.read()
        assert way != "text" or client.ended


def test_a_stuck_client_that_goes_on_while_the_server_ends_gets_everything(rig, upstream, tmp_path):
    p = rig.proxy(upstream, listen=[f"unix:{tmp_path}/s"], streams=SHORT, timeouts={"drain": "60s"})
    clients = [c for c, _ in stuck_clients(p, upstream, WAYS, script=MEDIUM_SCRIPT)]
    p.signal(signal.SIGTERM)
    p.wait_log("draining")
    for way, client in zip(WAYS, clients):
        assert take_response(client, way) == MEDIUM_WHOLE
    for client in clients:
        client.sock.close()
    assert p.wait() == 0
