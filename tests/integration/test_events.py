"""GET /v1/events: several streams on one connection, and coming back to all of them at once."""

import json
import random
import signal
import threading
import time

import pytest

from client import fields
from rig import chat_body, parallel, wait_until
from upstream import DONE, FINISH, ROLE, USAGE, answer, chunk, frame, stall, status, token

LEAVES = "X-Sluice-Client-Leaves"
NO_STREAM = "A" * 22


@pytest.fixture(scope="module")
def upstream(shared_rig):
    """Plays the script whose name is the request's model."""
    u = shared_rig.upstream()
    u.scripts = {}

    def script(request, reply):
        steps = u.scripts[request.json["model"]]
        if callable(steps):
            steps(request, reply)
            return
        for step in steps:
            reply.play(step)

    u.script = script
    return u


@pytest.fixture(scope="module")
def proxy(shared_rig, upstream):
    return shared_rig.proxy(upstream, workers=3)


@pytest.fixture
def begun(upstream, request):
    """Begins a stream that plays this script: its id."""
    def start(proxy, script, headers=()):
        name = f"{request.node.name[:40]}-{len(upstream.scripts)}"
        upstream.scripts[name] = script
        r = proxy.post("/v1/streams", chat_body(model=name), headers)
        assert r.status == 201, r.read()
        return r.json["id"]
    return start


def watch(proxy, ids, position=None, query="", **more):
    headers = {"Last-Event-ID": position} if position else {}
    return proxy.get(f"/v1/events?streams={','.join(ids)}{query}", headers, **more)


def state(proxy, id):
    return proxy.get(f"/v1/streams/{id}?format=json").json["state"]


def until_ended(proxy, *ids):
    for id in ids:
        wait_until(lambda: state(proxy, id) not in ("waiting", "running"), f"the end of {id}")


def positions(event_id):
    return {p.rpartition(".")[0]: int(p.rpartition(".")[2]) for p in event_id.split(",")}


def of_stream(events, id, type=None):
    return [e.json for e in events if e.json["stream"] == id and type in (None, e.json["type"])]


def text_of(events, id):
    return "".join(m["data"] for m in of_stream(events, id, "text"))


def check(response, events, ids):
    """Each event is an envelope; its id has the position of each stream, in the order of the list, and none goes back."""
    last = {}
    for block in response.sse.blocks:
        names = [n for n, _ in fields(block)]
        assert set(names) <= {"", "id", "retry", "data"} and names.count("data") == 1, block
    for e in events:
        assert e.type == "message" and set(e.json) == {"stream", "type", "data"} and e.json["stream"] in ids
        if b"\nid: " not in b"\n" + e.raw:
            continue
        at = positions(e.id)
        assert list(at) == list(ids)
        assert all(at[id] >= last.get(id, 0) for id in ids)
        last = at


# --- what it says -----------------------------------------------------------------------------------

def tool(id=None, name=None, arguments=""):
    call = {"index": 0, "function": {"arguments": arguments}}
    if id:
        call.update(id=id, type="function")
        call["function"]["name"] = name
    return frame(chunk({"tool_calls": [call]}))


ALL_KINDS = [ROLE, frame(chunk({"reasoning_content": 'h"m\n'})), token("a\r\n\u2028"), token('"\\ü\U0001f680\x00'),
             frame(chunk({"reasoning_content": "x", "content": "y"})),
             tool("c1", "look"), tool(arguments='{"q"'), tool(arguments=":1}"),
             *answer("z", usage=True)[1:]]
SAID = [("reasoning", 'h"m\n'), ("text", "a\r\n\u2028"), ("text", '"\\ü\U0001f680\x00'), ("reasoning", "x"), ("text", "y"),
        ("tool_call", {"index": 0, "id": "c1", "name": "look", "arguments": ""}),
        ("tool_call", {"index": 0, "arguments": '{"q"'}), ("tool_call", {"index": 0, "arguments": ":1}"}),
        ("text", "z"), ("usage", USAGE), ("done", {"finish_reason": "stop", "usage": USAGE})]


