"""Streams as clients read them: tokens byte for byte, ids, usage, heartbeats, the forms of /ask, and coming back to a
stream."""

import hashlib
import json
import random
import re
import time

import pytest

from chunks import check_blocks, check_stream
from client import EventReader, fields
from rig import bare_text, chat_body, content, parallel, wait_until
from upstream import (DONE, FINISH, ROLE, USAGE, USAGE_FRAME, answer, byte_by_byte, chunk, completion, frame,
                      json_answer, random_cuts, silent, stall, token, whole)

DOCUMENTED = {"message", "reasoning", "tool_call", "usage", "done", "failed", "lost"}


@pytest.fixture(scope="module")
def upstream(shared_rig):
    return shared_rig.upstream()


@pytest.fixture(scope="module")
def proxy(shared_rig, upstream):
    return shared_rig.proxy(upstream)


@pytest.fixture
def posts(upstream):
    """How many generations were asked for since the test began."""
    before = len(upstream.posts)
    return lambda: len(upstream.posts) - before


# --- tokens -----------------------------------------------------------------------------------------

TOKENS = ["a\revent: x\rdata: y", "\n", "\r\n", "\n\n", "", " leading", "\ufeff", "\u2028", "ü",
          "\U0001f469\u200d\U0001f680", "\U00020000", "\r", "\t", "data: [DONE]\n\n", ": hb", "id: 7\nretry: 1",
          "\x00", "\x7f", "ends\n", "\x0b\x0c", "\x85", "\\", '"', "</script>"]


def test_every_token_reaches_an_openai_client_as_it_was(proxy, upstream):
    upstream.script = answer(*TOKENS)
    r = proxy.chat()
    events = r.all_events()
    check_stream(r, events)
    assert [e.json["choices"][0]["delta"]["content"] for e in events[1:-2]] == TOKENS


def test_every_token_reaches_an_event_source_as_one_event_of_its_own(proxy, upstream):
    upstream.script = answer(*TOKENS)
    r = proxy.get("/ask?q=a&model=m&format=events")
    events = r.all_events()
    check_blocks(r.sse.blocks, r.header("X-Stream-Id"), named=True)
    assert {e.type for e in events} <= DOCUMENTED
    # A line end inside of data can only be LF there.
    shown = [re.sub("\r\n?", "\n", t) for t in TOKENS if t]
    assert [e.data for e in events if e.type == "message"] == shown


def test_every_token_reaches_curl_byte_for_byte(proxy, upstream):
    upstream.script = answer(*TOKENS)
    assert proxy.get("/ask?q=a&model=m").read() == "".join(TOKENS).encode()


def test_what_an_upstream_says_beside_its_data_never_reaches_a_client(proxy, upstream):
    noise = b"retry: 0\nid: 99999\nevent: reset\n: their comment\nunknown: x\n"
    alone = noise + b"\n" + b"retry: 0\n\n" + b"id: 99999\n\n" + b": their comment\n\n"
    upstream.script = [noise + f + alone for f in answer("a", "b")]
    for target, body in (("/v1/chat/completions", chat_body()), ("/ask?format=events&model=m", b"why")):
        r = proxy.post(target, body)
        events = r.all_events()
        raw = b"".join(r.sse.blocks)
        for word in (b"id: 99999", b"reset", b"comment", b"unknown"):
            assert word not in raw
        retries = [int(v) for b in r.sse.blocks for n, v in fields(b) if n == "retry"]
        assert len(retries) == 1 and 1000 <= retries[0] <= 5000
        assert (bare_text(events) if b"event: done" in raw else content(events)) == "ab"


def test_the_times_after_which_clients_come_back_are_spread(proxy, upstream):
    upstream.script = answer("a")
    retries = set()
    for _ in range(8):
        r = proxy.chat()
        r.all_events()
        retries.add(r.sse.retry)
    assert len(retries) > 3


def test_ids_count_all_entries_without_a_gap(proxy, upstream):
    n = 5000
    upstream.script = [b"".join(answer(*(f"t{i} " for i in range(n)), usage=True))]
    expected = "".join(f"t{i} " for i in range(n))
    shown = proxy.chat(stream_options={"include_usage": True})
    events = shown.all_events()
    assert content(events) == expected
    assert [e.seq for e in events] == list(range(1, n + 5))  # role, tokens, finish, usage, [DONE]
    hidden = proxy.chat()
    events = hidden.all_events()
    assert content(events) == expected
    assert [e.seq for e in events] == [*range(1, n + 3), n + 4], "only the hidden usage has no number"
    r = proxy.get("/ask?q=a&model=m&format=events")
    events = r.all_events()
    assert bare_text(events) == expected
    seqs = [e.seq for e in events]
    assert seqs == sorted(set(seqs)) and seqs[-1] == n + 4
    for e in events:
        assert e.id == f"{r.header('X-Stream-Id')}.{e.seq}"


