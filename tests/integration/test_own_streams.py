"""Streams that live on their own: begun by POST /v1/streams, looked at by whoever comes, asked for by polling, stopped
by anybody who may, and left to themselves when nobody comes."""

import json
import random
import re
import signal
import socket
import time

import pytest

from chunks import check_blocks, check_stream
from rig import bare_text, chat_body, parallel, wait_until
from upstream import DONE, FINISH, ROLE, USAGE, answer, chunk, frame, json_answer, completion, stall, status, token

LEAVES = "X-Sluice-Client-Leaves"
NO_STREAM = "A" * 22


@pytest.fixture(scope="module")
def upstream(shared_rig):
    return shared_rig.upstream()


@pytest.fixture(scope="module")
def proxy(shared_rig, upstream):
    return shared_rig.proxy(upstream, workers=3)


@pytest.fixture
def posts(upstream):
    """How many generations were asked for since the test began."""
    before = len(upstream.posts)
    return lambda: len(upstream.posts) - before


def begin(proxy, headers=(), target="/v1/streams", **members):
    return proxy.post(target, chat_body(stream=None, **members), headers)


@pytest.fixture(scope="module")
def begun(upstream):
    """Begins a stream: its id, once the upstream plays it."""
    def start(proxy, headers=(), **members):
        before = len(upstream.posts)
        r = begin(proxy, headers, **members)
        assert r.status == 201, r.read()
        upstream.until(lambda: len(upstream.posts) > before, "the request")
        return r.json["id"]
    return start


def document(proxy, id, query="", **more):
    r = proxy.get(f"/v1/streams/{id}?format=json{query}", **more)
    assert r.status == 200, r.read()
    return r.json


def watch(proxy, id, format="events", query="", headers=()):
    r = proxy.get(f"/v1/streams/{id}?format={format}{query}", headers)
    assert r.status == 200, r.read()
    return r


def viewers(proxy, id):
    return next(s["viewers"] for s in proxy.get("/v1/streams?limit=1000").json["data"] if s["id"] == id)


def number(position):
    return int(position.rpartition(".")[2])


def until_entry(proxy, id, seq):
    """Until the stream has come that far."""
    wait_until(lambda: number(document(proxy, id)["last_event_id"]) >= seq, f"entry {seq} of {id}")


def until_ended(proxy, id):
    wait_until(lambda: document(proxy, id)["state"] not in ("waiting", "running"), f"the end of {id}")


# --- beginning --------------------------------------------------------------------------------------

def test_a_stream_begins_while_its_upstream_is_silent(proxy, upstream):
    upstream.script = [stall]
    asked = time.time()
    r = begin(proxy)
    assert r.status == 201 and r.header("Content-Type") == "application/json"
    made = r.json
    id = made["id"]
    assert re.fullmatch(r"[A-Za-z0-9_-]{22}", id)
    assert r.header("Location") == made["url"] == f"/v1/streams/{id}" == made["read_url"]
    assert r.header("X-Stream-Id") == id
    assert made["object"] == "stream" and made["state"] == "waiting" and made["last_event_id"] == f"{id}.0"
    assert made["model"] == "m" and made["upstream"] in ("u", None) and made["viewers"] == 0
    assert asked - 2 <= made["created_at"] <= time.time() + 2
    shown = document(proxy, id)
    assert (shown["state"], shown["text"], shown["error"]) == ("waiting", "", None)
    assert proxy.open("DELETE", f"/v1/streams/{id}").status == 200


@pytest.mark.parametrize("script, code, text", [
    (status(500, b'{"error":{"message":"no way","type":"server_error","code":"odd"}}'), "odd", "no way"),
    (status(400, b'{"error":{"message":"no way","type":"invalid_request_error","code":"bad"}}'), "bad", "no way"),
    (status(401, b'{"error":{"message":"no key"}}'), "upstream_auth", None),
    ([ROLE, lambda reply: reply.reset()], "upstream_incomplete", None),
    ([frame({"error": {"message": "overloaded", "type": "server_error", "code": "overloaded"}})], "overloaded", None),
], ids=["500", "400", "401", "reset", "error-frame"])
def test_a_refusal_of_the_upstream_is_how_the_stream_ends(proxy, upstream, script, code, text, begun):
    upstream.script = script
    id = begun(proxy)
    until_ended(proxy, id)
    shown = document(proxy, id)
    assert shown["state"] == "failed" and shown["error"]["code"] == code
    assert text is None or shown["error"]["message"] == text
    events = watch(proxy, id).all_events()
    assert [e.type for e in events] == ["failed"]
    assert events[0].json["error"]["code"] == code and events[0].id == shown["last_event_id"]
    got = watch(proxy, id, "openai")
    assert check_stream(got, got.all_events()).error["code"] == code


def test_an_upstream_that_is_not_there_is_a_failed_stream_too(rig):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        p = rig.proxy(f"http://127.0.0.1:{nobody.getsockname()[1]}/v1")
        id = begin(p).json["id"]
        until_ended(p, id)
        p.wait_log("stream_end", stream=id, code="upstream_unreachable")
        assert document(p, id)["state"] == "failed"
        assert watch(p, id, "text").read().startswith(b"[error] ")


