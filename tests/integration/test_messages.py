"""Anthropic's Messages for its clients: passed on where the upstream speaks it, made where it does not; and what between two
APIs is refused, left out, or not there."""

import json

import pytest

from apis import APIS, AnthropicClient, anthropic, anthropic_events, named
from rig import wait_until
from upstream import DONE, FINISH, ROLE, Gate, answer, json_answer, stall, status, token

MESSAGE = {"role": "user", "content": "say something"}
ORDER = ["message_start", "content_block_start", "content_block_delta", "content_block_stop", "message_delta",
         "message_stop"]


@pytest.fixture(scope="module")
def made(shared_rig):
    return shared_rig.upstream()


@pytest.fixture(scope="module")
def native(shared_rig):
    return shared_rig.upstream()


@pytest.fixture(scope="module")
def proxy(shared_rig, made, native):
    upstreams = {"made": {"api": "openai", "url": made.url, "key": "pk-of-the-test"},
                 "native": {"api": "anthropic", "url": native.origin, "key": "pk-of-the-test"}}
    return shared_rig.proxy(upstreams=upstreams, models={"made": "made/m", "native": "native/m"}, workers=2,
                            streams={"heartbeat": "1s"})


def ask(proxy, model="made", headers=(), **members):
    body = {"model": model, "max_tokens": 100, "stream": True, "messages": [MESSAGE], **members}
    return proxy.post("/v1/messages", {k: v for k, v in body.items() if v is not None}, headers)


def kinds(events):
    return [e.type for e in events if e.type != "ping"]


def text_of(events):
    return "".join(e.json["delta"].get("text", "") for e in events if e.type == "content_block_delta")


# --- the same API on both sides ---------------------------------------------------------------------

def test_a_request_reaches_an_upstream_of_the_same_api_as_it_came(proxy, native):
    native.script = anthropic("text")
    body = (b'{"model":"native",  "max_tokens":1e2,"stream":true,"temperature":0.30000000000000004,'
            b'"system":[{"type":"text","text":"\\u00e9","cache_control":{"type":"ephemeral"}}],'
            b'"thinking":{"type":"enabled","budget_tokens":1024},"new_member":[1.0,{}],'
            b'"messages":[{"role":"user","content":[{"type":"new_block","x":12345678901234567890}]}]}')
    r = proxy.post("/v1/messages", body, {"anthropic-version": "2026-10-21", "anthropic-beta": "a,b",
                                          "x-api-key": "the-client's"})
    assert kinds(r.all_events())[-1] == "message_stop"
    asked = native.requests[-1]
    assert asked.body == body.replace(b'"native"', b'"m"')
    assert asked.target == "/v1/messages" and asked.header("x-api-key") == "pk-of-the-test"
    assert asked.header("anthropic-version") == "2026-10-21" and asked.header("anthropic-beta") == "a,b"
    assert asked.header("authorization") is None


def test_frames_of_the_same_api_reach_the_client_as_they_came(proxy, native):
    frames = [*anthropic_events("reasoning")]
    frames[3:3] = [{"type": "ping"}, {"type": "new_event", "n": 1}]
    native.script = [named(f) for f in frames]
    r = ask(proxy, "native")
    events = [e for e in r.all_events() if e.type != "ping"]
    assert [e.json for e in events] == [f for f in frames if f["type"] != "ping"]
    assert [e.type for e in events] == [e.json["type"] for e in events]
    assert native.requests[-1].header("anthropic-version") == "2023-06-01"


def test_a_body_in_one_piece_of_the_same_api_is_passed_on(proxy, native):
    message = {"id": "msg_7", "type": "message", "role": "assistant", "model": "m", "new": 1.0,
               "content": [{"type": "text", "text": "hi"}], "stop_reason": "end_turn", "stop_sequence": None,
               "usage": {"input_tokens": 1, "output_tokens": 2}}
    native.script = json_answer(message)
    r = ask(proxy, "native", stream=None)
    assert r.status == 200 and r.json == message


def test_counting_tokens_is_for_upstreams_that_can(proxy, native):
    native.script = json_answer({"input_tokens": 14})
    body = {"model": "native", "messages": [MESSAGE]}
    r = proxy.post("/v1/messages/count_tokens", body)
    assert r.json == {"input_tokens": 14} and native.requests[-1].target == "/v1/messages/count_tokens"
    r = proxy.post("/v1/messages/count_tokens", {**body, "model": "made"})
    assert r.status == 404 and r.json["error"]["code"] == "not_supported_by_upstream"
    r = proxy.post("/v1/embeddings", {"model": "native", "input": "a"})
    assert r.status == 404 and r.error["code"] == "not_supported_by_upstream"


# --- errors -----------------------------------------------------------------------------------------