def test_an_entry_of_several_events_has_its_id_on_the_last(proxy, upstream):
    both = chunk({"role": "assistant", "reasoning_content": "hm", "content": "yes"})
    upstream.script = [frame(both), FINISH, DONE]
    r = proxy.get("/ask?q=a&model=m&format=events")
    events = r.all_events()
    assert [(e.type, e.data) for e in events[:2]] == [("reasoning", "hm"), ("message", "yes")]
    assert [b"id:" in e.raw for e in events] == [False, True, True]
    assert [e.seq for e in events[1:]] == [1, 3]


def test_ids_can_be_turned_off(rig, upstream):
    upstream.script = answer("a")
    p = rig.proxy(upstream, streams={"event_ids": False})
    r = p.chat()
    assert content(r.all_events()) == "a"
    assert not any(n == "id" for b in r.sse.blocks for n, _ in fields(b))


SPLIT_BODY = (b"\xef\xbb\xbf: hello\r\n\r\n" + ROLE.replace(b"\n", b"\r\n") + token("żółć 漢字").replace(b"\n", b"\r") +
              b"event: x\nid: 1\n" + token("\U0001f469\u200d\U0001f680\r\n") + b"data:\n\n" +
              b'data: {"id":"c","choices":[\ndata: {"index":0,"delta":{"content":"two lines"}}]}\n\n' + USAGE_FRAME +
              FINISH + DONE)


def digest_of(response, raw):
    raw = raw.replace(response.header("X-Stream-Id").encode(), b"ID")
    return hashlib.sha256(re.sub(rb"retry: \d+\n", b"", raw)).hexdigest()


def play_cut(cut, framing):
    def script(request, reply):
        reply.head(framing=framing, length=len(SPLIT_BODY))
        for piece in cut(SPLIT_BODY):
            reply.body(piece)
    return script


def test_the_way_in_which_an_upstream_s_bytes_come_changes_nothing(proxy, upstream):
    digests = {"chat": set(), "events": set(), "text": set()}
    ways = [(whole, "length"), (byte_by_byte, "close"), (byte_by_byte, "chunked")]
    ways += [(random_cuts(seed), ("chunked", "close", "length")[seed % 3]) for seed in range(300)]
    with proxy.client() as c:
        for number, (cut, framing) in enumerate(ways):
            upstream.script = play_cut(cut, framing)
            r = c.request("POST", "/v1/chat/completions", chat_body()).response("POST")
            digests["chat"].add(digest_of(r, r.read()))
            if number % 6 == 0:
                for format in ("events", "text"):
                    r = c.request("GET", f"/ask?q=a&model=m&format={format}").response()
                    digests[format].add(digest_of(r, r.read()))
    assert {name: len(found) for name, found in digests.items()} == {"chat": 1, "events": 1, "text": 1}


# --- usage, whole answers, lists --------------------------------------------------------------------

@pytest.mark.parametrize("options, shown", [(None, False), ({"include_usage": False}, False),
                                            ({"include_usage": True}, True), ({"x": 1}, False)])
def test_usage_is_always_asked_for_and_shown_to_who_asked(proxy, upstream, options, shown):
    upstream.script = answer("a", usage=True)
    r = proxy.chat(stream_options=options)
    got = check_stream(r, r.all_events())
    assert upstream.posts[-1].json["stream_options"]["include_usage"] is True
    assert (got.usage is not None) == shown
    assert got.text == "a" and got.finish_reason == "stop"


def test_a_server_that_refuses_stream_options_is_not_sent_them(rig, upstream):
    upstream.script = answer("a", usage=True)
    p = rig.proxy("http://api.mistral.ai/v1", upstreams={"u": {"proxy": upstream.origin}})
    r = p.chat()
    got = check_stream(r, r.all_events())
    assert got.text == "a" and got.usage is None
    assert upstream.posts[-1].json["stream"] is True
    assert "stream_options" not in upstream.posts[-1].json


def test_usage_counts_in_the_log_and_the_metrics_also_where_it_is_hidden(proxy, upstream):
    upstream.script = answer("a", usage=True)
    before = proxy.metrics()
    r = proxy.chat()
    r.all_events()
    end = proxy.wait_log("stream_end", stream=r.header("X-Stream-Id"))
    assert (end["prompt_tokens"], end["completion_tokens"]) == (11, 7)
    after = proxy.metrics()
    assert after['sluice_tokens_total{kind="prompt"}'] - before['sluice_tokens_total{kind="prompt"}'] == 11