def test_every_kind_of_event_has_its_envelope(proxy, upstream, begun):
    gate = upstream.gate()
    ids = [begun(proxy, [gate, *ALL_KINDS]) for _ in range(3)]
    r = watch(proxy, ids)
    assert r.status == 200 and r.header("Content-Type") == "text/event-stream"
    assert r.header("Cache-Control") == "no-cache, no-store, no-transform" and r.header("X-Accel-Buffering") == "no"
    gate.open()
    events = r.all_events()
    assert r.complete
    check(r, events, ids)
    for id in ids:
        assert [(m["type"], m["data"]) for m in of_stream(events, id)] == SAID
    assert positions(events[-1].id) == {id: 12 for id in ids}
    retries = [b for b in r.sse.blocks if b"retry: " in b]
    assert retries == r.sse.blocks[:1]
    # Who comes when all is over gets the same, texts that follow each other as one.
    late = watch(proxy, ids)
    events = late.all_events()
    check(late, events, ids)
    for id in ids:
        assert text_of(events, id) == "".join(t for k, t in SAID if k == "text")
        assert of_stream(events, id)[-1]["data"] == SAID[-1][1]
        assert len(of_stream(events, id)) == len(SAID) - 1  # two texts that stand side by side


def test_a_stream_that_fails_or_is_stopped_says_so_and_the_others_go_on(proxy, upstream, begun):
    gate, more = upstream.gate(), upstream.gate()
    failing = begun(proxy, [gate, ROLE, token("half"), lambda reply: reply.reset()])
    refused = begun(proxy, status(400, b'{"error":{"message":"no","type":"invalid_request_error","code":"bad"}}'))
    stopped = begun(proxy, [gate, ROLE, token("s"), stall])
    good = begun(proxy, [gate, ROLE, token("a"), more, token("b"), FINISH, DONE])
    ids = [failing, refused, stopped, good]
    r = watch(proxy, ids)
    gate.open()
    seen = []
    while {m["type"] for m in of_stream(seen, failing)} < {"text", "failed"} or not of_stream(seen, stopped, "text"):
        seen.append(r.next_event())
    assert proxy.open("DELETE", f"/v1/streams/{stopped}").json["state"] == "stopped"
    while not of_stream(seen, stopped, "done"):
        seen.append(r.next_event())
    more.open()
    seen += r.all_events()
    check(r, seen, ids)
    [failed] = of_stream(seen, failing, "failed")
    assert failed["data"]["error"]["code"] == "upstream_incomplete" and failed["data"]["partial"] is True
    [failed] = of_stream(seen, refused, "failed")
    assert failed["data"]["error"]["code"] == "bad" and failed["data"]["partial"] is False
    assert of_stream(seen, stopped, "done")[0]["data"]["stopped"] is True
    assert text_of(seen, good) == "ab" and seen[-1].json["type"] == "done"
    assert watch(proxy, ids, seen[-1].id).status == 204


def test_one_stream_alone_and_thirty_two(proxy, upstream, begun):
    ids = [begun(proxy, answer(f"n{i} ", "x")) for i in range(32)]
    for some in (ids[:1], ids):
        r = watch(proxy, some)
        events = r.all_events()
        check(r, events, some)
        assert [text_of(events, id) for id in some] == [f"n{i} x" for i in range(len(some))]
        assert r.complete and watch(proxy, some, events[-1].id).status == 204


def test_a_stream_that_joins_later_begins_at_its_start(proxy, upstream, begun):
    gate = upstream.gate()
    one = begun(proxy, [ROLE, token("a"), gate, token("b"), FINISH, DONE])
    r = watch(proxy, [one])
    position = r.next_event().id
    r.client.close()
    two = begun(proxy, answer("c", "d"))
    until_ended(proxy, two)
    r = watch(proxy, [one, two], query=f"&last_event_id={position},{two}.0")
    gate.open()
    events = r.all_events()
    check(r, events, [one, two])
    assert text_of(events, one) == "b" and text_of(events, two) == "cd"


def test_events_of_all_come_as_they_are_made(proxy, upstream, begun):
    gates = [[upstream.gate() for _ in range(5)] for _ in range(4)]
    ids = [begun(proxy, [ROLE, *(s for i, g in enumerate(own) for s in (g, token(f"{i}"))), FINISH, DONE]) for own in gates]
    r = watch(proxy, ids)
    for i in range(5):
        for k in (2, 0, 3, 1):
            gates[k][i].open()
            if i < 4:
                assert r.next_event().json == {"stream": ids[k], "type": "text", "data": f"{i}"}
    rest = r.all_events()
    assert sorted(m.json["type"] for m in rest) == ["done"] * 4 + ["text"] * 4