ODD_BODY = b'{"model":"m" , "x":[1E0,9007199254740993 ],"messages":[{"role":"user","content":"\\u00fc\xc3\xbc"}],"seed":-0.0%s}'


@pytest.mark.parametrize("stream", [b"", b',"stream":false', b' , "stream" : true ', b',"stream":null',
                                    b',"stream":false,"stream_options":{"include_usage":false}'])
def test_it_is_a_stream_whatever_the_body_says_and_nothing_else_is_changed(proxy, upstream, stream):
    upstream.script = answer("a")
    r = proxy.post("/v1/streams", ODD_BODY % stream)
    assert r.status == 201
    until_ended(proxy, r.json["id"])
    sent = upstream.posts[-1]
    members = json.loads(sent.body, object_pairs_hook=list)
    names = [name for name, _ in members]
    assert sorted(names) == sorted(["model", "x", "messages", "seed", "stream", "stream_options"])
    assert sent.json["stream"] is True and sent.json["stream_options"] == {"include_usage": True}
    assert sent.body.startswith(ODD_BODY[:-len(b"%s}")]) or ODD_BODY[1:-len(b"%s}")] in sent.body
    assert sent.target == "/v1/chat/completions"


def test_a_whole_answer_of_the_upstream_is_a_stream_too(proxy, upstream, begun):
    upstream.script = json_answer(completion("all of it"))
    id = begun(proxy)
    until_ended(proxy, id)
    assert document(proxy, id)["text"] == bare_text(watch(proxy, id).all_events()) == "all of it"


@pytest.mark.parametrize("target, body, headers, expected", [
    ("/v1/streams?api=morse", chat_body(), {}, 400),
    ("/v1/streams?api=", chat_body(), {}, 400),
    ("/v1/streams", b"{", {}, 400),
    ("/v1/streams", b"", {}, 400),
    ("/v1/streams", b"[]", {}, 400),
    ("/v1/streams", {**chat_body(), "stream": "yes"}, {}, 400),
    ("/v1/streams", chat_body(), {"Content-Type": "text/plain"}, 415),
    ("/v1/streams", chat_body(), {LEAVES: "detach soon"}, 400),
    ("/v1/streams", chat_body(), {"Idempotency-Key": ""}, 400),
    ("/v1/streams", chat_body(), {"Origin": "https://elsewhere.example"}, 403),
    ("/v1/streams", chat_body(), {"Sec-Fetch-Site": "cross-site"}, 403),
])
def test_what_is_no_request_begins_nothing(proxy, posts, target, body, headers, expected):
    before = len(proxy.get("/v1/streams?limit=1000").json["data"])
    r = proxy.post(target, body, headers)
    assert r.status == expected and r.error["message"]
    assert posts() == 0
    assert len(proxy.get("/v1/streams?limit=1000").json["data"]) == before


def test_api_chat_says_what_goes_without_saying(proxy, upstream):
    upstream.script = answer("a")
    r = begin(proxy, target="/v1/streams?api=chat")
    assert r.status == 201
    until_ended(proxy, r.json["id"])


# --- nobody comes -----------------------------------------------------------------------------------

def test_a_stream_that_nobody_comes_to_look_at_ends_after_the_grace(proxy, upstream, begun):
    upstream.script = [ROLE, token("a"), stall]
    began = time.monotonic()
    id = begun(proxy, {LEAVES: "detach 500ms"})
    end = proxy.wait_log("stream_end", stream=id)
    assert (end["state"], end["code"]) == ("failed", "client_gone")
    assert time.monotonic() - began >= 0.45
    until_ended(proxy, id)
    connection = upstream.posts[-1].connection
    upstream.until(lambda: connection.closed, "the upstream to be closed", 2)
    shown = document(proxy, id)
    assert (shown["state"], shown["text"], shown["error"]["code"]) == ("failed", "a", "client_gone")
    assert [e.type for e in watch(proxy, id).all_events()] == ["message", "failed"]


def test_by_default_it_waits_longer_than_a_moment(proxy, upstream, begun):
    upstream.script = [ROLE, token("a"), stall]
    id = begun(proxy)
    until_entry(proxy, id, 2)
    connection = upstream.posts[-1].connection
    with pytest.raises(AssertionError):
        upstream.until(lambda: connection.closed, timeout=1.5)
    assert document(proxy, id)["state"] == "running"
    proxy.open("DELETE", f"/v1/streams/{id}")


def test_who_asks_for_the_document_now_and_then_keeps_it_alive(proxy, upstream, begun):
    upstream.script = [ROLE, token("a"), stall]
    id = begun(proxy, {LEAVES: "detach 1s"})
    began = time.monotonic()
    while time.monotonic() - began < 2.5:
        assert document(proxy, id)["state"] in ("waiting", "running")
    proxy.wait_log("stream_end", stream=id, code="client_gone")
    assert time.monotonic() - began >= 3.4