def test_events_tell_usage_in_an_event_and_in_the_end(proxy, upstream):
    upstream.script = answer("a", usage=True)
    events = proxy.get("/ask?q=a&model=m&format=events").all_events()
    assert [e.type for e in events] == ["message", "usage", "done"]
    assert events[1].json == USAGE
    assert events[2].json == {"finish_reason": "stop", "usage": USAGE}


ODD_ANSWER = (b' {"id" : "x",\t"choices":[{"index":0,"message":{"role":"assistant","content":"a\\u00e9\xc3\xa9"},'
              b'"finish_reason":"stop"}],"usage":{"prompt_tokens":1E0,"x":9007199254740993},"error":null}\r\n')


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
def test_a_whole_answer_goes_on_byte_for_byte(proxy, upstream, framing):
    def script(request, reply):
        reply.head(framing=framing, length=len(ODD_ANSWER), type="application/json")
        for piece in random_cuts(3)(ODD_ANSWER):
            reply.body(piece)

    upstream.script = script
    r = proxy.chat(stream=False)
    assert r.status == 200 and r.header("Content-Type") == "application/json"
    assert r.read() == ODD_ANSWER
    assert int(r.header("Content-Length")) == len(ODD_ANSWER)
    assert "stream_options" not in upstream.posts[-1].json


def test_a_large_whole_answer_goes_on_byte_for_byte(proxy, upstream):
    body = json.dumps(completion("x" * 3_000_000)).encode()
    upstream.script = [lambda reply: reply.whole(body)]
    assert proxy.chat(stream=False).read() == body


def test_a_whole_answer_in_place_of_a_stream_becomes_one(proxy, upstream):
    upstream.script = json_answer(completion("all of it"))
    r = proxy.chat(stream_options={"include_usage": True})
    got = check_stream(r, r.all_events())
    assert (got.text, got.finish_reason, got.usage["total_tokens"]) == ("all of it", "stop", 18)


def test_embeddings_go_on_byte_for_byte(proxy, upstream):
    answered = b'{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.1,-1e-7]}],"model":"e"}'
    upstream.script = [lambda reply: reply.whole(answered)]
    asked = b'{"model":"e", "input":["a","b"],"encoding_format":"float" }'
    r = proxy.post("/v1/embeddings", asked)
    assert r.status == 200 and r.read() == answered
    assert upstream.posts[-1].target == "/v1/embeddings" and upstream.posts[-1].body == asked


def test_legacy_completions_stream(proxy, upstream):
    pieces = [{"id": "cmpl-1", "object": "text_completion", "created": 1, "model": "m",
               "choices": [{"text": t, "index": 0, "logprobs": None, "finish_reason": f}]}
              for t, f in (("a", None), ("b", None), ("", "length"))]
    upstream.script = [*map(frame, pieces), DONE]
    r = proxy.post("/v1/completions", {"model": "m", "prompt": "p", "stream": True})
    got = check_stream(r, r.all_events())
    assert (got.text, got.finish_reason) == ("ab", "length")
    assert upstream.posts[-1].target == "/v1/completions"


def model_ids(response):
    assert response.status == 200 and response.json["object"] == "list"
    for model in response.json["data"]:
        assert model["object"] == "model" and isinstance(model["created"], int) and model["owned_by"]
    return [m["id"] for m in response.json["data"]]


@pytest.mark.parametrize("models, expected", [
    ({"fast": "a/a1", "slow": "b", "*": "a"}, ["fast", "slow", "a1", "both"]),
    ({"fast": "a/a1"}, ["fast"]),
    (None, ["a1", "both", "b1"]),
])
def test_the_list_of_models_holds_the_aliases_and_what_can_be_reached(rig, models, expected):
    a, b, c = rig.upstream(models=["a1", "both"]), rig.upstream(models=["both", "b1"]), rig.upstream(models=None)
    p = rig.start({"listen": ["127.0.0.1:0"], "upstreams": {n: {"url": u.url} for n, u in zip("abc", (a, b, c))},
                   **({"models": models} if models else {})})
    assert sorted(model_ids(p.get("/v1/models"))) == sorted(expected)


