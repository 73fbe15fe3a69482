"""Responses that are asked for again, cancelled, deleted and left to the background: /v1/responses/{id}."""

import json
import time

import pytest

from apis import APIS
from rig import CANARY, wait_until
from upstream import DONE, FINISH, ROLE, answer, frame, json_answer, stall, status, token

NO_RESPONSE = "resp_" + "A" * 22


@pytest.fixture(scope="module")
def upstream(shared_rig):
    return shared_rig.upstream()


@pytest.fixture(scope="module")
def proxy(shared_rig, upstream):
    return shared_rig.proxy(upstream, workers=2)


def ask(proxy, headers=(), **members):
    return proxy.post("/v1/responses", {"model": "m", "input": f"say something, {CANARY}", **members}, headers)


def get(proxy, id, query="", headers=()):
    return proxy.get(f"/v1/responses/{id}{query}", headers)


def retrieved(proxy, id, headers=()):
    r = get(proxy, id, headers=headers)
    assert r.status == 200, r.read()
    return r.json


def text_of(response):
    return "".join(part["text"] for item in response["output"] if item["type"] == "message"
                   for part in item["content"])


def until_status(proxy, id, status):
    wait_until(lambda: retrieved(proxy, id)["status"] == status, f"{status} of {id}")


def numbers(events):
    return [e.json["sequence_number"] for e in events]


def ids_of(r):
    """The response of a stream that was just begun."""
    first = r.next_event()
    assert first.type == "response.created"
    assert first.json["response"]["id"] == "resp_" + r.header("X-Stream-Id")
    return first.json["response"]["id"]


def viewers(proxy, id):
    return next(s["viewers"] for s in proxy.get("/v1/streams?limit=1000").json["data"]
                if "resp_" + s["id"] == id)


# --- asked for again --------------------------------------------------------------------------------

def test_a_response_is_the_same_streamed_and_asked_for(proxy, upstream):
    upstream.script = answer("Hel", "lo", usage=True)
    events = ask(proxy, stream=True).all_events()
    assert numbers(events) == list(range(len(events)))
    final = events[-1].json["response"]
    assert events[-1].type == "response.completed" and text_of(final) == "Hello"
    assert retrieved(proxy, final["id"]) == final
    assert [e.data for e in get(proxy, final["id"], "?stream=true").events()] == [e.data for e in events]


def test_a_response_that_was_no_stream_can_be_asked_for(proxy, upstream):
    upstream.script = answer("Hello", usage=True)
    whole = ask(proxy).json
    assert whole["object"] == "response" and whole["status"] == "completed" and text_of(whole) == "Hello"
    assert retrieved(proxy, whole["id"]) == whole


@pytest.mark.parametrize("after", [0, 1, 2, 3, 5, 8, 10, 100])
def test_a_stream_goes_on_behind_any_event(proxy, upstream, after):
    upstream.script = answer("Hel", "lo")
    events = ask(proxy, stream=True).all_events()
    id = events[0].json["response"]["id"]
    rest = get(proxy, id, f"?stream=true&starting_after={after}").all_events()
    assert [e.data for e in rest] == [e.data for e in events[after + 1:]]


def test_a_running_response_has_no_output_yet_and_goes_on_for_who_comes(proxy, upstream):
    gate = upstream.gate()
    upstream.script = [ROLE, token("Hel"), gate, token("lo"), FINISH, DONE]
    first = ask(proxy, stream=True)
    id = ids_of(first)
    until_status(proxy, id, "in_progress")
    assert retrieved(proxy, id)["output"] == []
    second = get(proxy, id, "?stream=true&starting_after=4")
    gate.open()
    rest = second.all_events()
    assert numbers(rest) == list(range(5, 5 + len(rest)))
    assert [e.data for e in rest] == [e.data for e in first.all_events()][4:]


def test_who_comes_back_with_an_event_id_is_told_the_starts_again_and_goes_on(proxy, upstream):
    upstream.script = answer("Hel", "lo")
    events = ask(proxy, stream=True).all_events()
    id = events[0].json["response"]["id"]
    at = next(e for e in events if e.type == "response.output_text.delta")
    rest = get(proxy, id, "?stream=true", {"Last-Event-ID": at.id}).all_events()
    starts, rest = rest[:4], rest[4:]
    assert [e.json for e in starts] == [e.json for e in events[:4]]
    assert [e.type for e in starts] == ["response.created", "response.in_progress", "response.output_item.added",
                                        "response.content_part.added"]
    assert starts[-1].id == at.id, "the position stays where it is"
    assert numbers(rest) == list(range(at.json["sequence_number"] + 1, len(events)))


@pytest.mark.parametrize("after", ["", "-1", "x", "1x", "4294967296", "99999999999999999999"])
def test_a_number_that_is_none_is_refused(proxy, upstream, after):
    upstream.script = answer("a")
    id = ask(proxy).json["id"]
    r = get(proxy, id, f"?stream=true&starting_after={after}")
    assert r.status == 400 and r.error["code"] == "invalid_position"