def test_the_list_and_a_refused_request_keep_nothing_alive(proxy, upstream, begun):
    upstream.script = [ROLE, token("a"), stall]
    id = begun(proxy, {LEAVES: "detach 700ms"})

    def ended():
        assert proxy.get(f"/v1/streams/{id}?last_event_id={id}.99").status == 400
        return proxy.logged("stream_end", stream=id) or not proxy.get("/v1/streams").json["data"]

    wait_until(ended, "the grace to be over", 5)


def test_a_viewer_that_leaves_starts_the_grace_again(proxy, upstream, begun):
    upstream.script = [ROLE, token("a"), stall]
    id = begun(proxy, {LEAVES: "detach 1s"})
    r = watch(proxy, id)
    assert r.next_event().data == "a"
    upstream_side = upstream.posts[-1].connection
    with pytest.raises(AssertionError):
        upstream.until(lambda: upstream_side.closed, timeout=1.5)
    left = time.monotonic()
    r.client.close()
    proxy.wait_log("stream_end", stream=id, code="client_gone")
    assert time.monotonic() - left >= 0.9


def test_with_cancel_it_goes_on_until_its_viewer_leaves(proxy, upstream, begun):
    upstream.script = [ROLE, token("a"), stall]
    id = begun(proxy, {LEAVES: "cancel"})
    until_entry(proxy, id, 2)
    for _ in range(3):  # who only asks how it stands is no client that leaves
        assert document(proxy, id)["state"] == "running"
    r = watch(proxy, id)
    r.next_event()
    assert document(proxy, id)["state"] == "running"
    r.client.close()
    proxy.wait_log("stream_end", stream=id, code="client_gone", timeout=2)


def test_with_drain_it_is_read_to_its_end_however_long_it_is(rig, upstream, begun):
    p = rig.proxy(upstream, streams={"per_stream": "64KiB"})
    upstream.script = answer(*("x" * 1000 for _ in range(1000)), usage=True)
    id = begun(p, {LEAVES: "drain"})
    end = p.wait_log("stream_end", stream=id)
    assert (end["state"], end["completion_tokens"]) == ("done", 7)


# --- the same request again -------------------------------------------------------------------------

def test_the_same_idempotency_key_gives_the_stream_that_is_there(proxy, upstream, posts, begun):
    upstream.script = [ROLE, token("a"), stall]
    key = {"Idempotency-Key": "own-1"}
    id = begun(proxy, key)
    until_entry(proxy, id, 2)
    again = begin(proxy, key)
    assert again.status == 200 and again.json["id"] == id and again.header("Location") == f"/v1/streams/{id}"
    other = begin(proxy, key, temperature=1)
    assert other.status == 422 and other.error["code"] == "idempotency_key_reused"
    assert proxy.chat(key).status == 422, "another route is another request"
    proxy.open("DELETE", f"/v1/streams/{id}")
    ended = begin(proxy, key)
    assert (ended.status, ended.json["id"], ended.json["state"]) == (200, id, "stopped")
    assert posts() == 1


def test_many_at_once_with_one_key_begin_one_stream(proxy, upstream, posts):
    upstream.script = answer("a")
    answers = parallel(24, lambda i: begin(proxy, {"Idempotency-Key": "own-2"}))
    until_ended(proxy, answers[0].json["id"])
    assert len({r.json["id"] for r in answers}) == 1
    assert sorted(r.status for r in answers) == [200] * 23 + [201]
    assert posts() == 1


def test_a_post_with_a_position_never_begins_another(proxy, upstream, posts, begun):
    upstream.script = answer("a", "b")
    id = begun(proxy)
    until_ended(proxy, id)
    for position in (f"{id}.0", f"{id}.1", f"{id}.4"):
        r = begin(proxy, {"Last-Event-ID": position})
        assert (r.status, r.json["id"], r.json["state"]) == (200, id, "done")
    by_query = begin(proxy, target=f"/v1/streams?last_event_id={id}.1")
    assert (by_query.status, by_query.json["id"]) == (200, id)
    assert begin(proxy, {"Last-Event-ID": f"{NO_STREAM}.1"}).status == 404
    for bad in ("x", id, f"{id}.-1", f"{id}."):
        assert begin(proxy, {"Last-Event-ID": bad}).status == 400
    assert posts() == 1


# --- the list ---------------------------------------------------------------------------------------

def test_the_list_has_the_newest_first(rig, upstream, begun):
    p = rig.proxy(upstream, workers=2)
    assert p.get("/v1/streams").json == {"object": "list", "data": [], "has_more": False}
    upstream.script = answer("a")
    ids = [begun(p) for _ in range(7)]
    assert bare_text(p.get("/ask?q=a&model=m&format=events").all_events()) == "a"
    p.get("/v1/models").read()  # no stream that a client began
    r = p.get("/v1/streams")
    assert r.header("Content-Type") == "application/json"
    assert [s["id"] for s in r.json["data"]][1:] == ids[::-1] and len(r.json["data"]) == 8
    assert r.json["has_more"] is False
    for s in r.json["data"]:
        assert s["object"] == "stream" and s["url"] == f"/v1/streams/{s['id']}" and s["model"] == "m"
        assert s["state"] == document(p, s["id"])["state"]
    for limit in (1, 3, 8, 1000):
        page = p.get(f"/v1/streams?limit={limit}").json
        assert [s["id"] for s in page["data"]] == [s["id"] for s in r.json["data"]][:limit]
        assert page["has_more"] == (limit < 8)