def test_a_model_goes_to_the_upstream_that_lists_it_or_is_named(rig):
    a, b = rig.upstream(answer("a"), models=["a1", "both"]), rig.upstream(answer("b"), models=["both", "b1"])
    p = rig.start({"listen": ["127.0.0.1:0"], "upstreams": {"a": {"url": a.url}, "b": {"url": b.url}}})
    for model, text, name in (("a1", "a", "a1"), ("b1", "b", "b1"), ("b/other/model", "b", "other/model"),
                              ("both", "a", "both")):
        assert content(p.chat(model=model).all_events()) == text
        assert (a if text == "a" else b).posts[-1].json["model"] == name
    r = p.chat(model="nobody-has-it")
    assert (r.status, r.error["code"]) == (404, "model_not_found")


def test_without_any_list_the_list_of_models_is_an_error(rig):
    p = rig.proxy(rig.upstream(models=None))
    assert p.get("/v1/models").status == 502


@pytest.mark.parametrize("stream", [True, False])
def test_an_unknown_model_is_told_as_openai_does(rig, upstream, posts, stream):
    p = rig.proxy(upstream, models={"fast": "u/m", "*": None})
    r = p.chat(model="nope", stream=stream)
    assert r.status == 404
    assert r.error["code"] == "model_not_found" and r.error["type"] == "invalid_request_error"
    assert r.error["param"] == "model" and "nope" in r.error["message"]
    assert posts() == 0


# --- waiting ----------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def patient(shared_rig, upstream):
    return shared_rig.proxy(upstream, streams={"heartbeat": "1s", "open_after": "500ms"})


@pytest.mark.parametrize("format", ["openai", "events"])
def test_heartbeats_come_before_the_first_token_and_between_tokens(patient, upstream, format):
    first, second = upstream.gate(), upstream.gate()
    upstream.script = [first, ROLE, token("a"), second, token("b"), FINISH, DONE]
    asked = time.monotonic()
    r = patient.chat() if format == "openai" else patient.get("/ask?q=a&model=m&format=events")
    assert r.status == 200 and 0.4 < time.monotonic() - asked < 1.2, "opens after open_after"
    beats, raw, events = [], b"", []
    reader = EventReader()
    for piece in r.pieces():
        raw += piece
        beats += [time.monotonic()] * len(re.findall(rb"(?m)^:", piece))
        events += reader.feed(piece)
        if len(beats) == 2 and not first.is_open:
            assert b"data" not in raw
            first.open()
        elif len(beats) == 3 and not second.is_open:
            assert len(events) > 0
            second.open()
    gaps = [b - a for a, b in zip([r.head_at, *beats], beats)]
    assert all(0.7 < g < 1.6 for g in gaps[:3]), gaps
    check_blocks(reader.blocks, r.header("X-Stream-Id"), named=format == "events")
    assert (content if format == "openai" else bare_text)(events) == "ab"


def test_text_has_no_heartbeats(patient, upstream):
    upstream.script = [ROLE, silent(1.3), token("a"), silent(1.3), token("b"), FINISH, DONE]
    assert patient.get("/ask?q=a&model=m").read() == b"ab"


def test_heartbeats_can_be_turned_off(rig, upstream):
    p = rig.proxy(upstream, streams={"heartbeat": "off", "open_after": "200ms"})
    upstream.script = [ROLE, silent(1.5), token("a"), FINISH, DONE]
    r = p.chat()
    assert content(r.all_events()) == "a"
    assert not any(n == "" for b in r.sse.blocks for n, _ in fields(b))


def test_the_status_waits_for_content_and_an_error_before_it_is_a_status(patient, upstream):
    upstream.script = [b": comment\n\n", ROLE, silent(0.2),
                       frame({"error": {"message": "overloaded", "type": "server_error", "code": "overloaded"}})]
    r = patient.chat()
    assert r.status == 503 and r.error["code"] == "overloaded"


def test_after_open_after_an_error_stands_in_the_stream(patient, upstream):
    gate = upstream.gate()
    upstream.script = [ROLE, gate, frame({"error": {"message": "overloaded", "type": "server_error"}})]
    r = patient.chat()
    assert r.status == 200
    gate.open()
    got = check_stream(r, r.all_events())
    assert got.error["message"] == "overloaded" and got.text == ""


def test_tokens_go_out_as_they_come(proxy, upstream):
    gates = [upstream.gate() for _ in range(20)]
    upstream.script = [ROLE] + [step for i, g in enumerate(gates) for step in (token(f"{i} "), g)] + [FINISH, DONE]
    r = proxy.chat()
    assert r.next_event().json["choices"][0]["delta"]["role"] == "assistant"
    for i, g in enumerate(gates):
        assert content([r.next_event()]) == f"{i} "
        g.open()
    assert r.all_events()[-1].data == "[DONE]"


# --- /ask -------------------------------------------------------------------------------------------