# --- coming back ------------------------------------------------------------------------------------

def test_after_hundreds_of_cuts_nothing_is_lost_and_nothing_comes_twice(proxy, upstream, begun):
    lengths = [20, 150, 150, 150, 150, 80]

    def play(n):
        def script(request, reply):
            for f in answer(*(f"{i} " for i in range(n)), usage=True):
                reply.body(f)
                reply.silent(0.012)
        return script

    ids = [begun(proxy, play(n)) for n in lengths]

    def view(seed):
        rng = random.Random(seed)
        got, position, cuts = [], None, 0
        while True:
            r = watch(proxy, ids, position)
            if r.status == 204:
                return got, cuts
            assert r.status == 200, r.read()
            here = []
            try:
                for _ in range(rng.randint(1, 14)):
                    here.append(r.next_event())
            except StopIteration:
                pass
            check(r, here, ids)
            r.client.reset() if rng.random() < 0.5 else r.client.close()
            position = here[-1].id or position
            # An event without an id of its own belongs to what comes with the next one: there is none here.
            assert all(b"id: " in e.raw for e in here)
            got += here
            cuts += 1

    seen = parallel(6, view)
    assert sum(cuts for _, cuts in seen) > 200
    for got, _ in seen:
        for id, n in zip(ids, lengths):
            assert text_of(got, id) == "".join(f"{i} " for i in range(n))
            assert [m["type"] for m in of_stream(got, id) if m["type"] != "text"] == ["usage", "done"]


def test_each_position_of_an_old_connection_gives_exactly_the_rest(proxy, upstream, begun):
    gate = upstream.gate()
    ids = [begun(proxy, [gate, *answer(*"abcd", usage=True)]) for _ in range(3)]
    r = watch(proxy, ids)
    gate.open()
    events = r.all_events()
    for i, e in enumerate(events[:-1]):
        again = watch(proxy, ids, e.id).all_events() if i % 2 else watch(
            proxy, ids, query=f"&last_event_id={e.id}").all_events()
        for id in ids:
            assert text_of(again, id) == text_of(events[i + 1:], id)
            if positions(e.id)[id]:  # from the start texts come as one
                assert of_stream(again, id) == of_stream(events[i + 1:], id)
    # In another order of the list they mean the same.
    turned = watch(proxy, ids[::-1], events[5].id).all_events()
    assert all(text_of(turned, id) == text_of(events[6:], id) for id in ids)


# --- what is not there ------------------------------------------------------------------------------

def test_an_unknown_stream_among_known_ones_is_told_and_holds_up_nobody(proxy, upstream, begun):
    gate = upstream.gate()
    known = begun(proxy, [ROLE, token("a"), gate, token("b"), FINISH, DONE])
    for ids in ([NO_STREAM, known], [known, NO_STREAM]):
        r = watch(proxy, ids)
        assert r.status == 200
        first = [r.next_event(), r.next_event()]
        [failed] = of_stream(first, NO_STREAM)
        assert failed["type"] == "failed" and failed["data"]["error"]["code"] == "stream_not_found"
        assert failed["data"]["partial"] is False and text_of(first, known) == "a"
        if ids[0] == known:
            gate.open()
            rest = r.all_events()
            assert text_of(rest, known) == "b" and not of_stream(rest, NO_STREAM) and r.complete
            assert watch(proxy, ids, rest[-1].id).status == 204
        else:
            r.client.close()


def test_when_none_is_known_it_is_404(proxy):
    r = watch(proxy, [NO_STREAM, "B" * 22])
    assert r.status == 404 and r.error["code"] == "stream_not_found"
    assert proxy.get(f"/v1/streams/{NO_STREAM}?format=json").read() == watch(proxy, [NO_STREAM]).read()


@pytest.fixture(scope="module")
def ended(proxy, upstream):
    """Two streams that have ended, at entry 4."""
    upstream.scripts["ended"] = answer("a")
    ids = [proxy.post("/v1/streams", chat_body(model="ended")).json["id"] for _ in range(2)]
    until_ended(proxy, *ids)
    return ids


