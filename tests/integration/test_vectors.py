"""The wire vectors, end to end: an upstream sends the bytes of a case in three ways of cutting, and the client gets
what the case says: a real HTTP status where nothing was sent before an error, else a stream that no SDK breaks on."""

import json

import pytest

import vectors
from apis import APIS
from chunks import check_blocks, check_error, check_stream
from upstream import byte_by_byte, random_cuts, whole

CASES = vectors.load()
CHAT_CASES = [c for c in CASES if c["dialect"] != "openai_completions"]

# Each way of cutting comes with one of the three ways in which a body can end.
CUTTINGS = {"whole": (whole, "length"), "byte-by-byte": (byte_by_byte, "close"),
            "random-cuts": (random_cuts(1), "chunked")}

CLIENT_STATUS = {401: 502, 403: 502}  # our own key was wrong, which is not the client's fault


@pytest.fixture(scope="module")
def upstream(shared_rig):
    return shared_rig.upstream()


@pytest.fixture(scope="module")
def proxy(shared_rig, upstream):
    return shared_rig.proxy(upstream)


def script_of(case, cut, framing):
    def script(request, reply):
        body = vectors.body_of(case)
        headers = dict(case["headers"])
        type = headers.pop("Content-Type", None)
        reply.head(case["status"], headers, framing, len(body), type)
        for piece in cut(body):
            reply.body(piece)
    return script


def fails_before_content(case):
    e = case["expect"]
    has_content = e["text"] or e["reasoning"] or e["refusal"] or e["tool_calls"] or e.get("other_choices")
    ended_well = e["terminated"] == "done" or e["finish_reason"] not in (None, "error")
    return not has_content and not ended_well


def is_incomplete(case):
    return case["expect"]["terminated"] == "eof" and case["expect"]["finish_reason"] is None


def check_refusal(case, response):
    """The answer is a real status with a JSON error."""
    expected = case["expect"]["error"] or {"message": "*", "type": None, "code": None}
    assert response.header("Content-Type") == "application/json"
    error = response.error
    check_error(error)
    if case["status"] != 200:
        assert response.status == CLIENT_STATUS.get(case["status"], case["status"])
    else:
        assert 400 <= response.status <= 599
    assert response.header("Retry-After") == case["headers"].get("Retry-After")
    if is_incomplete(case):
        assert (response.status, error["code"]) == (502, "upstream_incomplete")
        return
    if case["status"] in CLIENT_STATUS:
        assert error["code"] == "upstream_auth"
        return
    check_error_words(error, expected)


def check_error_words(error, expected):
    if expected["message"] != "*":
        assert error["message"] == expected["message"]
    if expected["type"]:
        assert error["type"] == expected["type"]
    if isinstance(expected["code"], str):
        assert error["code"] == expected["code"]
    elif expected["code"] is not None:
        assert error["code"] in (None, str(expected["code"]))


def check_tool_calls(got, expected):
    assert len(got) == len(expected)
    for one, wanted in zip(got, expected):
        assert one["name"] == wanted["name"]
        assert one["id"] == wanted["id"] if wanted["id"] else one["id"]
        assert one["arguments"] == wanted["arguments"] or \
            json.loads(one["arguments"]) == json.loads(wanted["arguments"])


def known(usage):
    return usage and {name: n for name, n in usage.items() if n is not None}


@pytest.mark.parametrize("cutting", CUTTINGS)
@pytest.mark.parametrize("case", CASES, ids=lambda c: c["name"])
def test_a_client_of_the_openai_routes_gets_what_the_upstream_meant(proxy, upstream, case, cutting):
    upstream.script = script_of(case, *CUTTINGS[cutting])
    body = {"model": "m", "stream": True, "stream_options": {"include_usage": True}}
    if case["dialect"] == "openai_completions":
        r = proxy.post("/v1/completions", {**body, "prompt": "p"})
    else:
        r = proxy.post("/v1/chat/completions", {**body, "messages": []})
    if case["status"] != 200 or fails_before_content(case):
        check_refusal(case, r)
        return
    expected = case["expect"]
    answer = check_stream(r, r.all_events())
    assert answer.joined_text == vectors.expected_text(expected["text"])
    assert answer.reasoning == expected["reasoning"]
    assert answer.refusal == expected["refusal"]
    assert answer.other_choices == (expected.get("other_choices") or {})
    check_tool_calls(answer.tool_calls, expected["tool_calls"])
    assert known(answer.usage) == known(expected["usage"])
    if is_incomplete(case):
        assert answer.error["code"] == "upstream_incomplete"
    elif expected["terminated"] == "error":
        check_error_words(answer.error, {**expected["error"], "type": None} if
                          expected["error"]["type"] == "parse" else expected["error"])
    else:
        assert answer.error is None
        assert answer.finish_reason == expected["native_finish_reason"]