@pytest.mark.parametrize("headers, query, type", [
    ({}, "", "text/plain"),
    ({"Accept": "*/*"}, "", "text/plain"),
    ({"Accept": "text/plain"}, "", "text/plain"),
    ({"Accept": "text/event-stream"}, "", "text/event-stream"),
    ({"Accept": "text/event-stream"}, "&format=text", "text/plain"),
    ({"Accept": "text/plain"}, "&format=events", "text/event-stream"),
    ({}, "&format=openai", "text/event-stream"),
    ({"Accept": "application/json"}, "", "application/json"),
    ({}, "&format=json", "application/json"),
])
def test_ask_chooses_its_format(proxy, upstream, headers, query, type):
    upstream.script = answer("Hel", "lo", usage=True)
    r = proxy.get("/ask?q=a&model=m" + query, headers)
    assert r.status == 200 and r.header("Content-Type").split(";")[0] == type
    assert r.header("Cache-Control") == "no-cache, no-store, no-transform"
    if type == "text/plain":
        assert r.read() == b"Hello"
    elif type == "application/json":
        assert (r.json["state"], r.json["text"], r.json["finish_reason"]) == ("done", "Hello", "stop")
        assert r.json["id"] == r.header("X-Stream-Id") and r.json["usage"]["total_tokens"] == 18
    elif "openai" in query:
        assert check_stream(r, r.all_events()).text == "Hello"
    else:
        assert bare_text(r.all_events()) == "Hello"


def test_ask_refuses_an_unknown_format(proxy, posts):
    assert proxy.get("/ask?q=a&format=morse").status == 400
    assert posts() == 0


@pytest.mark.parametrize("make, prompt, model, system", [
    (lambda p: p.get("/ask?q=why%20is+it+%C3%BC"), "why is it ü", "m", None),
    (lambda p: p.get("/ask?q=a&model=other%2Fx"), "a", "other/x", None),
    (lambda p: p.get("/ask?q=a&system=be%20brief"), "a", "m", "be brief"),
    (lambda p: p.post("/ask", b"why is the sky blue", {"Content-Type": "application/x-www-form-urlencoded"}),
     "why is the sky blue", "m", None),
    (lambda p: p.post("/ask?model=x&system=s", 'a=b&c+d %41\n"ü"'.encode(),
                      {"Content-Type": "application/x-www-form-urlencoded"}), 'a=b&c+d %41\n"ü"', "x", "s"),
    (lambda p: p.post("/ask", b"plain", {"Content-Type": "text/plain; charset=utf-8"}), "plain", "m", None),
    (lambda p: p.post("/ask", b"no type", {"Content-Type": None}), "no type", "m", None),
], ids=["query", "model", "system", "curl", "as-it-stands", "text", "typeless"])
def test_ask_sends_the_question_as_it_stands(proxy, upstream, make, prompt, model, system):
    upstream.script = answer("ok")
    assert make(proxy).status == 200
    asked = upstream.posts[-1].json
    messages = [{"role": "system", "content": system}] if system else []
    assert asked["messages"] == [*messages, {"role": "user", "content": prompt}]
    assert asked["model"] == model and asked["stream"] is True
    assert upstream.posts[-1].target == "/v1/chat/completions"


def test_ask_without_a_model_takes_the_first_of_the_configuration(rig, upstream):
    upstream.script = answer("ok")
    p = rig.proxy(upstream, models={"fast": "u/first-one", "slow": "u/second", "*": "u"})
    assert p.get("/ask?q=a").status == 200
    assert upstream.posts[-1].json["model"] == "first-one"


@pytest.mark.parametrize("method, target, body", [
    ("GET", "/ask", None), ("GET", "/ask?q=", None), ("POST", "/ask", b""),
    ("POST", "/ask", b"a\x00b")])
def test_ask_refuses_what_is_no_question(proxy, posts, method, target, body):
    r = proxy.open(method, target, body)
    assert r.status == 400 and r.error["message"]
    assert posts() == 0


@pytest.mark.parametrize("method, target, body", [
    ("POST", "/ask?model=m", b"a\xff\xfeb"), ("GET", "/ask?model=m&q=a%FFb", None), ("POST", "/ask?model=%FF", b"a")])
def test_of_a_question_that_is_not_utf_8_nothing_bad_goes_on(proxy, upstream, posts, method, target, body):
    upstream.script = answer("ok")
    r = proxy.open(method, target, body)
    assert r.status in (200, 400)
    assert posts() == (r.status == 200)
    if posts():
        assert upstream.posts[-1].body.decode("utf-8", "strict") and upstream.posts[-1].json


# --- coming back ------------------------------------------------------------------------------------

ASK = "/ask?q=a&model=m&format=events"


