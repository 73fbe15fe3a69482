"""Every API that clients speak with every one that upstreams speak: the same answer is read, whatever
stands between."""

import re

import pytest

import apis
from apis import APIS, CLIENTS, EXPECTED
from upstream import byte_by_byte, chunk, frame, random_cuts

PAIRS = [(api, client) for api in APIS for client in CLIENTS]
# The same API on both sides; Bedrock's has no body in one piece.
NATIVE = [("openai", "chat"), ("azure", "chat"), ("anthropic", "anthropic"), ("openai_responses", "responses"),
          ("bedrock_invoke", "anthropic")]


@pytest.fixture(scope="module")
def pairs(shared_rig):
    """An upstream for each API behind one proxy; models are their names."""
    upstreams, config = {}, {}
    for name, api in APIS.items():
        upstreams[name] = shared_rig.upstream()
        config[name] = {"url": upstreams[name].url.removesuffix("/v1"), "key": "pk-of-the-test", **api.options}
        config[name] = {k: v for k, v in config[name].items() if v is not None}
    proxy = shared_rig.proxy(upstreams=config, models={name: f"{name}/m" for name in APIS})
    return proxy, upstreams


def ask(pairs, api, client, script, **more):
    proxy, upstreams = pairs
    upstreams[api].script = script
    body = {**CLIENTS[client].body(**more), "model": api}
    return proxy.post(CLIENTS[client].path, body)


@pytest.mark.parametrize("scenario", EXPECTED)
@pytest.mark.parametrize("api,client", PAIRS)
def test_a_stream_is_read_right(pairs, api, client, scenario):
    response = ask(pairs, api, client, APIS[api].play(scenario), tools=scenario == "tools")
    assert response.status == 200
    CLIENTS[client].read_stream(list(response.events())).check(scenario)


@pytest.mark.parametrize("cut", [byte_by_byte, random_cuts(7)], ids=["bytes", "random"])
@pytest.mark.parametrize("api,client", PAIRS)
def test_a_stream_is_read_right_in_any_cuts(pairs, api, client, cut):
    response = ask(pairs, api, client, APIS[api].play("tools", cut), tools=True)
    CLIENTS[client].read_stream(list(response.events())).check("tools")


# An upstream of the client's own API is asked for a body in one piece, which other tests look at.
@pytest.mark.parametrize("scenario", ["text", "tools", "reasoning", "long"])
@pytest.mark.parametrize("api,client", [p for p in PAIRS if p not in NATIVE[:4]])
def test_an_answer_in_one_piece_is_read_right(pairs, api, client, scenario):
    response = ask(pairs, api, client, APIS[api].play(scenario), stream=False, tools=scenario == "tools")
    assert response.status == 200
    CLIENTS[client].read_whole(response.json).check(scenario)


@pytest.mark.parametrize("scenario", ["text", "long", "error", "cut"])
@pytest.mark.parametrize("api", APIS)
def test_a_client_of_the_legacy_completions_reads_it_too(pairs, api, scenario):
    proxy, upstreams = pairs
    if api in ("openai", "azure"):
        upstreams[api].script = [frame({"id": "cmpl-7", "object": "text_completion", "created": 1, "model": "m", "choices": [
            {"index": 0, "text": t, "logprobs": None, "finish_reason": None}]}) for t in ("Hello ", "w\u00f6rld \U0001f600")]
        upstreams[api].script += [frame({"id": "cmpl-7", "object": "text_completion", "created": 1, "model": "m", "choices": [
            {"index": 0, "text": "", "logprobs": None, "finish_reason": "stop"}]}), frame("[DONE]")]
        scenario = "text"
    else:
        upstreams[api].script = APIS[api].play(scenario)
    body = {"model": api, "prompt": "say something", "max_tokens": 100, "stream": True}
    events = proxy.post("/v1/completions", body).all_events()
    assert events.pop().data == "[DONE]"
    choices = [c for e in events for c in e.json.get("choices", [])]
    assert "".join(c["text"] for c in choices) == EXPECTED[scenario]["text"]
    assert all(e.json["object"] == "text_completion" for e in events if "error" not in e.json)
    if "error" in EXPECTED[scenario]:
        assert "error" in events[-1].json and not any(c["finish_reason"] for c in choices)
    else:
        assert choices[-1]["finish_reason"] == EXPECTED[scenario]["finish"]
        if api not in ("openai", "azure"):
            whole = proxy.post("/v1/completions", {**body, "stream": False}).json
            assert (whole["object"], whole["choices"][0]["text"]) == ("text_completion", EXPECTED[scenario]["text"])
            assert whole["usage"]["completion_tokens"] == 7


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("client", CLIENTS)
def test_a_long_answer_comes_whole(pairs, client, stream):
    """More than a log holds: what must be said again at the end was kept elsewhere."""
    pieces = [f"{i} " + "lorem ipsum " * 400 for i in range(600)]
    api = "gemini" if client == "chat" else "openai"

    def script(request, reply):
        if api == "openai":
            say = [frame(chunk({"role": "assistant", "content": ""})), *(frame(chunk({"content": t})) for t in pieces),
                   frame(chunk(finish="stop")), frame("[DONE]")]
        else:
            say = [frame({"candidates": [{"content": {"parts": [{"text": t}]}}]}) for t in pieces]
            say.append(frame({"candidates": [{"content": {"parts": []}, "finishReason": "STOP"}]}))
        for piece in say:
            reply.body(piece)

    response = ask(pairs, api, client, script, stream=stream)
    assert response.status == 200
    read = CLIENTS[client].read_stream(list(response.events())) if stream else CLIENTS[client].read_whole(response.json)
    assert read.text == "".join(pieces) and read.finish == "stop"


NAMES_TAKEN = {"openai": 64, "azure": 64, "openai_responses": 64, "anthropic": 128, "gemini": 64, "gemini_array": 64,
               "bedrock": 64, "bedrock_invoke": 128}


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("api,client", [p for p in PAIRS if p not in NATIVE])
def test_a_tool_keeps_its_name_where_the_upstream_takes_no_such_long_ones(pairs, api, client, stream, monkeypatch):
    name = "mcp__an_archive__" + "search_everything_" * 10
    def call(name):
        monkeypatch.setattr(apis, "CALLS", [(name, {"city": "Oslo"})])

    def script(request, reply):
        told.extend(set(re.findall(r"mcp__an_archive__[a-z_0-9]+", request.body.decode())))
        call(told[-1])
        APIS[api].play("tools")(request, reply)

    told = []
    for _ in range(2):
        call(name)
        response = ask(pairs, api, client, script, stream=stream, tools=True)
        assert response.status == 200, response.read()
        read = CLIENTS[client].read_stream(list(response.events())) if stream else CLIENTS[client].read_whole(response.json)
        assert read.named_calls() == [(name, {"city": "Oslo"})]
    # One name for it, always the same.
    assert len(told) == 2 and told[0] == told[1] and len(told[0]) == NAMES_TAKEN.get(api, len(name))
