"""Who may call, what is theirs, and what a key changes: nobody without one comes in, and to everybody but its owner a
stream does not exist."""

import hashlib
import json
import pathlib
import signal

import pytest

from client import PROVIDER_KEY
from rig import CANARY, bare_text, chat_body, config_for, content, run, wait_until
from upstream import FINISH, DONE, ROLE, answer, completion, json_answer, stall, token

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


@pytest.mark.parametrize("target", ["/healthz", "/readyz", "/", "/app.js", "/style.css", "/favicon.svg"])
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