def come_back(proxy, id, target=ASK, **more):
    return proxy.get(target, {"Last-Event-ID": id}, **more)


def test_a_stream_that_was_read_to_its_end_is_answered_204(proxy, upstream, posts):
    upstream.script = answer("a", "b")
    events = proxy.get(ASK).all_events()
    assert events[-1].type == "done"
    r = come_back(proxy, events[-1].id)
    assert r.status == 204 and r.read() == b""
    again = proxy.get(f"{ASK}&last_event_id={events[-1].id}")
    assert again.status == 204
    assert posts() == 1


def test_coming_back_in_the_middle_goes_on_right_there(proxy, upstream, posts):
    gate = upstream.gate()
    upstream.script = [ROLE, *map(token, "abc"), gate, *map(token, "def"), FINISH, DONE]
    first = proxy.get(ASK)
    seen = [first.next_event() for _ in range(3)]
    first.client.close()
    second = come_back(proxy, seen[-1].id)
    assert second.status == 200 and second.header("X-Stream-Id") == first.header("X-Stream-Id")
    gate.open()
    rest = second.all_events()
    assert bare_text(seen) == "abc" and bare_text(rest) == "def"
    assert rest[0].seq > seen[-1].seq and rest[-1].type == "done"
    assert posts() == 1


def test_a_browser_that_is_cut_at_random_gets_everything_once(proxy, upstream, posts):
    texts = [f"{i} " for i in range(400)]

    def script(request, reply):
        for f in answer(*texts, usage=True):
            reply.body(f)
            reply.silent(0.002)

    upstream.script = script
    rng = random.Random(7)
    r, got, cuts = proxy.get(ASK), [], 0
    while True:
        try:
            for _ in range(rng.randint(1, 20)):
                got.append(r.next_event())
        except StopIteration:
            break
        r.client.reset() if rng.random() < 0.5 else r.client.close()
        cuts += 1
        r = come_back(proxy, got[-1].id)
        if r.status == 204:
            break
    assert bare_text(got) == "".join(texts)
    assert got[-1].type == "done"
    assert cuts > 20 and posts() == 1


def nobody_watches(proxy):
    wait_until(lambda: proxy.metrics()["sluice_viewers"] == 0, "the viewers to leave")


def test_who_is_cut_off_before_the_first_event_takes_over_what_it_began(proxy, upstream, posts):
    gate = upstream.gate()
    upstream.script = [ROLE, gate, *map(token, "ab"), FINISH, DONE]
    target = "/ask?q=cut+before+the+first+event&format=events"
    for cut in ("close", "reset", "close"):
        client = proxy.client().request("GET", target)
        wait_until(lambda: proxy.metrics()["sluice_viewers"] == 1, "the viewer")
        client.close() if cut == "close" else client.reset()
        nobody_watches(proxy)
    client = proxy.client().request("GET", target)
    gate.open()
    events = client.response().all_events()
    assert bare_text(events) == "ab" and events[-1].type == "done"
    assert posts() == 1


def test_those_who_ask_the_same_at_the_same_time_each_get_their_own(rig, upstream, posts):
    p = rig.proxy(upstream, workers=4)
    upstream.script = answer("a", "b")
    rounds, together = 10, 16

    def ask(_):
        r = p.get(ASK)
        assert bare_text(r.all_events()) == "ab"
        return r.header("X-Stream-Id")

    for _ in range(rounds):
        assert len(set(parallel(together, ask))) == together
    assert posts() == rounds * together


def test_an_answer_that_was_complete_before_anybody_read_it_is_taken_over_too(proxy, upstream, posts):
    gate = upstream.gate()
    upstream.script = [gate, ROLE, *map(token, "ab"), FINISH, DONE]
    target = "/ask?q=complete+before+it+was+read&format=events"
    client = proxy.client().request("GET", target)
    wait_until(lambda: proxy.metrics()["sluice_viewers"] == 1, "the viewer")
    client.close()
    nobody_watches(proxy)
    done = len(proxy.logged("stream_end"))
    gate.open()
    proxy.wait_log("stream_end", count=done + 1)
    assert bare_text(proxy.get(target).all_events()) == "ab"
    assert posts() == 1
    assert bare_text(proxy.get(target).all_events()) == "ab"  # it was read: this is another question
    assert posts() == 2


def test_what_somebody_has_read_of_or_watches_is_never_taken_over(proxy, upstream, posts):
    upstream.script = [ROLE, token("a"), stall]
    target = "/ask?q=read+or+watched&format=events"
    r = proxy.get(target)
    r.next_event()
    watched = proxy.get(target)  # at the same time
    watched.next_event()
    r.client.close()
    watched.client.close()
    nobody_watches(proxy)
    other = proxy.get(target)  # both were read
    other.next_event()
    assert len({x.header("X-Stream-Id") for x in (r, watched, other)}) == 3
    assert posts() == 3
    other.client.close()


