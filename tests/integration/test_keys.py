"""Who may call, what is theirs, and what a key changes: nobody without one comes in, and to everybody but its owner a
stream does not exist."""

import hashlib
import json
import pathlib
import signal
import time

import pytest

from client import PROVIDER_KEY
from rig import CANARY, bare_text, chat_body, config_for, content, run, wait_until
from upstream import DONE, FINISH, ROLE, answer, token

K1, K2, K3 = "k1-Ws83hfUe-of-one", "k2-Pq64mdRb-of-two", "k3-Zc29xyLt-of-three"
SECRETS = (K1, K2, K3)


def sha256(key):
    return hashlib.sha256(key.encode()).hexdigest()


KEYS = [{"name": "one", "sha256": sha256(K1)}, {"name": "two", "key": K2}, {"name": "three", "key": "${env:THREE}"}]


def bearer(key, **more):
    return {"Authorization": f"Bearer {key}", **more}


ONE, TWO = bearer(K1), bearer(K2)


def keyed(rig, upstream, keys=None, **more):
    return rig.proxy(upstream, keys=KEYS if keys is None else keys, env={"THREE": K3}, secrets=SECRETS, **more)


@pytest.fixture(scope="module")
def upstream(shared_rig):
    return shared_rig.upstream()


@pytest.fixture(scope="module")
def proxy(shared_rig, upstream):
    return keyed(shared_rig, upstream)


@pytest.fixture(autouse=True)
def plain_script(upstream):
    upstream.script = answer("Hel", "lo")


@pytest.fixture
def asked(upstream):
    """How many requests have reached the upstream since the test began."""
    before = len(upstream.requests)
    return lambda: len(upstream.requests) - before


def without_id(response):
    """What must be equal, byte for byte, of two refusals."""
    headers = [(n, v) for n, v in response.headers if n not in ("X-Request-Id", "Date")]
    return response.status, headers, response.read()


# --- coming in --------------------------------------------------------------------------------------

@pytest.mark.parametrize("headers", [bearer(K1), {"authorization": f"bearer {K1}"}, {"Authorization": f"BEARER  {K1} "},
                                     {"x-api-key": K1}, {"X-Api-Key": K1}, {"api-key": K1}, bearer(K2), bearer(K3),
                                     {"x-api-key": K3}, {**bearer(K2), "x-api-key": K2, "api-key": K2},
                                     {"Authorization": "Basic dTpw", "x-api-key": K1}])
def test_a_known_key_comes_in(proxy, headers):
    assert content(proxy.chat(headers).all_events()) == "Hello"


WRONG = [{}, bearer("wrong"), bearer(K1 + "x"), bearer(K1[:-1]), bearer(K1.upper()), bearer(""), bearer(sha256(K1)),
         {"Authorization": K1}, {"Authorization": f"Basic {K1}"}, {"Authorization": f"Bearer{K1}"},
         {"Authorization": ""}, {"Authorization": "Bearer"}, {"x-api-key": ""}, {"x-api-key": K2.upper()},
         {"api-key": "wrong"}, {"x-goog-api-key": K1}, {"Cookie": f"key={K1}"}, bearer("one"), {"X-Key": K1},
         bearer(PROVIDER_KEY)]
ASKING = [("POST", "/v1/chat/completions", chat_body()), ("POST", "/v1/embeddings", {"model": "m", "input": "a"}),
          ("POST", "/v1/completions", {"model": "m", "prompt": "a"}), ("GET", "/v1/models", None),
          ("GET", "/ask?q=a", None), ("POST", "/ask", b"a"), ("POST", "/v1/streams", chat_body()),
          ("GET", "/v1/streams", None), ("GET", "/v1/streams/AAAAAAAAAAAAAAAAAAAAAA", None),
          ("DELETE", "/v1/streams/AAAAAAAAAAAAAAAAAAAAAA", None),
          ("POST", "/v1/streams/AAAAAAAAAAAAAAAAAAAAAA/stop", None),
          ("GET", "/v1/events?streams=AAAAAAAAAAAAAAAAAAAAAA", None)]


