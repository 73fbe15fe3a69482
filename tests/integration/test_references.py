"""Requests for a response that refer to answers which are kept here: single items, as AI SDK sends them in the
middle of a tool loop, or all of a conversation by previous_response_id."""

import json

import pytest

from apis import APIS
from rig import CANARY, wait_until
from upstream import DONE, FINISH, ROLE, answer, chunk, completion, frame, json_answer, stall, token

NOBODYS = "A" * 22
QUESTION = {"role": "user", "content": [{"type": "input_text", "text": f"how is it there? {CANARY}"}]}
TOOLS = [{"type": "function", "name": name, "parameters": {"type": "object"}} for name in ("get_weather", "get_time")]
CALLS = [("get_weather", '{"city":"Oslo"}'), ("get_time", '{"zone":"UTC"}')]


@pytest.fixture(scope="module")
def upstream(shared_rig):
    return shared_rig.upstream()


@pytest.fixture(scope="module")
def proxy(shared_rig, upstream):
    return shared_rig.proxy(upstream, workers=2, upstreams={"a": {
        "api": "anthropic", "url": upstream.origin, "key": "pk-of-the-test"}}, models={"claude": "a"})


def ask(proxy, input, headers=(), **members):
    return proxy.post("/v1/responses", {"model": "m", "input": input, **members}, headers)


def begun(proxy, input=QUESTION["content"][0]["text"], headers=(), **members):
    """The response of a first request."""
    r = ask(proxy, input, headers, **members)
    assert r.status == 200, r.read()
    return r.json


def reference(id):
    return {"type": "item_reference", "id": id}


def of_calls(*calls):
    """An upstream's answer: a word, and these calls."""
    return [ROLE, token("Let me look."), *(
        frame(chunk({"tool_calls": [{"index": i, "id": f"call_{i}", "type": "function",
                                     "function": {"name": name, "arguments": arguments}}]}))
        for i, (name, arguments) in enumerate(calls)), frame(chunk(finish="tool_calls")), DONE]


def results(response):
    return [{"type": "function_call_output", "call_id": item["call_id"], "output": f"of {item['name']}"}
            for item in response["output"] if item["type"] == "function_call"]


def refused(r, status, code, param):
    assert r.status == status, r.read()
    assert (r.error["type"], r.error["code"], r.error["param"]) == ("invalid_request_error", code, param)
    return r.error["message"]


# --- items ------------------------------------------------------------------------------------------

@pytest.mark.parametrize("stream", [True, False])
def test_a_tool_loop_goes_on_with_references(proxy, upstream, stream):
    upstream.script = of_calls(*CALLS)
    r = ask(proxy, [QUESTION], stream=stream, tools=TOOLS)
    first = r.all_events()[-1].json["response"] if stream else r.json
    upstream.script = answer("12 degrees")
    r = ask(proxy, [QUESTION, *(reference(item["id"]) for item in first["output"]), *results(first)],
            stream=stream, tools=TOOLS)
    second = r.all_events()[-1].json["response"] if stream else r.json
    assert second["output"][0]["content"][0]["text"] == "12 degrees"
    asked = upstream.posts[-1].json["messages"]
    assert [m["role"] for m in asked] == ["user", "assistant", "tool", "tool"]
    assert asked[1]["content"] == "Let me look."
    assert [(c["id"], c["function"]["name"], c["function"]["arguments"]) for c in asked[1]["tool_calls"]] == [
        (f"call_{i}", *call) for i, call in enumerate(CALLS)]
    assert [(m["tool_call_id"], m["content"]) for m in asked[2:]] == [
        ("call_0", "of get_weather"), ("call_1", "of get_time")]


def test_a_thought_goes_back_with_its_signature(proxy, upstream):
    upstream.script = APIS["anthropic"].play("reasoning")
    first = begun(proxy, [QUESTION], model="claude")
    assert [item["type"] for item in first["output"]] == ["reasoning", "message"]
    upstream.script = APIS["anthropic"].play("tools")
    second = begun(proxy, [QUESTION, *(reference(item["id"]) for item in first["output"]),
                           {"role": "user", "content": "go on"}], model="claude", tools=TOOLS)
    upstream.script = APIS["anthropic"].play("text")
    begun(proxy, [QUESTION, *(reference(item["id"]) for item in first["output"]), {"role": "user", "content": "go on"},
                  *(reference(item["id"]) for item in second["output"]), *results(second)],
          model="claude", tools=TOOLS)
    asked = upstream.posts[-1].json["messages"]
    assert asked[1]["content"][0] == {"type": "thinking", "thinking": "Hmm, two.", "signature": "c2ln"}
    assert asked[1]["content"][1]["text"] == "2"
    assert [part["type"] for part in asked[3]["content"]] == ["text", "tool_use", "tool_use"]
    assert [part["tool_use_id"] for part in asked[4]["content"]] == ["toolu_0", "toolu_1"]