def test_the_same_post_with_a_last_event_id_goes_on_with_the_stream(proxy, upstream, posts):
    upstream.script = answer(*"abcdef", usage=True)
    r = proxy.chat()
    events = r.all_events()
    for i, e in enumerate(events[:-1]):
        again = proxy.chat({"Last-Event-ID": e.id})
        assert again.status == 200 and again.header("X-Stream-Id") == r.header("X-Stream-Id")
        rest = again.all_events()
        assert [(x.data, x.id) for x in rest] == [(x.data, x.id) for x in events[i + 1:]]
        check_blocks(again.sse.blocks, r.header("X-Stream-Id"))
    assert proxy.chat({"Last-Event-ID": events[-1].id}).status == 204
    from_the_start = proxy.chat({"Last-Event-ID": r.header("X-Stream-Id") + ".0"})
    assert content(from_the_start.all_events()) == "abcdef"
    assert posts() == 1


def test_a_post_that_detached_can_be_repeated_while_it_runs(proxy, upstream, posts):
    gate = upstream.gate()
    upstream.script = [ROLE, token("a"), gate, token("b"), FINISH, DONE]
    r = proxy.chat({"X-Sluice-Client-Leaves": "detach 20s"})
    seen = [r.next_event(), r.next_event()]
    r.client.close()
    again = proxy.chat({"Last-Event-ID": seen[-1].id})
    gate.open()
    assert content(again.all_events()) == "b"
    assert posts() == 1


def test_a_stream_has_any_number_of_viewers(proxy, upstream, posts):
    gate = upstream.gate()
    upstream.script = [ROLE, token("a"), gate, token("b"), FINISH, DONE]
    first = proxy.get(ASK)
    start = first.next_event()
    others = [come_back(proxy, start.id) for _ in range(10)]
    gate.open()
    for r in (first, *others):
        events = r.all_events()
        assert bare_text(events) == "b" and events[-1].type == "done"
    assert posts() == 1


def test_a_cancelled_stream_can_be_read_to_its_end(proxy, upstream):
    upstream.script = [ROLE, token("a"), token("b"), stall]
    r = proxy.chat()
    seen = [r.next_event() for _ in range(3)][:2]
    r.client.close()
    proxy.wait_log("stream_end", stream=r.header("X-Stream-Id"), code="client_gone")
    again = proxy.chat({"Last-Event-ID": seen[-1].id})
    got = check_stream(again, again.all_events())
    assert got.text == "b" and got.error["code"] == "client_gone"


@pytest.mark.parametrize("format", ["events", "openai"])
def test_who_comes_back_to_a_stream_is_told_in_it_how_it_ended(proxy, upstream, format):
    upstream.script = [ROLE, token("a"), stall]
    r = proxy.get(ASK.replace("events", format), {"X-Sluice-Client-Leaves": "cancel"})
    last = [r.next_event() for _ in range(1 if format == "events" else 2)][-1]
    r.client.close()
    proxy.wait_log("stream_end", stream=r.header("X-Stream-Id"), code="client_gone")
    again = come_back(proxy, last.id, ASK.replace("events", format))
    assert again.status == 200  # no browser would read on after another status
    events = again.all_events()
    assert "client_gone" in events[0].data and len(events) == (1 if format == "events" else 2)


def test_a_failed_stream_is_replayed_with_the_same_failure(proxy, upstream):
    upstream.script = [ROLE, *map(token, "abcde"), lambda reply: reply.reset()]
    events = proxy.get(ASK).all_events()
    assert events[-1].type == "failed" and events[-1].json["partial"] is True
    again = come_back(proxy, events[0].id).all_events()
    assert [(e.type, e.data, e.id) for e in again] == [(e.type, e.data, e.id) for e in events[1:]]
    assert come_back(proxy, events[-1].id).status == 204


@pytest.mark.parametrize("target", [ASK, "/v1/streams/{id}?format=events"])
def test_the_end_tells_of_the_whole_answer_wherever_a_viewer_came_in(proxy, upstream, target):
    upstream.script = answer("a", "b", usage=True)
    r = proxy.get(ASK)
    events = r.all_events()
    id = r.header("X-Stream-Id")
    for seq in range(events[-1].seq):
        rest = come_back(proxy, f"{id}.{seq}", target.replace("{id}", id)).all_events()
        assert [(e.type, e.data, e.id) for e in rest if e.type != "message"] == [
            (e.type, e.data, e.id) for e in events if e.type != "message" and e.seq > seq]
        assert rest[-1].json == {"finish_reason": "stop", "usage": USAGE}