@pytest.mark.parametrize("limit", ["0", "1001", "-1", "x", "", "1.5", "+1", "%201", "99999999999999999999999"])
def test_a_bad_limit_is_refused(proxy, limit):
    r = proxy.get(f"/v1/streams?limit={limit}")
    assert r.status == 400 and r.error["code"] == "invalid_limit"


# --- formats ----------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def ended(proxy, upstream, begun):
    """The id of a stream that has ended."""
    upstream.script = answer("Hel", "lo", usage=True)
    id = begun(proxy)
    until_ended(proxy, id)
    return id


@pytest.mark.parametrize("headers, query, type", [
    ({}, "", "text/plain"), ({"Accept": "*/*"}, "", "text/plain"), ({"Accept": "text/event-stream"}, "", "events"),
    ({"Accept": "application/json"}, "", "json"), ({}, "?format=events", "events"), ({}, "?format=openai", "openai"),
    ({"Accept": "text/event-stream"}, "?format=json", "json"), ({"Accept": "application/json"}, "?format=text", "text/plain")])
def test_a_viewer_chooses_its_format(proxy, ended, headers, query, type):
    r = proxy.get(f"/v1/streams/{ended}{query}", headers)
    assert r.status == 200 and r.header("X-Stream-Id") == ended
    if type == "text/plain":
        assert r.header("Content-Type").startswith("text/plain") and r.read() == b"Hello"
    elif type == "json":
        assert r.header("Content-Type") == "application/json" and r.json["text"] == "Hello"
    elif type == "openai":
        got = check_stream(r, r.all_events())
        assert (got.text, got.finish_reason) == ("Hello", "stop")
    else:
        assert r.header("Content-Type") == "text/event-stream"
        assert [(e.type, e.seq) for e in r.all_events()] == [("message", 3), ("usage", 5), ("done", 6)]
        check_blocks(r.sse.blocks, ended, named=True)


def test_the_document_says_all_there_is(proxy, ended):
    shown = document(proxy, ended)
    assert shown["timings"] and shown.pop("timings")
    assert shown == {"id": ended, "state": "done", "text": "Hello", "reasoning": "", "tool_calls": [],
                     "finish_reason": "stop", "usage": USAGE, "error": None, "last_event_id": f"{ended}.6",
                     "model": "m", "upstream": "u"}


def test_an_unknown_format_is_refused(proxy, ended):
    assert proxy.get(f"/v1/streams/{ended}?format=morse").status == 400


@pytest.mark.parametrize("query", ["", "?format=json", "?format=events", "?format=json&wait=5s", "?starting_after=1"])
def test_an_unknown_stream_is_404(proxy, query):
    bodies = {proxy.get(f"/v1/streams/{id}{query}").read() for id in (NO_STREAM, "x", "a" * 21, "a" * 23, "%2e%2e")}
    r = proxy.get(f"/v1/streams/{NO_STREAM}{query}")
    assert r.status == 404 and r.error["code"] == "stream_not_found"
    assert len(bodies) == 1


@pytest.mark.parametrize("after", ["-1", "x", "", "1x", "+1", "7", "99999999999999999999999", "18446744073709551615"])
@pytest.mark.parametrize("rest", ["&format=events", "&format=openai", "&format=text", "&format=json&wait=1s"])
def test_a_position_that_is_none_is_refused(proxy, ended, after, rest):
    r = proxy.get(f"/v1/streams/{ended}?starting_after={after}{rest}")
    assert r.status == 400 and r.error["code"] == "invalid_position"


@pytest.mark.parametrize("format", ["events", "openai", "text"])
def test_starting_after_goes_on_right_there(proxy, ended, format):
    whole = watch(proxy, ended, format, f"&last_event_id={ended}.1")
    if format == "text":
        rests = [watch(proxy, ended, format, f"&starting_after={n}").read() for n in range(6)]
        assert rests == [b"Hello", b"Hello", b"lo", b"", b"", b""]
    else:
        events = whole.all_events()
        for n in range(2, 6):
            rest = watch(proxy, ended, format, f"&starting_after={n}").all_events()
            assert [(e.type, e.data, e.id) for e in rest] == [(e.type, e.data, e.id) for e in events if e.seq > n]
    assert proxy.get(f"/v1/streams/{ended}?format={format}&starting_after=6").status == 204


def test_the_header_wins_over_the_query(proxy, ended):
    rest = watch(proxy, ended, "text", "&starting_after=0", {"Last-Event-ID": f"{ended}.2"})
    assert rest.read() == b"lo"


# --- waiting for news -------------------------------------------------------------------------------

@pytest.fixture
def gated(proxy, upstream, begun):
    """A stream that says "a", "b" at its gates, and then ends; it has come to entry 1."""
    gates = [upstream.gate() for _ in range(3)]
    upstream.script = [ROLE, gates[0], token("a"), gates[1], token("b"), gates[2], FINISH, DONE]
    id = begun(proxy)
    until_entry(proxy, id, 1)
    yield id, gates
    proxy.open("DELETE", f"/v1/streams/{id}")