def test_an_answer_of_one_upstream_is_referred_to_before_another(proxy, upstream):
    upstream.script = of_calls(CALLS[0])
    first = begun(proxy, [QUESTION], tools=TOOLS)
    upstream.script = APIS["anthropic"].play("text")
    begun(proxy, [QUESTION, *(reference(item["id"]) for item in first["output"]), *results(first)],
          model="claude", tools=TOOLS)
    asked = upstream.posts[-1].json["messages"]
    assert asked[1]["content"][1] == {"type": "tool_use", "id": "call_0", "name": "get_weather",
                                      "input": {"city": "Oslo"}}


def test_references_without_a_type_and_many_of_them(proxy, upstream):
    upstream.script = answer("one")
    id = begun(proxy)["output"][0]["id"]
    begun(proxy, [QUESTION, *({"id": id} for _ in range(200))])
    assert upstream.posts[-1].body.count(b"one") == 200
    assert refused(ask(proxy, [{"id": id}] * 2000), 413, "request_too_large", None)


def test_what_a_stopped_answer_said_can_be_referred_to(proxy, upstream):
    upstream.script = [ROLE, token("Hel"), stall]
    running = ask(proxy, [QUESTION], stream=True)
    while running.next_event().type != "response.output_text.delta":
        pass
    id = running.header("X-Stream-Id")
    upstream.script = answer("a")
    refused(ask(proxy, [reference(f"msg_{id}_0")]), 404, "item_not_found", "input[0].id")
    stopped = proxy.post(f"/v1/responses/resp_{id}/cancel", {}).json
    begun(proxy, [QUESTION, reference(stopped["output"][0]["id"]), QUESTION])
    assert upstream.posts[-1].json["messages"][1]["content"] == "Hel"


def test_what_is_not_there_is_named_and_told_alike(proxy, upstream):
    upstream.script = answer("a")
    response = begun(proxy)
    id = response["id"].removeprefix("resp_")
    chat = proxy.chat()
    chat.read()
    before = len(upstream.posts)
    unknown = [f"msg_{NOBODYS}_0", f"msg_{id}_1", f"fc_{id}_0", f"rs_{id}_0", f"msg_{id}_00x", f"msg_{id}",
               f"msg_{chat.header('X-Stream-Id')}_0", "msg_68f0", "", "x" * 5000]
    messages = {refused(ask(proxy, [QUESTION, reference(one)]), 404, "item_not_found", "input[1].id")
                for one in unknown}
    assert len(messages) == 1 and '"store": false' in messages.pop()
    refused(ask(proxy, [QUESTION, {"type": "item_reference"}]), 400, "invalid_type", "input[1].id")
    assert proxy.open("DELETE", f"/v1/responses/resp_{id}").status == 200
    refused(ask(proxy, [reference(response["output"][0]["id"])]), 404, "item_not_found", "input[0].id")
    refused(ask(proxy, "i", previous_response_id=f"resp_{id}"), 400, "previous_response_not_found",
            "previous_response_id")
    assert len(upstream.posts) == before


def test_a_stream_of_another_key_is_not_there(rig, upstream):
    upstream.script = answer("a")
    proxy = rig.proxy(upstream, keys=[{"name": "one", "key": "key-one"}, {"name": "two", "key": "key-two"}])
    one, two = ({"Authorization": f"Bearer key-{n}"} for n in ("one", "two"))
    first = begun(proxy, headers=one)
    item = reference(first["output"][0]["id"])
    theirs = refused(ask(proxy, [item], two), 404, "item_not_found", "input[0].id")
    assert theirs == refused(ask(proxy, [reference(f"msg_{NOBODYS}_0")], two), 404, "item_not_found", "input[0].id")
    theirs = refused(ask(proxy, "i", two, previous_response_id=first["id"]), 400, "previous_response_not_found",
                     "previous_response_id")
    assert theirs == refused(ask(proxy, "i", two, previous_response_id=f"resp_{NOBODYS}"), 400,
                             "previous_response_not_found", "previous_response_id")
    begun(proxy, [item], one)
    begun(proxy, "i", one, previous_response_id=first["id"])


def test_what_has_expired_is_not_there(rig, upstream):
    upstream.script = answer("a")
    proxy = rig.proxy(upstream, streams={"keep": "100ms"})
    first = begun(proxy)
    wait_until(lambda: proxy.get(f"/v1/responses/{first['id']}").status == 404, "the response's end")
    refused(ask(proxy, [reference(first["output"][0]["id"])]), 404, "item_not_found", "input[0].id")
    refused(ask(proxy, "i", previous_response_id=first["id"]), 400, "previous_response_not_found",
            "previous_response_id")


def test_a_repeated_request_is_the_same_with_its_references(proxy, upstream):
    upstream.script = answer("one")
    item = reference(begun(proxy)["output"][0]["id"])
    key = {"Idempotency-Key": f"k-{item['id']}"}
    before = len(upstream.posts)
    again = [begun(proxy, [QUESTION, item], key)["id"] for _ in range(2)]
    assert again[0] == again[1] and len(upstream.posts) == before + 1
    # what it refers to is gone meanwhile: it is the same request nevertheless
    proxy.open("DELETE", f"/v1/responses/resp_{item['id'].split('_', 1)[1].rsplit('_', 1)[0]}").read()
    assert begun(proxy, [QUESTION, item], key)["id"] == again[0]