def test_a_failure_is_told_in_the_stream_and_in_the_object(proxy, upstream):
    upstream.script = [ROLE, token("Hel"), frame({"error": {"message": "it broke", "code": "bad"}})]
    events = ask(proxy, stream=True).all_events()
    assert [e.type for e in events[-2:]] == ["error", "response.failed"]
    assert events[-2].json["error"]["message"] == "it broke"
    response = retrieved(proxy, events[0].json["response"]["id"])
    assert response["status"] == "failed" and response["error"] == {"code": "bad", "message": "it broke"}
    assert text_of(response) == "Hel"


def test_what_is_no_response_is_not_found(proxy, upstream):
    upstream.script = answer("a")
    chat = proxy.chat()
    chat.read()
    refusals = {get(proxy, id).read() for id in (
        NO_RESPONSE, "resp_", "x", chat.header("X-Stream-Id"), "resp_" + chat.header("X-Stream-Id"))}
    assert len(refusals) == 1
    assert get(proxy, NO_RESPONSE).status == 404
    assert proxy.open("DELETE", f"/v1/responses/{NO_RESPONSE}").status == 404
    assert proxy.post(f"/v1/responses/{NO_RESPONSE}/cancel", {}).status == 404


def test_somebody_elses_response_is_not_found(rig, upstream):
    upstream.script = answer("a")
    proxy = rig.proxy(upstream, keys=[{"name": "one", "key": "key-one"}, {"name": "two", "key": "key-two"}])
    one, two = ({"Authorization": f"Bearer key-{n}"} for n in ("one", "two"))
    id = ask(proxy, one).json["id"]
    assert retrieved(proxy, id, one)["id"] == id
    unknown = get(proxy, NO_RESPONSE, headers=two).read()
    for r in (get(proxy, id, headers=two), get(proxy, id, "?stream=true", two),
              proxy.open("DELETE", f"/v1/responses/{id}", None, two),
              proxy.post(f"/v1/responses/{id}/cancel", {}, two)):
        assert r.status == 404 and r.read() == unknown
    assert retrieved(proxy, id, one)["status"] == "completed"


# --- cancelled and deleted --------------------------------------------------------------------------

def test_a_cancelled_response_says_so_and_its_stream_ends_well(proxy, upstream):
    upstream.script = [ROLE, token("Hel"), stall]
    running = ask(proxy, stream=True)
    id = ids_of(running)
    while running.next_event().type != "response.output_text.delta":
        pass
    r = proxy.post(f"/v1/responses/{id}/cancel", {})
    assert r.status == 200 and r.json["status"] == "cancelled" and text_of(r.json) == "Hel"
    assert running.all_events()[-1].type == "response.completed"
    upstream.until(lambda: not upstream.open_connections or upstream.connections[-1].closed, "the upstream's end")
    again = proxy.post(f"/v1/responses/{id}/cancel", {})
    assert again.json == r.json == retrieved(proxy, id)


def test_to_cancel_what_has_ended_changes_nothing(proxy, upstream):
    upstream.script = answer("a")
    whole = ask(proxy).json
    assert proxy.post(f"/v1/responses/{whole['id']}/cancel", {}).json == whole


def test_a_deleted_response_is_gone_and_stopped(proxy, upstream):
    upstream.script = [ROLE, token("Hel"), stall]
    running = ask(proxy, stream=True)
    id = ids_of(running)
    r = proxy.open("DELETE", f"/v1/responses/{id}")
    assert r.status == 200 and r.json == {"id": id, "object": "response", "deleted": True}
    assert running.all_events()[-1].type == "response.completed"
    assert get(proxy, id).status == 404
    assert proxy.open("DELETE", f"/v1/responses/{id}").status == 404


# --- in the background ------------------------------------------------------------------------------

def test_a_background_response_is_answered_at_once_and_goes_on(proxy, upstream):
    gate = upstream.gate()
    upstream.script = [gate, ROLE, token("Hel"), token("lo"), FINISH, DONE]
    begun = ask(proxy, background=True)
    assert begun.status == 200 and begun.json["status"] == "queued" and begun.json["output"] == []
    assert begun.header("X-Stream-Id") == begun.json["id"].removeprefix("resp_")
    gate.open()
    until_status(proxy, begun.json["id"], "completed")
    assert text_of(retrieved(proxy, begun.json["id"])) == "Hello"


def test_a_background_stream_outlives_its_client(proxy, upstream):
    gate = upstream.gate()
    upstream.script = [ROLE, token("Hel"), gate, token("lo"), FINISH, DONE]
    running = ask(proxy, stream=True, background=True)
    id = ids_of(running)
    while running.next_event().type != "response.output_text.delta":
        pass
    running.client.close()
    wait_until(lambda: viewers(proxy, id) == 0, "the client's leave")
    gate.open()
    until_status(proxy, id, "completed")
    events = get(proxy, id, "?stream=true").all_events()
    assert text_of(events[-1].json["response"]) == "Hello"