def waiting(proxy, id, after, n=6, wait="20s"):
    """Clients that have asked for news, on all workers; none is answered yet."""
    clients = [proxy.client(timeout=15).request("GET", f"/v1/streams/{id}?format=json&wait={wait}&starting_after={after}")
               for _ in range(n)]
    wait_until(lambda: viewers(proxy, id) == n, f"{n} that wait")
    return clients


def test_who_waits_is_answered_at_the_next_entry_and_at_the_end(proxy, gated):
    id, gates = gated
    for gate, after, text in ((gates[0], 1, "a"), (gates[1], 2, "ab")):
        clients = waiting(proxy, id, after)
        gate.open()
        for c in clients:
            shown = c.response().json
            assert (shown["state"], shown["text"], shown["last_event_id"]) == ("running", text, f"{id}.{after + 1}")
    clients = waiting(proxy, id, 3)
    gates[2].open()
    for c in clients:
        shown = c.response().json
        assert shown["text"] == "ab" and number(shown["last_event_id"]) > 3


def test_who_waits_for_what_is_there_already_is_answered_at_once(proxy, gated, ended):
    id, gates = gated
    began = time.monotonic()
    assert document(proxy, id, "&wait=20s&starting_after=0")["last_event_id"] == f"{id}.1"
    assert document(proxy, id, "&wait=20s")["last_event_id"] == f"{id}.1"
    for query in ("", "&starting_after=0", "&starting_after=5", "&starting_after=6"):
        assert document(proxy, ended, "&wait=20s" + query)["state"] == "done"
    assert time.monotonic() - began < 8


@pytest.mark.parametrize("wait, least", [("400ms", 0.4), ("1s", 1), ("0", 0), ("0s", 0)])
def test_when_nothing_comes_the_answer_is_what_there_was(proxy, gated, wait, least):
    id, _ = gated
    began = time.monotonic()
    shown = document(proxy, id, f"&wait={wait}&starting_after=1")
    took = time.monotonic() - began
    assert (shown["state"], shown["last_event_id"]) == ("waiting", f"{id}.1")
    assert least <= took < least + 5


@pytest.mark.parametrize("wait", ["", "20", "-1s", "x", "6m", "300001ms", "1e3s", "1%20s", "%201s", "1d", "99999999999999999999s",
                                  "18446744073709551615ms"])
def test_a_bad_wait_is_refused(proxy, ended, wait):
    r = proxy.get(f"/v1/streams/{ended}?format=json&wait={wait}")
    assert r.status == 400 and r.error["code"] == "invalid_wait"


@pytest.mark.parametrize("leave", ["close", "reset"])
def test_who_leaves_while_it_waits_has_left(proxy, upstream, leave, begun):
    upstream.script = [ROLE, stall]
    id = begun(proxy, {LEAVES: "detach 500ms"})
    until_entry(proxy, id, 1)
    clients = waiting(proxy, id, 1)
    for c in clients[1:]:
        getattr(c, leave)()
    wait_until(lambda: viewers(proxy, id) == 1, "the others to have left", 3)
    with pytest.raises(AssertionError):
        upstream.until(lambda: upstream.posts[-1].connection.closed, timeout=1)
    getattr(clients[0], leave)()
    proxy.wait_log("stream_end", stream=id, code="client_gone", timeout=4)


def test_who_waits_keeps_the_stream_alive_and_sees_all_of_it(proxy, upstream, begun):
    texts = [f"{i} " for i in range(30)]

    def script(request, reply):
        for f in answer(*texts):
            reply.body(f)
            reply.silent(0.05)

    upstream.script = script
    id = begun(proxy, {LEAVES: "detach 1s"})
    seen, shown = 0, {"state": "waiting", "text": ""}
    while shown["state"] not in ("done", "failed"):
        before = shown["text"]
        shown = document(proxy, id, f"&wait=20s&starting_after={seen}")
        assert number(shown["last_event_id"]) > seen and shown["text"].startswith(before)
        seen = number(shown["last_event_id"])
    assert (shown["state"], shown["text"]) == ("done", "".join(texts))


# --- stopping ---------------------------------------------------------------------------------------

STOP = {"stop": lambda p, id: p.post(f"/v1/streams/{id}/stop", b"", {"Content-Type": None}),
        "delete": lambda p, id: p.open("DELETE", f"/v1/streams/{id}")}


def end_of(viewer, format):
    """What a viewer has seen, and how it ended."""
    if format == "text":
        return viewer.read().decode()
    events = viewer.all_events()
    if format == "openai":
        got = check_stream(viewer, events)
        assert got.finish_reason == "stop" and got.error is None
        return got.text
    assert events[-1].type == "done" and events[-1].json["stopped"] is True
    return bare_text(events)