@pytest.mark.parametrize("position", [
    "{a}.2," + NO_STREAM + ".1", NO_STREAM + ".1", "{a}.5", "{a}.1,{b}.99", "{a}.18446744073709551615",
    "{a}.99999999999999999999", "x", "{a}", "{a}.", "{a}.-1", "{a}.1;{b}.1", "{a}.1, {b}.1", ",{a}.1", "{a}.1,,{b}.1", "{a}.+1",
    "{a}.1.1", ","])
@pytest.mark.parametrize("by", ["header", "query"])
def test_a_position_that_is_none_is_refused(proxy, ended, position, by):
    position = position.replace("{a}", ended[0]).replace("{b}", ended[1])
    if by == "header":
        r = watch(proxy, ended, position)
    else:
        r = watch(proxy, ended, query="&last_event_id=" + position.replace("+", "%2B").replace(" ", "%20"))
    assert r.status == 400 and r.error["message"]


@pytest.mark.parametrize("streams", ["", "?streams=", "?streams=x", "?streams={a},{a}", "?streams={a},,{b}", "?streams=,{a}",
                                     "?streams={a}%2C%2C", "?streams={a}.1", "?streams={33}", "?streams={a},{b}%20"])
def test_a_list_that_is_none_is_refused(proxy, ended, streams):
    many = ",".join(f"{i:022}" for i in range(33))
    r = proxy.get("/v1/events" + streams.replace("{a}", ended[0]).replace("{b}", ended[1]).replace("{33}", many))
    assert r.status == 400 and r.error["message"]


def test_other_methods_and_pages_of_other_sites_are_refused(proxy, ended):
    assert proxy.post(f"/v1/events?streams={ended[0]}", {}).status == 405
    assert proxy.get(f"/v1/events?streams={ended[0]}", {"Origin": "https://elsewhere.example"}).status == 403


def test_what_was_evicted_is_told_of_its_stream_alone(rig, upstream, begun):
    p = rig.proxy(upstream, streams={"per_stream": "8KiB"})
    n = 300
    start = upstream.gate()
    long = begun(p, [start, *answer(*(f"{i:04} " for i in range(n)))])
    short = begun(p, answer("a"))
    live = watch(p, [long, short])
    start.open()
    whole = live.all_events()
    assert text_of(whole, long) == "".join(f"{i:04} " for i in range(n))
    for position in (f"{long}.2,{short}.1", f"{short}.1,{long}.1", None):
        r = watch(p, [long, short], position)
        events = r.all_events()
        check(r, events, [long, short])
        mine = of_stream(events, long)
        assert mine[0]["type"] == "lost" and mine[-1]["type"] == "done"
        stream, _, first = mine[0]["data"]["first_id"].rpartition(".")
        assert stream == long and 3 < int(first) <= n
        assert text_of(events, long) == "".join(f"{i:04} " for i in range(int(first) - 2, n))
        assert [m["type"] for m in of_stream(events, short)] == ["text", "done"]


# --- waiting, leaving, reading slowly ---------------------------------------------------------------

def test_heartbeats_fill_the_silence(rig, upstream, begun):
    p = rig.proxy(upstream, streams={"heartbeat": "1s"})
    gate = upstream.gate()
    ids = [begun(p, [ROLE, gate, *answer("a")[1:]]) for _ in range(2)]
    r = watch(p, ids)
    raw = b""
    for piece in r.pieces():
        raw += piece
        if raw.count(b": hb\n") == 2:
            gate.open()
    assert raw.startswith(b": hb\n: hb\nretry: ")
    assert raw.count(b'"type":"done"') == 2


def viewers(proxy, id):
    return next(s["viewers"] for s in proxy.get("/v1/streams?limit=1000").json["data"] if s["id"] == id)


@pytest.mark.parametrize("leave", ["close", "reset"])
def test_when_the_viewer_of_all_leaves_each_stream_does_what_it_was_told(proxy, upstream, begun, leave):
    gate = upstream.gate()
    script = [ROLE, token("a"), gate, token("b"), FINISH, DONE]
    cancel, short, long, drain = (begun(proxy, script, {LEAVES: h}) for h in (
        "cancel", "detach 500ms", "detach 1m", "drain"))
    r = watch(proxy, [cancel, short, long, drain])
    while len({e["stream"] for e in [r.next_event().json for _ in range(4)]}) < 4:
        pass
    assert all(viewers(proxy, id) == 1 for id in (cancel, short, long, drain))
    getattr(r.client, leave)()
    proxy.wait_log("stream_end", stream=cancel, code="client_gone", timeout=3)
    proxy.wait_log("stream_end", stream=short, code="client_gone", timeout=4)
    assert state(proxy, long) == state(proxy, drain) == "running"
    gate.open()
    until_ended(proxy, long, drain)
    assert state(proxy, long) == state(proxy, drain) == "done"