def test_all_others_get_one_and_the_same_401(proxy, asked):
    refusals = {str(without_id(proxy.chat(headers))) for headers in WRONG}
    assert len(refusals) == 1 and asked() == 0
    r = proxy.chat()
    assert r.status == 401 and r.header("WWW-Authenticate") == "Bearer"
    assert r.error["code"] == "invalid_api_key" and r.error["type"] == "authentication_error"
    assert r.error["param"] is None and r.error["message"]


@pytest.mark.parametrize("method, target, body", ASKING)
def test_each_route_asks_for_a_key(proxy, asked, method, target, body):
    expected = without_id(proxy.chat())
    for headers in ({}, bearer("wrong")):
        assert without_id(proxy.open(method, target, body, headers)) == expected
    assert asked() == 0


@pytest.mark.parametrize("target", ["/healthz", "/readyz", "/", "/page/app.js", "/sluice.js", "/page/style.css", "/favicon.svg"])
def test_open_routes_ask_for_none(proxy, target):
    for headers in ({}, bearer("wrong"), {**ONE, "x-api-key": K2}):
        assert proxy.get(target, headers).status == 200


def test_a_preflight_needs_no_key_and_its_request_does(rig, upstream):
    p = keyed(rig, upstream, cors={"origins": ["https://app.example"]})
    origin = {"Origin": "https://app.example"}
    r = p.open("OPTIONS", "/v1/chat/completions", None,
               {**origin, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"})
    assert r.status == 204 and r.header("Access-Control-Allow-Headers") == "authorization"
    refused = p.chat(origin)
    assert refused.status == 401 and refused.header("Access-Control-Allow-Origin") == "https://app.example"
    assert p.chat({**origin, **ONE}).status == 200


def test_two_different_keys_are_400(proxy, asked):
    for headers in ({**ONE, "x-api-key": K2}, {**ONE, "api-key": "wrong"}, {"x-api-key": K1, "api-key": K2}):
        r = proxy.chat(headers)
        assert r.status == 400 and r.error["code"] == "ambiguous_key"
        assert K1 not in r.error["message"] and K2 not in r.error["message"]
    twice = f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {K1}\r\n" \
            f"Authorization: Bearer {K2}\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{{}}"
    with proxy.client() as c:
        c.send(twice.encode())
        assert c.response().status == 400
    assert asked() == 0


@pytest.mark.parametrize("name", ["key", "api_key", "api-key", "access_token", "token", "API_KEY"])
@pytest.mark.parametrize("headers", [{}, ONE])
def test_a_key_in_the_url_is_400(proxy, asked, name, headers):
    for target in (f"/ask?q=a&{name}={K1}", f"/v1/models?{name}={K1}"):
        r = proxy.get(target, headers)
        assert r.status == 400 and r.error["code"] == "key_in_query" and K1 not in r.error["message"]
    assert asked() == 0


def test_without_keys_nobody_is_asked(rig, upstream):
    p = rig.proxy(upstream)
    for headers in ({}, bearer("any"), {**bearer("a"), "x-api-key": "b"}, {"Authorization": "Basic dTpw"}):
        assert content(p.chat(headers).all_events()) == "Hello"
    assert p.get("/ask?q=a&token=b").read() == b"Hello"


def test_metrics_are_for_this_machine_or_a_key(rig, upstream, tmp_path):
    p = keyed(rig, upstream, listen=["127.0.0.1:0", f"unix:{tmp_path}/s"])
    forwarded = {"X-Forwarded-For": "203.0.113.9"}
    assert p.get("/metrics").status == 200
    assert p.get("/metrics", forwarded).status == 401
    assert p.get("/metrics", {**forwarded, **ONE}).status == 200
    p.address = f"{tmp_path}/s"
    assert p.get("/metrics").status == 200
    assert p.get("/v1/models").status == 401


def test_a_page_of_another_site_spends_nothing(proxy, asked):
    """What a form of a foreign page can send, which has no key."""
    r = proxy.post("/v1/chat/completions", json.dumps(chat_body()).encode(),
                   {"Content-Type": "text/plain", "Origin": "http://127.0.0.1:1", "Sec-Fetch-Site": "same-site"})
    assert r.status in (401, 403, 415) and asked() == 0


@pytest.mark.parametrize("mode, expected", [(PROVIDER_KEY, PROVIDER_KEY), (None, None), ("client", K1)])
def test_the_callers_key_goes_upstream_only_where_that_is_wanted(rig, upstream, mode, expected):
    config = config_for(upstream, keys=[{"name": "one", "key": K1}])
    config["upstreams"]["u"]["key"] = mode
    p = rig.start(config, secrets=SECRETS)
    for headers in (ONE, {"x-api-key": K1}, {"api-key": K1}):
        p.chat(headers).read()
        request = upstream.posts[-1]
        assert request.header("Authorization") == (expected and f"Bearer {expected}")
        assert (K1.encode() in request.head) == (expected == K1)


# --- models -----------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def choosy(shared_rig):
    upstream = shared_rig.upstream(models=("m", "n", "x", "secret"))
    keys = [{"name": "one", "key": K1, "models": ["n", "x", "fast"]}, {"name": "two", "key": K2}]
    models = {"fast": "u/m", "slow": "u/n"}
    p = keyed(shared_rig, upstream, keys=keys, models=models)
    return p, upstream


def test_a_model_that_is_not_the_callers_is_403(choosy):
    p, upstream = choosy
    for method, target, body in (("POST", "/v1/chat/completions", chat_body(model="secret")),
                                 ("POST", "/v1/completions", {"model": "secret", "prompt": "a"}),
                                 ("POST", "/v1/embeddings", {"model": "slow", "input": "a"}),
                                 ("POST", "/v1/streams", chat_body(model="N")),
                                 ("GET", "/ask?q=a&model=secret", None), ("POST", "/ask?model=u%2Fn", b"a")):
        r = p.open(method, target, body, ONE)
        assert r.status == 403, target
        assert r.error["code"] == "model_not_allowed" and r.error["param"] == "model"
    assert not upstream.posts


def test_the_models_of_a_key_are_answered(choosy):
    p, upstream = choosy
    upstream.script = answer("Hel", "lo")
    assert content(p.chat(ONE, model="n").all_events()) == "Hello" and upstream.posts[-1].json["model"] == "n"
    assert p.get("/ask?q=a&model=fast", ONE).read() == b"Hello" and upstream.posts[-1].json["model"] == "m"
    assert p.get("/ask?q=a&model=secret", TWO).read() == b"Hello"


@pytest.mark.parametrize("body", [{}, {"model": ""}])
def test_without_a_model_the_first_of_the_key_is_asked(choosy, body):
    p, upstream = choosy
    upstream.script = answer("Hel", "lo")
    request = {k: v for k, v in chat_body().items() if k != "model"}
    assert content(p.post("/v1/chat/completions", {**request, **body}, ONE).all_events()) == "Hello"
    assert upstream.posts[-1].json["model"] == "n" and upstream.posts[-1].body.count(b'"model"') == 1
    assert p.get("/ask?q=a", ONE).read() == b"Hello" and upstream.posts[-1].json["model"] == "n"


def test_the_list_of_models_shows_those_of_the_key(choosy):
    p, _ = choosy
    assert [m["id"] for m in p.get("/v1/models", ONE).json["data"]] == ["fast", "n", "x"]
    assert [m["id"] for m in p.get("/v1/models", TWO).json["data"]] == ["fast", "slow", "m", "n", "x", "secret"]


# --- what a key changes -----------------------------------------------------------------------------

def test_a_key_has_heartbeats_and_ids_of_its_own(rig, upstream):
    p = keyed(rig, upstream, streams={"open_after": "0", "heartbeat": "off", "event_ids": "on"},
              keys=[{"name": "one", "key": K1, "heartbeat": "1s", "event_ids": "off"}, {"name": "two", "key": K2}])
    gate = upstream.gate()
    upstream.script = [ROLE, token("a"), gate, token("b"), FINISH, DONE]
    mine, other = p.chat(ONE), p.chat(TWO)
    seen = mine.read_until(b": hb\n")
    gate.open()
    seen += mine.read()
    assert b"id: " not in seen and b"DONE" in seen
    theirs = other.read()
    assert b": hb" not in theirs and theirs.count(b"id: ") == 5


def test_a_key_that_detaches_keeps_its_stream(rig, upstream):
    p = keyed(rig, upstream, keys=[{"name": "one", "key": K1, "when_client_leaves": "detach 30s"},
                                   {"name": "two", "key": K2, "when_client_leaves": "cancel"}])
    gate = upstream.gate()
    upstream.script = [ROLE, token("a"), gate, token("b"), FINISH, DONE]
    r = p.chat(ONE)
    seen = r.next_event()
    r.client.close()
    stream = r.header("X-Stream-Id")
    # The header wins over the key, and the key over what routes do by themselves.
    for target, headers in (("/v1/chat/completions", {**ONE, "X-Sluice-Client-Leaves": "cancel"}),
                            ("/v1/chat/completions", TWO), ("/v1/chat/completions", {**TWO, "Idempotency-Key": "a"}),
                            ("/ask?format=events&model=m", TWO)):
        gone = p.post(target, chat_body() if "chat" in target else b"why", headers)
        gone.next_event()
        gone.client.close()
        p.wait_log("stream_end", stream=gone.header("X-Stream-Id"), code="client_gone")
    gate.open()
    rest = p.get(f"/v1/streams/{stream}?format=openai", {**ONE, "Last-Event-ID": seen.id})
    assert content([seen, *rest.all_events()]) == "ab"
    ended = p.wait_log("stream_end", stream=stream)
    assert ended["state"] == "done" and ended["key"] == "one"


def test_the_log_names_the_key_of_each_request(proxy):
    r = proxy.chat(TWO)
    r.read()
    request = r.header("X-Request-Id").removeprefix("req_")
    assert proxy.wait_log("request", request=request)["key"] == "two"
    r = proxy.chat(bearer("wrong"))
    r.read()
    request = r.header("X-Request-Id").removeprefix("req_")
    assert proxy.wait_log("request", request=request)["key"] == ""


# --- what is theirs ---------------------------------------------------------------------------------

UNKNOWN = "AAAAAAAAAAAAAAAAAAAAAA"


@pytest.fixture
def running(proxy, upstream):
    """A stream of "one" that has said "a" and waits: (its response, its id, the gate)."""
    gate = upstream.gate()
    upstream.script = [ROLE, token("a"), gate, token("b"), FINISH, DONE]
    r = proxy.chat({**ONE, "X-Sluice-Client-Leaves": "detach 30s"})
    r.next_event()
    r.next_event()
    yield r, r.header("X-Stream-Id"), gate
    gate.open()


def in_all_ways(proxy, stream, headers):
    """What somebody gets of a stream in all the ways there are to ask for it."""
    position = {**headers, "Last-Event-ID": f"{stream}.1"}
    asked = [("GET", f"/v1/streams/{stream}", None, headers),
             ("GET", f"/v1/streams/{stream}?format=events", None, headers),
             ("GET", f"/v1/streams/{stream}?format=json", None, headers),
             ("GET", f"/v1/streams/{stream}?format=json&wait=20s&starting_after=1", None, headers),
             ("GET", f"/v1/streams/{stream}?starting_after=1", None, headers),
             ("GET", f"/v1/streams/{stream}?last_event_id={stream}.1", None, headers),
             ("GET", f"/v1/streams/{stream}", None, position),
             ("GET", "/ask?q=a", None, position),
             ("POST", "/v1/chat/completions", chat_body(), position),
             ("POST", "/v1/streams", chat_body(), position),
             ("GET", f"/v1/events?streams={stream}", None, headers),
             ("POST", f"/v1/streams/{stream}/ticket", {}, headers),
             ("POST", f"/v1/streams/{stream}/ticket", {"ttl": "nonsense"}, headers),
             ("POST", f"/v1/streams/{stream}/stop", None, headers),
             ("DELETE", f"/v1/streams/{stream}", None, headers)]
    return [without_id(proxy.open(*one)) for one in asked]


def test_of_somebody_elses_stream_nothing_is_seen(proxy, upstream, running):
    r, stream, gate = running
    before = len(upstream.posts)
    for ended in (False, True):
        if ended:
            gate.open()
            assert content(r.all_events()) == "b"
        theirs, unknown = (in_all_ways(proxy, id, TWO) for id in (stream, UNKNOWN))
        assert theirs == unknown and {one[0] for one in theirs} == {404}
    assert len(upstream.posts) == before
    document = proxy.get(f"/v1/streams/{stream}?format=json", ONE).json
    assert document["state"] == "done" and document["text"] == "ab"


def test_each_sees_only_their_own_streams_in_the_list(proxy, running):
    _, stream, _ = running
    mine = [s["id"] for s in proxy.get("/v1/streams?limit=1000", ONE).json["data"]]
    theirs = [s["id"] for s in proxy.get("/v1/streams?limit=1000", TWO).json["data"]]
    assert stream in mine and not set(mine) & set(theirs)


def test_idempotency_keys_of_two_owners_have_nothing_to_do_with_each_other(proxy, upstream, asked):
    both = [proxy.chat({**h, "Idempotency-Key": "same"}) for h in (ONE, TWO, ONE, TWO)]
    assert [content(r.all_events()) for r in both] == ["Hello"] * 4
    ids = [r.header("X-Stream-Id") for r in both]
    assert ids[0] == ids[2] != ids[1] == ids[3] and asked() == 2
    assert proxy.chat({**bearer(K3), "Idempotency-Key": "same"}, temperature=1).status == 200
    assert proxy.chat({**TWO, "Idempotency-Key": "same"}, temperature=1).status == 422


def test_a_channel_is_its_first_publishers_and_feeds_are_for_admins(rig, upstream):
    p = keyed(rig, upstream, keys=[{"name": "one", "key": K1}, {"name": "two", "key": K2, "admin": "on"}])
    assert p.post("/v1/channels/news", b"a", ONE).status == 201
    for method, target, body in (("POST", "/v1/channels/news", b"b"), ("GET", "/v1/channels/news", None)):
        assert p.open(method, target, body).status == 401
        assert p.open(method, target, body, TWO).status == 404
    assert p.get("/v1/channels/news?from=start", ONE).next_event().data == "a"
    for feed in ("log", "stats"):
        assert p.get(f"/v1/feeds/{feed}").status == 401
        refused = p.get(f"/v1/feeds/{feed}", ONE)
        assert refused.status == 403 and refused.error["code"] == "admin_only"
        opened = p.get(f"/v1/feeds/{feed}", TWO)
        assert opened.status == 200
        opened.client.close()


# --- tickets ----------------------------------------------------------------------------------------

def ticket_for(proxy, stream, body=None, headers=ONE):
    r = proxy.post(f"/v1/streams/{stream}/ticket", body, headers)
    assert r.status == 200 and "no-store" in r.header("Cache-Control")
    return r.json


def test_a_ticket_opens_its_stream_for_reading(proxy, running):
    _, stream, gate = running
    before = time.time()
    made = ticket_for(proxy, stream)
    assert before + 300 <= made["expires_at"] <= time.time() + 301
    assert made["url"].startswith(f"/v1/streams/{stream}?ticket={made['expires_at']}.")
    url = made["url"]
    events = proxy.get(url, {"Accept": "text/event-stream"})
    first = events.next_event()
    assert events.status == 200 and first.data == "a"
    # A link from somewhere else may be followed, whoever follows it.
    elsewhere = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert proxy.get(f"{url}&format=json", elsewhere).json["text"] == "a"
    for headers in ({}, TWO, bearer("wrong")):
        assert proxy.get(f"{url}&format=json", headers).json["state"] == "running"
    gate.open()
    assert bare_text([first, *events.all_events()]) == "ab"
    assert content(proxy.get(f"{url}&format=openai").all_events()) == "ab"
    assert proxy.get(f"{url}&format=text").read() == b"ab"
    resumed = proxy.get(f"{url}&format=events", {"Last-Event-ID": first.id})
    assert bare_text(resumed.all_events()) == "b"
    assert proxy.get(f"{url}&format=events&starting_after={first.seq}").next_event().data == "b"


def test_a_ticket_opens_nothing_else(proxy, running):
    _, stream, gate = running
    ticket = ticket_for(proxy, stream)["url"].partition("?")[2]
    other = proxy.post("/v1/streams", chat_body(), ONE).json["id"]
    assert proxy.get(f"/v1/streams/{other}?{ticket}").status == 401
    assert proxy.get(f"/v1/streams/{UNKNOWN}?{ticket}").status == 401
    for method, target, body in (("POST", f"/v1/streams/{stream}/stop?{ticket}", None),
                                 ("DELETE", f"/v1/streams/{stream}?{ticket}", None),
                                 ("POST", f"/v1/streams/{stream}/ticket?{ticket}", {}),
                                 ("GET", f"/v1/streams?{ticket}", None), ("GET", f"/ask?q=a&{ticket}", None),
                                 ("POST", f"/v1/chat/completions?{ticket}", chat_body()),
                                 ("POST", f"/v1/streams?{ticket}", chat_body()),
                                 ("GET", f"/v1/models?{ticket}", None), ("GET", f"/v1/channels/a?{ticket}", None),
                                 ("GET", f"/v1/feeds/log?{ticket}", None)):
        r = proxy.open(method, target, body)
        assert r.status == 401 and r.error["code"] == "invalid_api_key", target
    # A repeated POST that names a position is no reading by ticket either.
    r = proxy.post(f"/v1/chat/completions?{ticket}", chat_body(), {"Last-Event-ID": f"{stream}.1"})
    assert r.status == 401
    assert proxy.get(f"/v1/streams/{stream}?format=json", ONE).json["state"] == "running"


def test_tickets_open_several_streams_at_once_in_their_order(proxy, upstream):
    streams = [proxy.post("/v1/streams", chat_body(), h).json for h in (ONE, TWO)]
    ids = [s["id"] for s in streams]
    tickets = [s["read_url"].partition("ticket=")[2] for s in streams]
    assert proxy.get(f"/v1/events?streams={','.join(ids)}").status == 401
    r = proxy.get(f"/v1/events?streams={','.join(ids)}&ticket={','.join(tickets)}")
    assert r.status == 200
    said = {}
    for e in r.all_events():
        if e.json["type"] == "text":
            said[e.json["stream"]] = said.get(e.json["stream"], "") + e.json["data"]
    assert said == {id: "Hello" for id in ids}
    for wrong in ([tickets[1], tickets[0]], tickets[:1], ["", tickets[1]], [tickets[0], ""], [*tickets, tickets[0]],
                  [], [tickets[0], tickets[1] + "A"]):
        r = proxy.get(f"/v1/events?streams={','.join(ids)}&ticket={','.join(wrong)}", ONE)
        assert r.status == 401 and r.error["code"] == "invalid_ticket", wrong
    assert proxy.get(f"/v1/events?ticket={tickets[0]}").status == 401


def test_a_new_stream_has_a_url_that_needs_no_key(proxy, rig, upstream):
    created = proxy.post("/v1/streams", chat_body(), ONE)
    made = created.json
    assert created.status == 201 and made["url"] == f"/v1/streams/{made['id']}"
    expires = int(made["read_url"].partition("ticket=")[2].partition(".")[0])
    assert time.time() + 3590 < expires < time.time() + 3602
    assert proxy.get(made["read_url"]).read() == b"Hello"
    plain = rig.proxy(upstream).post("/v1/streams", chat_body()).json
    assert plain["read_url"] == plain["url"]


def test_a_bad_ticket_is_one_and_the_same_401(proxy, rig, running):
    _, stream, _ = running
    url = ticket_for(proxy, stream)["url"]
    path, _, ticket = url.partition("?ticket=")
    expected = without_id(proxy.get(f"{path}?ticket=x"))
    assert expected[0] == 401 and json.loads(expected[2])["error"]["code"] == "invalid_ticket"
    # Each byte of it counts.
    for i, byte in enumerate(ticket):
        forged = ticket[:i] + ("0" if byte != "0" else "1") + ticket[i + 1:]
        assert without_id(proxy.get(f"{path}?ticket={forged}")) == expected, forged
    later = str(int(ticket.partition(".")[0]) + 1) + "." + ticket.partition(".")[2]
    for forged in (later, ticket + "=", ticket + "A", ticket[:-1], "", ".", "0" + ticket, "-" + ticket,
                   "%00" + ticket):
        for headers in ({}, ONE, TWO):
            assert without_id(proxy.get(f"{path}?ticket={forged}", headers)) == expected, forged
    assert without_id(proxy.get(f"/v1/streams/{UNKNOWN}?ticket={ticket}")) == expected
    # Another process has another secret; and without keys it is refused all the same.
    other = rig.proxy("http://127.0.0.1:9/v1")
    assert without_id(other.get(url)) == expected


def test_a_ticket_expires(proxy, running):
    _, stream, _ = running
    made = ticket_for(proxy, stream, {"ttl": "1s"})
    assert proxy.get(f"{made['url']}&format=json").status == 200
    live = proxy.get(f"{made['url']}&format=events")
    assert live.next_event().data == "a"
    wait_until(lambda: time.time() >= made["expires_at"], "the ticket to expire")
    refused = proxy.get(f"{made['url']}&format=json")
    assert refused.status == 401 and refused.error["code"] == "invalid_ticket"


def test_who_reads_by_a_ticket_stays_until_the_end(proxy, running):
    _, stream, gate = running
    made = ticket_for(proxy, stream, {"ttl": "1s"})
    live = proxy.get(f"{made['url']}&format=text")
    assert live.read_until(b"a") == b"a"
    wait_until(lambda: time.time() >= made["expires_at"], "the ticket to expire")
    gate.open()
    assert live.read() == b"b"


def test_a_good_ticket_for_a_stream_that_is_gone_is_404(rig, upstream):
    p = keyed(rig, upstream, streams={"keep": "0"})
    gate = upstream.gate()
    upstream.script = [ROLE, token("a"), gate, FINISH, DONE]
    r = p.chat(ONE)
    r.next_event()
    url = ticket_for(p, r.header("X-Stream-Id"))["url"]
    gate.open()
    r.read()
    wait_until(lambda: p.get(url).status != 204 and p.get(url).status != 200, "the stream to be gone")
    gone = p.get(url)
    assert gone.status == 404 and gone.error["code"] == "stream_not_found"


@pytest.mark.parametrize("body, headers, status, code", [
    ({"ttl": "1s"}, {}, 200, None), ({"ttl": "24h"}, {}, 200, None), ({}, {}, 200, None), (None, {}, 200, None),
    (b"", {"Content-Type": None}, 200, None),
    ({"ttl": "2h"}, {"Content-Type": "application/json; charset=utf-8"}, 200, None),
    *(({"ttl": ttl}, {}, 400, "invalid_ttl")
      for ttl in ("999ms", "25h", "0", "", 300, None, "-5m", "9" * 60 + "h", ["5m"])),
    ([], {}, 400, "invalid_type"), (b"5m", {}, 400, "invalid_json"),
    (b'{"ttl":"1h","ttl":"1s"}', {}, 400, "duplicate_key"),
    (b'{"ttl":"5m"}', {"Content-Type": "text/plain"}, 415, "unsupported_media_type"),
    (b'{"ttl":"5m"}', {"Content-Type": None}, 415, "unsupported_media_type"),
])
def test_a_ticket_is_asked_for_properly(proxy, running, body, headers, status, code):
    r = proxy.post(f"/v1/streams/{running[1]}/ticket", body, {**ONE, **headers})
    assert r.status == status
    assert code is None or r.error["code"] == code


# --- what stands nowhere ----------------------------------------------------------------------------

def test_no_secret_stands_anywhere_it_does_not_belong(rig, upstream):
    p = rig.proxy(upstream, env={"THREE": K3}, secrets=SECRETS, keys=KEYS)
    told = [without_id(p.chat(headers))[2] for headers in (*WRONG, {**ONE, "x-api-key": K2})]
    told += [p.get(f"/ask?q={CANARY}&key={K1}").read(), p.chat(ONE, model=None, messages=7).read()]
    r = p.chat({**ONE, "X-Sluice-Client-Leaves": "detach 30s"})
    r.read()
    made = ticket_for(p, r.header("X-Stream-Id"))
    assert p.get(made["url"]).status == 200
    told += [p.get(made["url"] + "x").read(), p.get(f"/v1/streams/{r.header('X-Stream-Id')}", TWO).read()]
    upstream.script = [lambda reply: reply.whole({"error": {"message": f"bad key {PROVIDER_KEY}"}}, 401)]
    told += [p.chat(TWO).read()]
    told += [p.get("/metrics").read(), p.get("/metrics", {"Forwarded": "for=203.0.113.9"}).read()]
    told += [p.get("/v1/streams", ONE).read()]
    told += [pathlib.Path(f"/proc/{p.pid}/cmdline").read_bytes()]
    p.write_config(json.dumps({**config_for(upstream), "keys": [{"name": "bad name", "key": K1, "sha256": K2}]}))
    p.signal(signal.SIGHUP)
    told += [p.wait_log("reload_failed")["errors"].encode()]
    p.stop()
    told += ["\n".join(p.lines).encode(), p.stdout.encode()]
    for secret in (PROVIDER_KEY, CANARY, *SECRETS, *map(sha256, SECRETS), made["url"].partition("ticket=")[2]):
        for text in told:
            assert secret.encode() not in text, secret


# --- addresses and reloads --------------------------------------------------------------------------

@pytest.mark.parametrize("address", ["0.0.0.0:0", "[::]:0"])
def test_other_machines_are_let_in_only_with_keys(rig, upstream, tmp_path, address):
    file = tmp_path / "c.yaml"
    config = config_for(upstream, listen=[address])
    for keys in ({}, {"keys": []}):
        file.write_text(json.dumps({**config, **keys}))
        ended = run("--config", str(file))
        assert ended.returncode == 2 and "c.yaml:" in ended.stderr and "`keys`" in ended.stderr
    # Keys behind and before the addresses.
    for order in (config, {"keys": KEYS[:2], **config}):
        p = rig.start(json.dumps({**order, "keys": KEYS[:2]}), secrets=SECRETS)
        p.address = ("::1" if ":" in p.address[0] else "127.0.0.1", p.address[1])
        assert p.chat().status == 401 and content(p.chat(ONE).all_events()) == "Hello"
    # What would open it to all is no reload.
    p.write_config(config_for(upstream))
    p.signal(signal.SIGHUP)
    assert "keys" in p.wait_log("reload_failed")["errors"]
    assert p.chat().status == 401 and p.chat(ONE).status == 200


def test_a_reload_swaps_keys_and_running_streams_never_notice(rig, upstream):
    p = keyed(rig, upstream)
    gate = upstream.gate()
    upstream.script = [ROLE, token("a"), gate, token("b"), FINISH, DONE]
    one, two = p.chat({**ONE, "X-Sluice-Client-Leaves": "detach 30s"}), p.chat(TWO)
    seen = {r: [r.next_event(), r.next_event()] for r in (one, two)}
    # "one" gets a new key, "two" is gone, "four" comes.
    config = config_for(upstream, keys=[{"name": "one", "key": "k1-new"}, {"name": "four", "key": "k4"}])
    p.write_config(config)
    p.signal(signal.SIGHUP)
    p.wait_log("reloaded")
    wait_until(lambda: p.get("/v1/streams", bearer("k4")).status == 200, "all workers to know the new keys", 5)
    wait_until(lambda: all(p.get("/v1/streams", h).status == 401 for h in (ONE, TWO)), "the old ones to be gone", 5)
    stream = one.header("X-Stream-Id")
    url = f"/v1/streams/{stream}?format=json"
    assert p.get(url, bearer("k1-new")).status == 200  # the name has kept its stream
    assert p.get(url, bearer("k4")).status == 404 and p.get(url, ONE).status == 401
    gate.open()
    for r in (one, two):
        assert content(seen[r] + r.all_events()) == "ab"
    p.write_config("keys: [")
    p.signal(signal.SIGHUP)
    p.wait_log("reload_failed")
    assert p.get("/v1/streams", bearer("k4")).status == 200
    # On loopback all keys may go.
    p.write_config(config_for(upstream))
    p.signal(signal.SIGHUP)
    wait_until(lambda: p.get("/v1/streams").status == 200, "nobody to be asked any more", 5)