@pytest.mark.parametrize("how", STOP)
def test_a_stop_is_the_end_for_every_viewer(proxy, upstream, how, begun):
    upstream.script = [ROLE, token("a"), token("b"), stall]
    id = begun(proxy)
    formats = ["events", "openai", "text"] * 4
    all_viewers = [watch(proxy, id, f) for f in formats]
    until_entry(proxy, id, 3)
    [client] = waiting_too = [proxy.client().request("GET", f"/v1/streams/{id}?format=json&wait=20s&starting_after=3")]
    wait_until(lambda: viewers(proxy, id) == len(formats) + len(waiting_too), "all to watch")
    r = STOP[how](proxy, id)
    assert r.status == 200 and r.json["state"] == "stopped" and r.json["text"] == "ab" and r.json["error"] is None
    assert [end_of(v, f) for v, f in zip(all_viewers, formats)] == ["ab"] * len(formats)
    assert client.response().json["state"] == "stopped"
    upstream.until(lambda: upstream.posts[-1].connection.closed, "the upstream to be closed", 2)
    late = watch(proxy, id)
    assert end_of(late, "events") == "ab"
    for again in STOP.values():
        r2 = again(proxy, id)
        assert r2.status == 200 and r2.json == r.json
    assert number(r.json["last_event_id"]) == 4


def test_a_stop_is_answered_however_many_watch(rig, upstream):
    upstream.script = [ROLE, token("a"), stall]
    p = rig.proxy(upstream, streams={"viewers": 1})
    id = begin(p).json["id"]
    r = watch(p, id)
    r.next_event()
    assert p.get(f"/v1/streams/{id}?format=events").status == 429
    stopped = p.post(f"/v1/streams/{id}/stop", None)
    assert stopped.status == 200 and stopped.json["state"] == "stopped"
    assert r.all_events()[-1].json["stopped"] is True


def test_before_the_first_token_a_stop_is_a_good_end_too(proxy, upstream, posts, begun):
    upstream.script = [stall]
    id = begun(proxy)
    early = watch(proxy, id)
    upstream.until(lambda: posts() == 1)
    r = STOP["stop"](proxy, id)
    assert (r.json["state"], r.json["text"], r.json["last_event_id"]) == ("stopped", "", f"{id}.1")
    assert end_of(early, "events") == ""
    assert end_of(watch(proxy, id, "openai"), "openai") == ""
    upstream.until(lambda: upstream.posts[-1].connection.closed, "the upstream to be closed", 2)


def test_many_who_stop_at_once_get_the_same_answer(proxy, upstream, begun):
    upstream.script = [ROLE, token("a"), stall]
    for _ in range(5):
        id = begun(proxy)
        until_entry(proxy, id, 2)
        answers = parallel(12, lambda i: STOP["stop" if i % 2 else "delete"](proxy, id).json)
        assert all(a == answers[0] for a in answers) and answers[0]["state"] == "stopped"


def test_an_ended_stream_stays_as_it_ended(proxy, ended):
    for stop in STOP.values():
        r = stop(proxy, ended)
        assert r.status == 200 and r.json["state"] == "done" and r.json["usage"] == USAGE
    assert STOP["stop"](proxy, NO_STREAM).status == STOP["delete"](proxy, NO_STREAM).status == 404


def test_a_stop_races_with_the_end_and_with_viewers_that_come(proxy, upstream, begun):
    def script(request, reply):
        for f in answer(*(f"{i} " for i in range(60))):
            reply.body(f)
            reply.silent(0.001)

    upstream.script = script
    for seed in range(12):
        id = begun(proxy)
        after = random.Random(seed).randint(0, 60)

        def play(i):
            if i == 0:
                until_entry(proxy, id, after)
                return STOP["stop"](proxy, id).json
            r = watch(proxy, id)
            events = r.all_events()
            assert r.complete and events[-1].type == "done"
            return bare_text(events), events[-1].id

        shown, *seen = parallel(5, play)
        assert shown["state"] in ("done", "stopped")
        assert set(seen) == {(shown["text"], shown["last_event_id"])}


# --- who comes late ---------------------------------------------------------------------------------

def tool(index, id=None, name=None, arguments=""):
    call = {"index": index, "function": {"arguments": arguments}}
    if id:
        call.update(id=id, type="function")
        call["function"]["name"] = name
    return frame(chunk({"tool_calls": [call]}))


def reasoning(text):
    return frame(chunk({"reasoning_content": text}))


MIXED = [ROLE, reasoning("h"), reasoning("m\r"), reasoning("\n."), token("a\r"), token("\nb"), token("\r"), token("\r\n"), token("\n"),
         token("c\r\n"), token(" d"), token("\r"), token("e"), tool(0, "c1", "look", ""), tool(0, arguments='{"x"'),
         tool(0, arguments=":1}"), token("data: x\n\n"), token("id: 7\n"), reasoning("again"), token("ü"),
         frame(chunk({"reasoning_content": "both", "content": "at once"})), token("\U0001f469\u200d\U0001f680"),
         token("\ufeff"), token(""), token("\x00"), token(" "), token("z")]
SPLIT_CR = {"message": ["a\n", "\nb", "\n", "\n", "\n", "c\n", " d", "\n", "e"]}


def in_runs(events):
    """Texts of one kind that follow each other, joined; other events as they are."""
    runs = []
    for e in events:
        if runs and e.type in ("message", "reasoning") and runs[-1][0] == e.type:
            runs[-1] = (e.type, runs[-1][1] + e.data)
        else:
            runs.append((e.type, e.data))
    return runs