def test_a_background_response_that_fails_says_so_when_asked(proxy, upstream):
    upstream.script = status(400, {"error": {"message": "not so", "code": "no"}})
    begun = ask(proxy, background=True)
    assert begun.status == 200
    until_status(proxy, begun.json["id"], "failed")
    assert retrieved(proxy, begun.json["id"])["error"] == {"code": "no", "message": "not so"}


def test_a_background_response_is_begun_once_for_its_key(proxy, upstream):
    upstream.script = answer("a")
    before = len(upstream.posts)
    key = {"Idempotency-Key": f"key-{time.monotonic_ns()}"}
    ids = {ask(proxy, key, background=True).json["id"] for _ in range(3)}
    assert len(ids) == 1
    until_status(proxy, ids.pop(), "completed")
    assert len(upstream.posts) == before + 1


# --- an upstream that speaks Responses --------------------------------------------------------------

THEIRS = {"id": "resp_theirs", "object": "response", "created_at": 5, "model": "m", "status": "in_progress",
          "output": [], "error": None, "incomplete_details": None, "usage": None}


def theirs(type, number, **members):
    data = {"type": type, "sequence_number": number, **members}
    return f"event: {type}\ndata: {json.dumps(data)}\n\n".encode()


PLACE = {"item_id": "msg_theirs", "output_index": 0, "content_index": 0}
BEGUN = [theirs("response.created", 0, response=THEIRS),
         theirs("response.output_text.delta", 1, delta="Hel", logprobs=[], **PLACE)]
FINAL = {**THEIRS, "status": "completed", "theirs": True}
COMPLETED = theirs("response.completed", 2, response=FINAL)


@pytest.fixture(scope="module")
def native(shared_rig, upstream):
    return shared_rig.proxy(upstream, upstreams={"u": {"api": "openai_responses"}})


def test_frames_of_the_same_api_are_numbered_as_they_came(native, upstream):
    upstream.script = [*BEGUN, COMPLETED]
    r = ask(native, stream=True)
    assert [e.json for e in r.all_events()][-1] == {
        "type": "response.completed", "sequence_number": 2, "response": FINAL}
    id = "resp_" + r.header("X-Stream-Id")
    assert retrieved(native, id) == FINAL
    assert numbers(get(native, id, "?stream=true&starting_after=0").events()) == [1, 2]


def test_a_response_is_found_by_the_id_that_the_upstream_gave_it(native, upstream):
    long = "resp_0c5f" + "7" * 60
    final = {**FINAL, "id": long}
    upstream.script = [theirs("response.created", 0, response={**THEIRS, "id": long}), BEGUN[1],
                       theirs("response.completed", 2, response=final)]
    r = ask(native, stream=True)
    assert r.all_events()[0].json["response"]["id"] == long
    assert retrieved(native, long) == final
    assert numbers(get(native, long, "?stream=true&starting_after=1").events()) == [2]
    assert get(native, long + "x").status == 404


def test_a_stream_of_the_same_api_that_is_stopped_ends_well(native, upstream):
    upstream.script = [*BEGUN, stall]
    r = ask(native, stream=True)
    r.next_event()
    stopped = native.post(f"/v1/responses/resp_{r.header('X-Stream-Id')}/cancel", {}).json
    assert stopped["id"] == "resp_theirs" and stopped["status"] == "cancelled"
    last = r.all_events()[-1]
    assert last.type == "response.completed" and last.json["response"]["id"] == "resp_theirs"
    assert last.json["sequence_number"] == 2


def test_a_stream_of_the_same_api_that_breaks_off_says_so(native, upstream):
    upstream.script = BEGUN
    events = ask(native, stream=True).all_events()
    assert [e.type for e in events[-2:]] == ["error", "response.failed"]
    assert numbers(events) == [0, 1, 2, 3]


def test_background_is_ours_and_not_the_upstreams(native, upstream):
    upstream.script = json_answer(FINAL)
    begun = ask(native, background=True).json
    until_status(native, begun["id"], "completed")
    assert retrieved(native, begun["id"]) == FINAL
    assert upstream.posts[-1].json["background"] is None


# --- OpenAI itself ----------------------------------------------------------------------------------

def test_openai_itself_is_asked_by_its_own_route_for_all_that_it_can(rig, upstream):
    upstream.script = APIS["openai_responses"].play("text")
    p = rig.proxy("http://api.openai.com/v1", upstreams={"u": {"proxy": upstream.origin}})
    asked = {"model": "m", "input": "Hi", "stream": True, "tools": [{"type": "web_search"}], "include": ["a.b"]}
    r = p.post("/v1/responses", asked)
    assert r.status == 200, r.read()
    events = r.all_events()
    assert events[-1].type == "response.completed" and events[-1].json["response"]["id"] == "resp_7"
    assert upstream.posts[-1].target == "http://api.openai.com/v1/responses" and upstream.posts[-1].json == asked
    assert r.header("X-Sluice-Dropped") is None
    upstream.script = answer("a")
    assert p.chat().status == 200
    assert upstream.posts[-1].target == "http://api.openai.com/v1/chat/completions"