def test_what_makes_the_request_too_large_is_refused(rig, upstream):
    upstream.script = answer("x" * 3000)
    proxy = rig.proxy(upstream, limits={"body": "4KiB"})
    first = begun(proxy, "i")
    begun(proxy, [reference(first["output"][0]["id"])])
    assert refused(ask(proxy, [reference(first["output"][0]["id"])] * 2), 413, "request_too_large", None)
    assert refused(ask(proxy, "y" * 2000, previous_response_id=first["id"]), 413, "request_too_large", None)


# --- conversations ----------------------------------------------------------------------------------

@pytest.mark.parametrize("stream", [True, False])
def test_a_conversation_goes_on_from_response_to_response(proxy, upstream, stream):
    def turn(text, say, previous=None):
        upstream.script = answer(say)
        r = ask(proxy, text, stream=stream, previous_response_id=previous, instructions=f"be brief about {text}")
        return (r.all_events()[-1].json["response"] if stream else r.json)["id"]

    first = turn("one", "1")
    second = turn([{"role": "user", "content": "two"}], "2", first)
    turn("three", "3", second)
    asked = [(m["role"], m["content"]) for m in upstream.posts[-1].json["messages"]]
    assert asked[0][0] in ("system", "developer") and asked[0][1] == "be brief about three"
    assert asked[1:] == [("user", "one"), ("assistant", "1"), ("user", "two"), ("assistant", "2"), ("user", "three")]
    turn("another", "3", first)  # from one response several go on
    assert [m["content"] for m in upstream.posts[-1].json["messages"]][1:] == ["one", "1", "another"]


def test_a_tool_loop_goes_on_from_the_response(proxy, upstream):
    upstream.script = of_calls(*CALLS)
    first = begun(proxy, [QUESTION], tools=TOOLS)
    upstream.script = answer("12 degrees")
    second = begun(proxy, results(first), tools=TOOLS, previous_response_id=first["id"])
    assert [m["role"] for m in upstream.posts[-1].json["messages"]] == ["user", "assistant", "tool", "tool"]
    begun(proxy, [QUESTION, reference(second["output"][0]["id"])], previous_response_id=second["id"])
    assert [m["role"] for m in upstream.posts[-1].json["messages"]] == [
        "user", "assistant", "tool", "tool", "assistant", "user", "assistant"]


def test_what_is_not_stored_or_too_large_or_failed_is_nothing_to_go_on_from(rig, upstream):
    proxy = rig.proxy(upstream, streams={"per_stream": "4KiB"})
    upstream.script = answer("a")
    ids = [begun(proxy, store=False)["id"], begun(proxy, "y" * 5000)["id"], "resp_68f0", "x"]
    upstream.script = [ROLE, token("Hel"), frame({"error": {"message": "it broke", "code": "bad"}})]
    ids.append(ask(proxy, "i", stream=True).all_events()[0].json["response"]["id"])
    before = len(upstream.posts)
    messages = {refused(ask(proxy, "i", previous_response_id=id), 400, "previous_response_not_found",
                        "previous_response_id") for id in ids}
    assert len(messages) == 1 and "`input`" in messages.pop()
    assert len(upstream.posts) == before


# --- an upstream that speaks Responses --------------------------------------------------------------

FINAL = {"id": "resp_theirs", "object": "response", "created_at": 5, "model": "m", "status": "completed",
         "output": [], "error": None, "incomplete_details": None, "usage": None}


def test_ids_that_are_not_ours_go_on_as_they_came(shared_rig, upstream):
    native = shared_rig.proxy(upstream, upstreams={"u": {"api": "openai_responses"}})
    upstream.script = json_answer(FINAL)
    input = [QUESTION, reference(f"fc_{NOBODYS}_0"), reference("msg_theirs")]
    members = {"model": "m", "input": input, "previous_response_id": "resp_theirs"}
    assert native.post("/v1/responses", members).json == FINAL
    assert upstream.posts[-1].json == members


def test_our_items_are_whole_before_an_upstream_that_speaks_responses(shared_rig, upstream):
    both = shared_rig.proxy(upstream, upstreams={"n": {
        "api": "openai_responses", "url": upstream.url, "key": "pk-of-the-test"}}, models={"native": "n"})
    upstream.script = answer("one")
    first = begun(both, [QUESTION])
    upstream.script = json_answer(FINAL)
    begun(both, [QUESTION, reference(first["output"][0]["id"])], model="native")
    assert upstream.posts[-1].json["input"] == [QUESTION, first["output"][0]]
    begun(both, "more", model="native", previous_response_id=first["id"])
    asked = upstream.posts[-1].json
    assert asked["input"] == [QUESTION, first["output"][0], {"role": "user", "content": "more"}]
    assert asked["previous_response_id"] is None