def behind(events, id):
    """Those that follow the one which has that id."""
    at = next(i for i, e in enumerate(events) if b"id: %s\n" % id.encode() in e.raw)
    return events[at + 1:]


def in_text(data):
    """Where a client joins what comes, a line end can only be LF."""
    return re.sub("\r\n?", "\n", data)


def test_who_comes_late_gets_few_events_and_then_each_as_it_comes(proxy, upstream, begun):
    start, more, end = upstream.gate(), [upstream.gate() for _ in range(6)], upstream.gate()
    live_tokens = [step for i, g in enumerate(more) for step in (g, token(f"live{i} "))]
    upstream.script = [start, *MIXED, *live_tokens, end, FINISH, DONE]
    id = begun(proxy)
    live = watch(proxy, id)
    start.open()
    until_entry(proxy, id, len(MIXED))
    late = [watch(proxy, id) for _ in range(6)]  # on all workers
    first = []
    for r in late:
        got = [r.next_event()]
        while got[-1].seq < len(MIXED):
            got.append(r.next_event())
        first.append(got)
    for i, gate in enumerate(more):
        gate.open()
        for r, got in zip(late, first):
            got.append(r.next_event())
            assert (got[-1].data, got[-1].seq) == (f"live{i} ", len(MIXED) + i + 1)
    end.open()
    seen = live.all_events()
    assert seen[-1].type == "done"
    live_ids = [e.id for e in seen]
    assert [in_text(e.data) for e in seen if e.type == "message"][:9] == SPLIT_CR["message"]
    for r, got in zip(late, first):
        got += r.all_events()
        check_blocks(r.sse.blocks, id, named=True)
        assert in_runs(got) == in_runs(seen)
        ids = [e.id for e in got]
        assert set(ids) <= set(live_ids) and ids[-1] == live_ids[-1]
        before_live = [e for e in got if e.seq <= len(MIXED)]
        # A run of each: reasoning, text, three of the tool, text, reasoning, text, both, text.
        assert len(before_live) <= 12, before_live
        for e in got:
            if e is got[-1]:
                continue
            rest = watch(proxy, id, query=f"&last_event_id={e.id}").all_events()
            assert [x.raw for x in rest if b"retry" not in x.raw] == [x.raw for x in behind(seen, e.id)][1:]
            assert [(x.type, x.data) for x in rest] == [(x.type, x.data) for x in behind(seen, e.id)]


def test_thousands_of_tokens_come_in_a_few_events(proxy, upstream, begun):
    texts = [f"t{i} " for i in range(6000)]
    upstream.script = [b"".join(answer(*texts))]
    id = begun(proxy)
    until_ended(proxy, id)
    events = watch(proxy, id).all_events()
    assert bare_text(events) == "".join(texts)
    assert len(events) < 30
    seqs = [e.seq for e in events]
    assert seqs == sorted(set(seqs)) and seqs[-1] == 6003
    assert watch(proxy, id, "text").read() == "".join(texts).encode()


def test_chunks_are_never_merged(proxy, upstream, begun):
    upstream.script = answer(*(f"{i} " for i in range(500)), usage=True)
    id = begun(proxy)
    watch(proxy, id, "openai").all_events()
    late = watch(proxy, id, "openai").all_events()
    assert [json.loads(f[6:]) if f != DONE else "[DONE]" for f in answer(*(f"{i} " for i in range(500)))] == [
        e.data if e.data == "[DONE]" else e.json for e in late]
    assert [e.seq for e in late] == [*range(1, 503), 504]


def test_what_follows_a_position_is_never_merged(proxy, upstream, begun):
    upstream.script = answer(*(f"{i} " for i in range(200)))
    id = begun(proxy)
    until_ended(proxy, id)
    assert len(watch(proxy, id).all_events()) < 5
    rest = watch(proxy, id, query="&starting_after=1").all_events()
    assert [e.seq for e in rest] == [*range(2, 202), 203]


def test_tokens_of_any_size_are_merged_whole(proxy, upstream, begun):
    rng = random.Random(11)
    texts = ["".join(rng.choice("ab\r\n ü\u2028\U0001f680") for _ in range(n))
             for n in (1, 2, 70000, 3, 16384, 1, 16300, 20, 16383, 40000, 1, 1, 1, 9000, 9000, 9000)]
    upstream.script = answer(*texts)
    id = begun(proxy)
    until_ended(proxy, id)
    expected = "".join(map(in_text, texts))
    events = watch(proxy, id).all_events()
    assert bare_text(events) == expected
    assert bare_text(watch(proxy, id, query=f"&last_event_id={id}.1").all_events()) == expected
    assert watch(proxy, id, "text").read().decode() == "".join(texts)
    assert document(proxy, id)["text"] == "".join(texts)