@pytest.mark.parametrize("format", ["events", "openai"])
def test_a_failure_after_content_is_partial_wherever_a_viewer_came_in(proxy, upstream, format):
    upstream.script = [ROLE, token("a"), token("b"), lambda reply: reply.reset()]
    r = proxy.get(ASK.replace("events", format))
    events = r.all_events()
    failed = next(e for e in events if "partial" in e.data)
    for seq in range(3):
        again = come_back(proxy, f"{r.header('X-Stream-Id')}.{seq}", ASK.replace("events", format)).all_events()
        assert failed.data in [e.data for e in again]


@pytest.fixture(scope="module")
def ended_stream(proxy, upstream):
    upstream.script = answer("a")
    return proxy.get(ASK).all_events()[-1].id.rpartition(".")[0]


@pytest.mark.parametrize("position, expected", [
    ("A" * 22 + ".1", 404), ("abc", 400), ("-1", 400), ("7", 400), ("{id}", 400),
    ("{id}.", 400), (".1", 400), ("{id}.-1", 400), ("{id}.+1", 400), ("{id}.1x", 400), ("{id}.1.2", 400),
    ("{id}. 1", 400), ("{id}.5", 400), ("{id}.18446744073709551615", 400), ("{id}.18446744073709551616", 400),
    ("{id}.1000000000000000000000000000000", 400), ("x" * 8000, 400), ("{id}.0x1", 400),
    ("{id}.\u0661".encode().decode("latin-1"), 400)])
@pytest.mark.parametrize("way", ["header", "query", "post"])
def test_a_position_that_is_none_is_refused(proxy, posts, ended_stream, way, position, expected):
    position = position.replace("{id}", ended_stream)
    if way == "header":
        r = come_back(proxy, position)
    elif way == "post":
        r = proxy.chat({"Last-Event-ID": position})
    else:
        r = proxy.get(f"{ASK}&last_event_id=" + position.replace("+", "%2B").replace(" ", "%20"))
    if len(position) > 5000:
        assert r.status in (expected, 414, 431)
    else:
        assert r.status == expected and r.error["message"]
    assert posts() == 0


def test_two_positions_are_refused(proxy, posts, ended_stream):
    with proxy.client() as c:
        c.send((f"GET {ASK} HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: {ended_stream}.3\r\n"
                f"Last-Event-ID: {ended_stream}.1\r\n\r\n").encode())
        assert c.response().status == 400
    assert posts() == 0


def test_an_unknown_stream_and_one_that_was_forgotten_are_the_same(rig, upstream):
    p = rig.proxy(upstream, streams={"keep": "500ms"})
    upstream.script = answer("a")
    id = p.get(ASK).all_events()[0].id
    assert come_back(p, id).status == 200
    wait_until(lambda: come_back(p, id).status == 404, "the stream to be forgotten", timeout=4)
    assert come_back(p, id).read() == come_back(p, "A" * 22 + ".1").read()


@pytest.fixture
def short_memory(rig, upstream):
    """A proxy whose log holds no more than the last few entries of a stream, and such a stream, read as it came."""
    p = rig.proxy(upstream, streams={"per_stream": "8KiB"})
    batches = [[f"{i * 10 + k:04} " for k in range(10)] for i in range(40)]
    gates = [upstream.gate() for _ in batches]
    upstream.script = [ROLE, *(step for texts, gate in zip(batches, gates) for step in (*map(token, texts), gate)),
                       FINISH, DONE]
    r = p.get(ASK)
    events = []
    for texts, gate in zip(batches, gates):
        events += [r.next_event() for _ in texts]
        gate.open()
    events += r.all_events()
    assert bare_text(events) == "".join(sum(batches, []))
    return p, events


def test_a_position_that_was_evicted_is_told_and_what_is_left_follows(short_memory):
    p, events = short_memory
    r = come_back(p, events[0].id)
    assert r.status == 200
    again = r.all_events()
    assert again[0].type == "lost"
    first = int(str(again[0].json["first_id"]).rpartition(".")[2])
    assert again[-1].type == "done"
    assert bare_text(again) == bare_text(e for e in events if e.seq >= first)


@pytest.mark.parametrize("format", ["openai", "text"])
def test_a_position_that_was_evicted_is_410_where_no_event_can_tell(short_memory, format):
    p, events = short_memory
    r = come_back(p, events[0].id, ASK.replace("events", format))
    assert r.status == 410 and r.error["first_id"]