def test_too_many_viewers_of_one_stream_is_429_and_leaves_nothing_behind(rig, upstream, begun):
    p = rig.proxy(upstream, streams={"viewers": 2})
    ids = [begun(p, [ROLE, stall], {LEAVES: "detach 1m"}) for _ in range(3)]
    held = [p.get(f"/v1/streams/{ids[2]}?format=events") for _ in range(2)]
    r = watch(p, ids)
    assert r.status == 429 and r.error["code"] == "too_many_viewers"
    wait_until(lambda: [viewers(p, id) for id in ids] == [0, 0, 2], "the members to be let go")
    held[0].client.close()
    wait_until(lambda: viewers(p, ids[2]) == 1, "one to leave")
    assert watch(p, ids).status == 200
    for id in ids:
        p.open("DELETE", f"/v1/streams/{id}")


def test_who_reads_slowly_gets_everything_and_holds_up_nobody(proxy, upstream, begun):
    texts = [f"{i} " + "x" * 400 for i in range(1500)]
    gate = upstream.gate()
    ids = [begun(proxy, [gate, b"".join(answer(*texts))]) for _ in range(3)]
    slow = watch(proxy, ids, receive_buffer=4096, timeout=30)
    quick = watch(proxy, ids, timeout=30)
    gate.open()
    events = quick.all_events()
    assert all(text_of(events, id) == "".join(texts) for id in ids)
    events = slow.all_events()
    check(slow, events, ids)
    assert all(text_of(events, id) == "".join(texts) for id in ids)


def test_large_texts_are_written_whole(proxy, upstream, begun):
    rng = random.Random(5)
    texts = [["".join(rng.choice('a"\\\n\x01ü\U0001f680') for _ in range(n)) for n in sizes]
             for sizes in ((1, 40000, 3), (16384, 16300, 5, 5), (9000,) * 6)]
    ids = [begun(proxy, answer(*t)) for t in texts]
    until_ended(proxy, *ids)
    for position in (None, ",".join(f"{id}.1" for id in ids)):
        r = watch(proxy, ids, position)
        events = r.all_events()
        check(r, events, ids)
        assert [text_of(events, id) for id in ids] == ["".join(t) for t in texts]


def test_many_connections_over_the_same_streams_come_and_go(proxy, upstream, begun):
    stop = threading.Event()

    def play(request, reply):
        for f in answer(*(f"{i} " for i in range(200))):
            reply.body(f)
            reply.silent(0.004)

    ids = [begun(proxy, play) for _ in range(4)]

    def view(seed):
        rng = random.Random(seed)
        while not stop.is_set():
            some = rng.sample(ids, rng.randint(1, 4))
            r = watch(proxy, some)
            assert r.status == 200
            for _ in range(rng.randint(0, 5)):
                next(r.events(), None)
            r.client.reset()

    comers = [threading.Thread(target=view, args=(seed,), daemon=True) for seed in range(4)]
    for t in comers:
        t.start()
    events = watch(proxy, ids).all_events()
    stop.set()
    for t in comers:
        t.join(10)
    assert all(text_of(events, id) == "".join(f"{i} " for i in range(200)) for id in ids)
    wait_until(lambda: proxy.metrics()["sluice_viewers"] == 0, "all to be gone")


def test_a_server_that_shuts_down_ends_each_of_them(rig, upstream, begun):
    p = rig.proxy(upstream, workers=2, timeouts={"drain": "300ms"})
    ids = [begun(p, [ROLE, token("a"), stall]) for _ in range(3)]
    r = watch(p, ids)
    seen = []
    while len({e.json["stream"] for e in seen}) < 3:
        seen.append(r.next_event())
    began = time.monotonic()
    p.signal(signal.SIGTERM)
    seen += r.all_events()
    assert {json.dumps(m["data"]["error"]["code"]) for id in ids for m in of_stream(seen, id, "failed")} == {'"shutting_down"'}
    assert len([e for e in seen if e.json["type"] == "failed"]) == 3
    assert p.wait() == 0 and time.monotonic() - began < 8