def test_whenever_they_come_all_have_the_whole_text(proxy, upstream, begun):
    texts = [f"{i}\r\n" if i % 7 == 0 else f"{i} " for i in range(600)]

    def script(request, reply):
        for f in answer(*texts):
            reply.body(f)
            reply.silent(0.001)

    upstream.script = script
    id = begun(proxy)

    def come(i):
        until_entry(proxy, id, i * 20)
        r = watch(proxy, id)
        events = r.all_events()
        check_blocks(r.sse.blocks, id, named=True)
        return bare_text(events), events[-1].type, events[-1].id

    seen = parallel(25, come)
    assert set(seen) == {("".join(map(in_text, texts)), "done", f"{id}.603")}


# --- what is no longer held -------------------------------------------------------------------------

@pytest.fixture(scope="module")
def forgetful(shared_rig, upstream, begun):
    """A proxy that keeps little, and a stream of which it has only the last."""
    p = shared_rig.proxy(upstream, streams={"per_stream": "8KiB"})
    batches = [[f"{i * 10 + k:04} " for k in range(10)] for i in range(40)]
    gates = [upstream.gate() for _ in batches]
    start = upstream.gate()
    upstream.script = [ROLE, start, *(step for texts, gate in zip(batches, gates) for step in (*map(token, texts), gate)),
                       FINISH, DONE]
    r = watch(p, begun(p))
    start.open()
    events = []
    for texts, gate in zip(batches, gates):
        events += [r.next_event() for _ in texts]
        gate.open()
    return p, r.header("X-Stream-Id"), [*events, *r.all_events()]


def test_what_is_lost_is_told_to_old_clients_too(forgetful):
    """HTTP/1.0 gets its bytes through a small window."""
    p, id, events = forgetful
    for seq in range(1, 40):
        again = p.get(f"/v1/streams/{id}?format=events&starting_after={seq}", version="1.0").all_events()
        assert again[0].type == "lost" and again[0].json["first_id"].startswith(id + ".")
        assert again[-1].type == "done"


@pytest.mark.parametrize("query", ["&starting_after=1", "&last_event_id={id}.2", ""])
def test_a_position_that_was_evicted_is_told_and_what_is_left_follows(forgetful, query):
    p, id, events = forgetful
    again = watch(p, id, query=query.replace("{id}", id)).all_events()
    assert again[0].type == "lost" and again[-1].type == "done"
    stream, _, first = again[0].json["first_id"].rpartition(".")
    assert stream == id and int(first) > 3
    assert bare_text(again) == bare_text(e for e in events if e.seq >= int(first))


def test_the_document_of_what_is_left_says_where_it_begins(forgetful):
    p, id, events = forgetful
    shown = document(p, id)
    stream, _, first = shown["first_id"].rpartition(".")
    assert stream == id and int(first) > 3
    assert shown["text"] == bare_text(e for e in events if e.seq >= int(first)) and shown["state"] == "done"


@pytest.mark.parametrize("wait", ["", "&wait=5s&starting_after={seen}"])
def test_a_long_stream_that_is_only_asked_for_its_document_goes_on(rig, upstream, wait, begun):
    p = rig.proxy(upstream, streams={"per_stream": "16KiB"})
    upstream.script = answer(*(f"{i} " + "x" * 100 for i in range(400)))
    id = begun(p)
    seen, state = 0, "waiting"

    def ended():
        nonlocal seen, state
        r = p.get(f"/v1/streams/{id}?format=json" + wait.replace("{seen}", str(seen)))
        assert r.status == 200, r.read()
        shown = r.json
        assert number(shown["last_event_id"]) >= seen
        seen, state = number(shown["last_event_id"]), shown["state"]
        return state not in ("waiting", "running")

    wait_until(ended, "the end of the stream", 20)
    assert state == "done" and seen == 403


@pytest.mark.parametrize("query", ["&format=openai", "&format=text", "&format=json&wait=1s"])
def test_where_no_event_can_tell_it_is_410(forgetful, query):
    p, id, _ = forgetful
    r = p.get(f"/v1/streams/{id}?starting_after=1{query}")
    assert r.status == 410 and r.error["code"] == "position_lost"
    first = number(r.error["first_id"])
    assert p.get(f"/v1/streams/{id}?starting_after={first - 1}{query}").status == 200
    assert p.get(f"/v1/streams/{id}?starting_after={first - 2}{query}").status == 410


# --- the end of the server --------------------------------------------------------------------------

def test_who_waits_when_the_server_shuts_down_is_answered(rig, upstream, begun):
    p = rig.proxy(upstream, workers=3, timeouts={"drain": "500ms"})
    upstream.script = [ROLE, token("a"), stall]
    id = begun(p)
    until_entry(p, id, 2)
    clients = waiting(p, id, 2)
    watching = watch(p, id)
    late = p.client()
    late.request("GET", "/healthz").response().read()
    p.signal(signal.SIGTERM)
    wait_until(lambda: p.get("/readyz").status == 503, "the server to shut down")
    late.request("POST", "/v1/streams", chat_body())
    refused = late.response("POST")
    assert refused.status == 503 and refused.header("Retry-After")
    for c in clients:
        shown = c.response().json
        assert (shown["state"], shown["text"], shown["error"]["code"]) == ("failed", "a", "shutting_down")
    events = watching.all_events()
    assert bare_text(events) == "a" and events[-1].json["error"]["code"] == "shutting_down"
    assert p.wait() == 0