@pytest.mark.parametrize("code,theirs,seen,type", [
    (400, {"error": {"message": "no", "type": "invalid_request_error"}}, 400, "invalid_request_error"),
    (401, {"error": {"message": "no", "type": "x"}}, 502, "api_error"),
    (404, {"error": {"message": "no such", "code": "model_not_found"}}, 404, "not_found_error"),
    (429, {"error": {"message": "slow down"}}, 429, "rate_limit_error"),
    (500, {"error": {"message": "oops"}}, 500, "api_error"),
    (503, {"error": {"message": "busy"}}, 529, "overloaded_error"),
])
def test_an_error_before_the_stream_is_told_in_this_api(proxy, made, code, theirs, seen, type):
    made.script = status(code, json.dumps(theirs).encode(), headers={"Retry-After": "7"})
    r = ask(proxy)
    assert (r.status, r.json["type"], r.json["error"]["type"]) == (seen, "error", type)
    assert r.header("Retry-After") == "7"
    assert r.header("request-id") == r.json["request_id"] == r.header("X-Request-Id")
    if code != 401:
        assert r.json["error"]["message"] == theirs["error"]["message"]


@pytest.mark.parametrize("theirs,code", [(529, 503), (429, 429)])
def test_an_overload_is_told_to_openais_clients_in_theirs(proxy, native, theirs, code):
    native.script = status(theirs, {529: b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}',
                                    429: b'{"type":"error","error":{"type":"rate_limit_error","message":"Slow"}}'}[theirs])
    r = proxy.chat(model="native")
    assert r.status == code
    assert r.error["type"] == {503: "service_unavailable", 429: "rate_limit_error"}[code]