@pytest.mark.parametrize("case", CHAT_CASES, ids=lambda c: c["name"])
def test_ask_gives_what_the_upstream_meant_as_events(proxy, upstream, case):
    upstream.script = script_of(case, random_cuts(2), "chunked")
    r = proxy.get("/ask?format=events&q=why&model=m")
    if case["status"] != 200 or fails_before_content(case):
        check_refusal(case, r)
        return
    expected = case["expect"]
    events = r.all_events()
    assert r.status == 200 and r.complete
    check_blocks(r.sse.blocks, r.header("X-Stream-Id"), named=True)
    of = {}
    for e in events:
        of.setdefault(e.type, []).append(e)
    assert set(of) <= {"message", "reasoning", "tool_call", "usage", "done", "failed"}
    assert "".join(e.data for e in of.get("message", [])) == \
        (vectors.expected_text(expected["text"]) or expected["refusal"])
    assert "".join(e.data for e in of.get("reasoning", [])) == expected["reasoning"]
    calls = {}
    for e in of.get("tool_call", []):
        call = calls.setdefault(e.json["index"], {"arguments": ""})
        call.setdefault("id", e.json.get("id"))
        call.setdefault("name", e.json.get("name"))
        call["arguments"] += e.json["arguments"]
    assert list(calls) == list(range(len(calls)))
    check_tool_calls(list(calls.values()), expected["tool_calls"])
    end = events[-1]
    assert len(of.get("done", [])) + len(of.get("failed", [])) == 1
    if expected["terminated"] == "error" or is_incomplete(case):
        assert end.type == "failed"
        assert isinstance(end.json["partial"], bool) and end.json["error"]["message"]
        if is_incomplete(case):
            assert end.json["error"]["code"] == "upstream_incomplete"
        elif expected["error"]["message"] != "*":
            assert end.json["error"]["message"] == expected["error"]["message"]
    else:
        assert end.type == "done"
        assert end.json["finish_reason"] == expected["finish_reason"]
        usage = {n: v for n, v in (known(expected["usage"]) or {}).items() if n != "cache_write_tokens"}
        assert (end.json["usage"] or {}) == usage


@pytest.mark.parametrize("case", CHAT_CASES, ids=lambda c: c["name"])
def test_ask_prints_bare_text(proxy, upstream, case):
    upstream.script = script_of(case, byte_by_byte, "close")
    r = proxy.post("/ask?model=m", b"why", {"Content-Type": "application/x-www-form-urlencoded"})
    if case["status"] != 200 or fails_before_content(case):
        check_refusal(case, r)
        return
    expected = case["expect"]
    text = vectors.expected_text(expected["text"]) or expected["refusal"]
    printed = r.read().decode()
    assert r.complete and r.header("Content-Type").startswith("text/plain")
    if expected["terminated"] == "error" or is_incomplete(case):
        assert printed.startswith(text)
        last = printed[len(text):]
        assert last.strip() and last.endswith("\n") and last.strip().count("\n") == 0, repr(printed)
        assert last.startswith("\n") or not text or text.endswith("\n"), "the failure stands on a line of its own"
    else:
        assert printed == text, "nothing but the text"


# --- upstreams of other APIs, whose clients speak OpenAI's -------------------------------------------

def is_told(error):
    """The upstream said what is wrong, and not we."""
    return error and error["message"] != "*" and error["type"] != "parse"


OTHER_CASES = vectors.load(tuple(vectors.OTHERS))


@pytest.fixture(scope="module")
def others(shared_rig):
    upstreams = {api: shared_rig.upstream() for api in vectors.OTHERS.values()}
    config = {api: {k: v for k, v in {"url": u.origin, "key": "pk-of-the-test", **APIS[api].options}.items()
                    if v is not None} for api, u in upstreams.items()}
    return shared_rig.proxy(upstreams=config), upstreams


@pytest.mark.parametrize("cutting", CUTTINGS)
@pytest.mark.parametrize("case", OTHER_CASES, ids=lambda c: c["name"])
def test_a_client_of_the_chat_route_gets_what_another_api_meant(others, case, cutting):
    proxy, upstreams = others
    api = vectors.OTHERS[case["dialect"]]
    upstreams[api].script = script_of(case, *CUTTINGS[cutting])
    r = proxy.post("/v1/chat/completions", {
        "model": f"{api}/m", "stream": True, "stream_options": {"include_usage": True},
        "messages": [{"role": "user", "content": "hi"}]})
    expected = case["expect"]
    if case["status"] != 200 or r.status != 200:
        assert fails_before_content(case) or case["status"] != 200
        assert 400 <= r.status <= 599
        check_error(r.error)
        if is_told(expected["error"]) and case["status"] not in CLIENT_STATUS:
            assert r.error["message"] == expected["error"]["message"]
        return
    answer = check_stream(r, r.all_events())
    assert answer.joined_text == vectors.expected_text(expected["text"])
    assert answer.reasoning == expected["reasoning"]
    assert answer.refusal == expected["refusal"]
    check_tool_calls(answer.tool_calls, expected["tool_calls"])
    if is_incomplete(case):
        assert answer.error["code"] == "upstream_incomplete"
    elif expected["terminated"] == "error":
        assert not is_told(expected["error"]) or answer.error["message"] == expected["error"]["message"]
    else:
        assert answer.error is None
        assert answer.finish_reason == expected["finish_reason"]
        for name, n in (known(expected["usage"]) or {}).items():
            assert answer.usage[name] == n, name
