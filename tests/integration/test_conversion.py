"""The conversion and request-mapping vectors, end to end: what a client reads of an upstream of another API, and what
that upstream is asked; tests/vectors/README.md says how the cases are read."""

import json

import pytest

import vectors
from apis import APIS
from upstream import byte_by_byte, random_cuts, whole

CONVERSIONS = vectors.cases("conversion.json") + vectors.cases("streams.json")
REQUESTS = vectors.cases("request_mapping.json")
CUTTINGS = {"whole": whole, "byte-by-byte": byte_by_byte, "random-cuts": random_cuts(5)}
API_OF = {"openai_chat": "openai", "anthropic": "anthropic", "gemini": "gemini", "ollama": "ollama"}
PATH_OF = {"openai_chat": "/v1/chat/completions", "anthropic": "/v1/messages"}


@pytest.fixture(scope="module")
def upstreams(shared_rig):
    return {api: shared_rig.upstream() for api in API_OF.values()}


@pytest.fixture(scope="module")
def proxy(shared_rig, upstreams):
    config = {api: {"url": u.origin, "key": "pk-of-the-test", "api": APIS[api].options["api"]}
              for api, u in upstreams.items()}
    return shared_rig.proxy(upstreams=config, models={f"to-{api}": f"{api}/m" for api in config} | {"*": "openai"})


# --- answers, in canonical form ---------------------------------------------------------------------

def put(out, entry, key, *same):
    """Adds the entry, or its text to the last one where that is of the same thing."""
    last = out[-1] if out else {}
    if key in last and all(last.get(k) == entry.get(k) for k in same):
        last[key] += entry[key]
    else:
        out.append(entry)


def of_chunks(events):
    out, role, calls = [], False, {}
    for e in events:
        if e.data == "[DONE]":
            out.append({"done": True})
            continue
        if "error" in e.json:
            out.append({"error": {"message": e.json["error"]["message"]}})
            continue
        for choice in e.json["choices"]:
            delta = choice["delta"]
            if delta.get("role") and not role:
                role = True
                out.append({"role": delta["role"]})
            for member, name in (("reasoning_content", "reasoning"), ("content", "content")):
                if delta.get(member):
                    put(out, {name: delta[member]}, name)
            for call in delta.get("tool_calls", []):
                if call["index"] not in calls:
                    calls[call["index"]] = True
                    out.append({"tool": call["index"], "id": call["id"], "name": call["function"]["name"],
                                "type": call["type"]})
                if call["function"].get("arguments"):
                    put(out, {"args": call["index"], "value": call["function"]["arguments"]}, "value", "args")
            if choice["finish_reason"]:
                out.append({"finish_reason": choice["finish_reason"]})
        if e.json.get("usage"):
            u = e.json["usage"]
            out.append({"usage": {
                **{k: u[k] for k in ("prompt_tokens", "completion_tokens", "total_tokens")},
                "cached_tokens": u.get("prompt_tokens_details", {}).get("cached_tokens"),
                "reasoning_tokens": u.get("completion_tokens_details", {}).get("reasoning_tokens")}})
    return out


def of_messages(events):
    out = []
    for e in events:
        data = e.json
        assert e.type == data["type"]
        if e.type == "message_start":
            out.append({"message_start": {k: data["message"][k] for k in ("role", "content", "stop_reason")}})
        elif e.type == "content_block_start":
            block = data["content_block"]
            out.append({"start": data["index"], "block": {k: block[k] for k in ("type", "id", "name") if k in block}})
        elif e.type == "content_block_delta":
            delta = data["delta"]
            value = next(v for k, v in delta.items() if k != "type")
            put(out, {"delta": delta["type"], "index": data["index"], "value": value}, "value", "delta", "index")
        elif e.type == "content_block_stop":
            out.append({"stop": data["index"]})
        elif e.type == "message_delta":
            out.append({"message_delta": data["delta"], "usage": data["usage"]})
        elif e.type == "message_stop":
            out.append({"message_stop": True})
        elif e.type == "error":
            out.append({"error": data["error"]})
        else:
            assert e.type == "ping"
    return out


def as_json(text):
    try:
        return json.loads(text)
    except (TypeError, ValueError):
        return None


def matches(got, expected):
    if expected == "<any>":
        return True
    if isinstance(expected, dict) and isinstance(got, dict):
        return all(matches(got.get(k), v) for k, v in expected.items() if k != "optional") and \
            all(got[k] in (None, 0, "") or k in expected or k in ("code", "type", "partial") for k in got)
    if isinstance(expected, str) and isinstance(got, str) and expected != got:
        return as_json(expected) is not None and as_json(expected) == as_json(got)
    return got == expected


def check_all(got, expected):
    got = list(got)
    for entry in expected:
        if got and matches(got[0], entry):
            got.pop(0)
        else:
            assert entry.get("optional"), f"{got[:1]}, not {entry}"
    if got == [{"done": True}]:  # tolerated behind an error
        got = []
    assert got == []