def test_a_key_that_google_refuses_is_ours(rig):
    upstream = rig.upstream(status(400, json.dumps({"error": {
        "code": 400, "message": "API key not valid.", "status": "INVALID_ARGUMENT",
        "details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}]}}).encode()))
    p = rig.proxy(upstreams={"u": {"api": "gemini", "url": upstream.origin, "key": "k"}})
    r = p.chat()
    assert (r.status, r.error["code"]) == (502, "upstream_auth")


def test_an_error_of_ours_is_told_in_this_api(proxy):
    r = proxy.post("/v1/messages", b'{"model":"made","messages":[],}')
    assert (r.status, r.json["type"], r.json["error"]["type"]) == (400, "error", "invalid_request_error")
    r = ask(proxy, "nobody")
    assert (r.status, r.json["error"]["type"]) == (404, "not_found_error")


def test_a_stream_that_breaks_off_ends_with_an_error_and_nothing_else(proxy, made):
    made.script = [ROLE, token("half an"), lambda reply: reply.reset()]
    events = ask(proxy).all_events()
    assert kinds(events)[-1] == "error" and "message_stop" not in kinds(events)
    assert events[-1].json["error"]["code"] == "upstream_incomplete"


# --- what lies between two APIs ---------------------------------------------------------------------

def test_what_is_left_out_is_named(proxy, made):
    made.script = answer("a")
    r = ask(proxy, context_management={"edits": [1]},
            system=[{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}],
            tools=[{"name": "f", "input_schema": {"type": "object"}}, {"type": "web_search_20250305", "name": "web_search"}])
    assert set(r.header("X-Sluice-Dropped").split(", ")) == {"context_management", "tools[1]", "cache_control"}
    assert [t["function"]["name"] for t in made.requests[-1].json["tools"]] == ["f"]
    r = ask(proxy)
    assert r.header("X-Sluice-Dropped") is None


@pytest.mark.parametrize("members,place", [
    ({"n": 2}, "n"),
    ({"logprobs": True}, "logprobs"),
    ({"messages": [{"role": "user", "content": [{"type": "input_audio", "input_audio": {
        "data": "AA==", "format": "wav"}}]}]}, "messages"),
    ({"tools": [{"type": "custom", "custom": {"name": "f"}}]}, "tools[0].type"),
])
def test_what_cannot_be_asked_is_refused_by_its_place(proxy, native, members, place):
    before = len(native.posts)
    r = proxy.chat(model="native", **members)
    assert (r.status, r.error["code"]) == (400, "unsupported_value")
    assert r.error["param"].startswith(place) and place.split("[")[0] in r.error["message"]
    assert len(native.posts) == before


# --- streams ----------------------------------------------------------------------------------------

def test_who_waits_gets_pings(proxy, made):
    gate = Gate(made)
    made.script = [ROLE, token("a"), gate, token("b"), FINISH, DONE]
    r = ask(proxy)
    seen = []
    for e in r.events():
        seen.append(e.type)
        if seen.count("ping") == 2:
            gate.open()
    assert [k for k in seen if k != "ping"] == [ORDER[0], ORDER[1], ORDER[2], *ORDER[2:]]


@pytest.mark.parametrize("model", ["made", "native"])
def test_who_comes_back_is_told_the_starts_again_and_goes_on(proxy, made, native, model):
    upstream = {"made": made, "native": native}[model]
    gate = Gate(upstream)
    script = anthropic("text") if model == "native" else answer("Hello ", "w\u00f6rld", " \U0001f600")
    upstream.script = [*script[:-3], gate, *script[-3:]]
    r = ask(proxy, model, {"X-Sluice-Client-Leaves": "detach 30s"})
    events = r.events()
    first = next(e for e in events if e.type == "content_block_delta")
    posts = len(upstream.posts)
    r.client.close()
    gate.open()
    again = ask(proxy, model, {"Last-Event-ID": first.id})
    rest = again.all_events()
    assert kinds(rest)[:2] == ["message_start", "content_block_start"]
    assert kinds(rest)[-1] == "message_stop"
    assert first.json["delta"]["text"] + text_of(rest) == "Hello w\u00f6rld \U0001f600"
    assert rest[0].json["message"]["role"] == "assistant"
    assert len(upstream.posts) == posts


def test_a_late_viewer_gets_what_was_said_in_one_delta(proxy, made):
    gate = Gate(made)
    made.script = [ROLE, *map(token, "abcdefgh"), gate, token("!"), FINISH, DONE]
    r = ask(proxy)
    said = ""
    while said != "abcdefgh":
        said += text_of([r.next_event()])
    late = proxy.get(f"/v1/streams/{r.header('X-Stream-Id')}?format=anthropic")
    deltas = []
    for e in late.events():
        if e.type == "content_block_delta":
            deltas.append(e.json["delta"]["text"])
            gate.open()
    assert "".join(deltas) == "abcdefgh!" and len(deltas) <= 3
    assert said + text_of(r.all_events()) == "abcdefgh!"


@pytest.mark.parametrize("model", ["made", "native"])
def test_a_stream_that_is_stopped_ends_well(proxy, made, native, model):
    upstream = {"made": made, "native": native}[model]
    say = anthropic("text")[:3] if model == "native" else [ROLE, token("Hello ")]
    upstream.script = [*say, stall]
    r = ask(proxy, model)
    seen = [r.next_event()]
    while seen[-1].type != "content_block_delta":
        seen.append(r.next_event())
    proxy.post(f"/v1/streams/{r.header('X-Stream-Id')}/stop", b"", {"Content-Type": None})
    events = seen + r.all_events()
    assert kinds(events)[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    assert events[-2].json["delta"]["stop_reason"] == "end_turn"
    AnthropicClient.read_stream(events)


def test_the_bill_stops_when_the_client_leaves(proxy, native):
    native.script = [*anthropic("text")[:2], stall]
    r = ask(proxy, "native")
    next(r.events())
    r.client.close()
    wait_until(lambda: native.requests[-1].connection.closed, "the end of the upstream's connection")


def test_a_stream_is_begun_with_a_body_of_this_api_and_watched_in_any_format(proxy, made):
    made.script = answer("Hello")
    begun = proxy.post("/v1/streams?api=messages", {"model": "made", "max_tokens": 9, "messages": [MESSAGE]})
    assert begun.status == 201
    url = begun.json["url"]
    assert text_of(proxy.get(url + "?format=anthropic").all_events()) == "Hello"
    assert "".join(e.data for e in proxy.get(url + "?format=events").all_events() if e.type == "message") == "Hello"
    chunks = proxy.get(url + "?format=openai").all_events()
    assert "".join(c["delta"].get("content", "") for e in chunks[:-1] for c in e.json["choices"]) == "Hello"
    assert proxy.get(url + "?format=text").read() == b"Hello"
    assert proxy.post("/v1/streams?api=nothing", {"messages": []}).status == 400


def test_one_key_asks_once(proxy, made):
    made.script = answer("Hello")
    before = len(made.posts)
    key = {"Idempotency-Key": "k-of-messages"}
    assert [text_of(ask(proxy, headers=key).all_events()) for _ in range(2)] == ["Hello", "Hello"]
    assert len(made.posts) == before + 1


LISTS = {"openai": {"object": "list", "data": [{"id": "x", "object": "model"}]},
         "openai_responses": {"object": "list", "data": [{"id": "x", "object": "model"}]},
         "anthropic": {"data": [{"type": "model", "id": "x", "display_name": "X"}], "has_more": False},
         "gemini": {"models": [{"name": "models/x", "version": "1"}]},
         "ollama": {"models": [{"name": "x", "model": "x", "size": 1}]}}


@pytest.mark.parametrize("api", LISTS)
def test_models_are_listed_whatever_the_api(rig, api):
    upstream = rig.upstream()
    upstream.script_for = lambda request: json_answer(LISTS[api])
    p = rig.proxy(upstreams={"u": {"url": upstream.origin, "key": "k", **APIS[api].options}})
    listed = p.get("/v1/models").json["data"]
    assert [m["id"] for m in listed] == ["x"] and all(m["object"] == "model" for m in listed)