@pytest.mark.parametrize("cutting", CUTTINGS)
@pytest.mark.parametrize("case", CONVERSIONS, ids=lambda c: c["name"])
def test_a_client_of_another_api_reads_what_the_upstream_meant(proxy, upstreams, case, cutting):
    api, upstream = API_OF[case["from"]], case["upstream"]

    def script(request, reply):
        headers = dict(upstream["headers"])
        reply.head(upstream["status"], headers, "close", type=headers.pop("Content-Type", None))
        for piece in CUTTINGS[cutting](vectors.body_of(upstream)):
            reply.body(piece)

    upstreams[api].script = script
    body = {"model": f"to-{api}", "stream": True, "messages": [{"role": "user", "content": "hi"}],
            **({"max_tokens": 100} if case["to"] == "anthropic" else {}), **(case.get("request") or {})}
    response = proxy.post(PATH_OF[case["to"]], body)
    read = of_messages if case["to"] == "anthropic" else of_chunks
    if response.status != 200:  # nothing had been said before the error
        assert [k for e in case["expect"] for k in e if k not in ("role", "message_start")] in (["error"], ["error", "done"])
        return
    check_all(read(response.all_events()), case["expect"])


# Type and code for clients of chat completions, and the type for those of Anthropic's.
ERRORS = {
    400: ("invalid_request_error", None, "invalid_request_error"),
    402: ("insufficient_quota", "insufficient_quota", "billing_error"),
    404: ("invalid_request_error", "model_not_found", "not_found_error"),
    408: ("timeout", None, "timeout_error"),
    409: ("invalid_request_error", None, "conflict_error"),
    413: ("invalid_request_error", "request_too_large", "request_too_large"),
    415: ("invalid_request_error", None, "invalid_request_error"),
    422: ("invalid_request_error", None, "invalid_request_error"),
    429: ("rate_limit_error", "rate_limit_exceeded", "rate_limit_error"),
    500: ("server_error", None, "api_error"),
    502: ("server_error", None, "api_error"),
    503: ("service_unavailable", None, "overloaded_error"),
    504: ("timeout", None, "timeout_error"),
}


@pytest.mark.parametrize("status", ERRORS)
def test_an_error_of_another_api_is_told_in_the_words_of_the_clients(proxy, upstreams, status):
    def script(request, reply):
        body = b'{"error":"too bad"}'
        reply.head(status, {"Retry-After": "7"}, "length", len(body), "application/json")
        reply.body(body)

    upstreams["ollama"].script = script
    type, code, anthropic_type = ERRORS[status]
    body = {"model": "to-ollama", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
    chat, anthropic = proxy.post(PATH_OF["openai_chat"], body), proxy.post(PATH_OF["anthropic"], body)
    assert (chat.status, anthropic.status) == (status, 529 if status == 503 else status)
    error = chat.json["error"]
    assert (error["message"], error["type"], error["code"]) == ("too bad", type, code)
    assert (anthropic.json["type"], anthropic.json["error"]["type"]) == ("error", anthropic_type)
    assert anthropic.json["error"]["message"] == "too bad"
    assert chat.header("Retry-After") == anthropic.header("Retry-After") == "7"


# --- requests ---------------------------------------------------------------------------------------

def equal(got, expected):
    if expected == "<any>":
        return True
    if isinstance(expected, dict):
        return isinstance(got, dict) and got.keys() == expected.keys() and \
            all(same_member(k, got[k], v) for k, v in expected.items())
    if isinstance(expected, list):
        return isinstance(got, list) and len(got) == len(expected) and all(map(equal, got, expected))
    return got == expected and isinstance(got, bool) == isinstance(expected, bool)


def same_member(key, got, expected):
    if key == "arguments" and isinstance(expected, str):
        return as_json(got) == as_json(expected)
    return equal(got, expected)


def fulfils(body, wanted):
    return all(key in body and same_member(key, body[key], value) for key, value in wanted.items())


@pytest.mark.parametrize("case", REQUESTS, ids=lambda c: c["name"])
def test_an_upstream_of_another_api_is_asked_the_same(proxy, upstreams, case):
    api = API_OF[case["to"]]
    upstream = upstreams[api]
    upstream.script = APIS[api].play("text")
    asked = {**case["input"], "model": f"to-{api}"}
    response = proxy.post(PATH_OF[case["from"]], asked)
    assert response.status == 200, response.read()
    body = upstream.requests[-1].json
    expected = {k: ("m" if k == "model" else v) for k, v in case["expect"].items()}
    given = [expected, *({**expected, **one} for one in case.get("one_of", []))]
    assert any(fulfils(body, one) for one in given), json.dumps(body, indent=1)
    assert not set(case.get("absent", [])) & set(body)
