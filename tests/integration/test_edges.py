"""The edge towards clients: what HTTP and JSON may come in, from whom, and what answers look like."""

import hashlib
import json
import re
import select
import threading
import time

import pytest

from client import Client
from rig import SANITIZED, chat_body, content
from upstream import DONE, answer, completion, json_answer, sink

STREAM_ANSWER = answer("Hel", "lo")


def play(request, reply):
    """A stream for who asks for one, else a whole answer."""
    if b'"stream": true' in request.body or b'"stream":true' in request.body:
        for f in STREAM_ANSWER:
            reply.body(f)
    else:
        reply.whole(completion())


@pytest.fixture(scope="module")
def upstream(shared_rig):
    return shared_rig.upstream(play)


@pytest.fixture(scope="module")
def proxy(shared_rig, upstream):
    return shared_rig.proxy(upstream, limits={"body": "1MiB"},
                            timeouts={"request_headers": "1s", "request_body": "2s"})


@pytest.fixture
def asked(upstream):
    """How many requests the upstream has had since the test began."""
    before = len(upstream.requests)
    return lambda: len(upstream.requests) - before


def responses_in(data):
    """The statuses of all heads in what a server sent."""
    return re.findall(rb"HTTP/1\.[01] (\d{3})", data)


def exchange(proxy, data, within=1):
    """Sends these bytes; all that comes back until the server closes, and how long that took."""
    with proxy.client(timeout=within + 2) as c:
        started = time.monotonic()
        c.send(data)
        received = c.rest()
        assert c.ended, "the server did not close"
        return received, time.monotonic() - started


def head(*lines, target="/v1/chat/completions", method="POST", version="1.1", host=True):
    start = [f"{method} {target} HTTP/{version}", *(["Host: localhost"] if host else [])]
    return "\r\n".join([*start, *lines, "", ""]).encode("latin-1")


SMUGGLED = b"GET /smug HTTP/1.1\r\nHost: localhost\r\n\r\n"
TYPE = "Content-Type: application/json"
CHUNKED = "Transfer-Encoding: chunked"


# --- framing ----------------------------------------------------------------------------------------

def test_a_length_beside_chunks_is_refused_and_nothing_smuggled(proxy, asked):
    before = len(proxy.logged("request"))
    data, took = exchange(proxy, head(TYPE, "Content-Length: 6", CHUNKED) + b"0\r\n\r\nX" + SMUGGLED)
    assert responses_in(data) == [b"400"] and took < 1
    assert not any("smug" in line for line in proxy.lines)
    proxy.wait_log("request", count=before + 1)
    assert len(proxy.logged("request")) == before + 1
    assert asked() == 0


# A body that would be answered with 200, if its framing were not what it is.
GOOD = b'{"model":"m","messages":[]}'
N = len(GOOD)
IN_CHUNKS = b"%x\r\n%s\r\n0\r\n\r\n" % (N, GOOD)

BAD_FRAMINGS = {
    "two equal lengths": head(TYPE, f"Content-Length: {N}", f"Content-Length: {N}") + GOOD,
    "two different lengths": head(TYPE, f"Content-Length: {N}", f"Content-Length: {N + 9}") + GOOD,
    "a list of lengths": head(TYPE, f"Content-Length: {N}, {N}") + GOOD,
    "a length with a plus": head(TYPE, f"Content-Length: +{N}") + GOOD,
    "a negative length": head(TYPE, "Content-Length: -1") + GOOD,
    "a hexadecimal length": head(TYPE, f"Content-Length: {N:#x}") + GOOD,
    "an empty length": head(TYPE, "Content-Length: ") + GOOD,
    "a length of 2^64": head(TYPE, "Content-Length: 18446744073709551616") + GOOD,
    "a length of 2^64-1": head(TYPE, "Content-Length: 18446744073709551615") + GOOD,
    "an unknown coding": head(TYPE, "Transfer-Encoding: xchunked") + IN_CHUNKS,
    "gzip, chunked": head(TYPE, "Transfer-Encoding: gzip, chunked") + IN_CHUNKS,
    "chunked, identity": head(TYPE, "Transfer-Encoding: chunked, identity") + IN_CHUNKS,
    "identity and a length": head(TYPE, "Transfer-Encoding: identity", f"Content-Length: {N}") + GOOD,
    "a coding twice": head(TYPE, CHUNKED, CHUNKED) + IN_CHUNKS,
    "a blank before the coding's colon": head(TYPE, "Transfer-Encoding : chunked") + IN_CHUNKS,
    "a blank before the length's colon": head(TYPE, f"Content-Length : {N}") + GOOD,
    "chunks in HTTP/1.0": head(TYPE, CHUNKED, version="1.0") + IN_CHUNKS,
    "a folded header": head(TYPE, "X-A: b\r\n c", f"Content-Length: {N}") + GOOD,
    "a bare CR in a header": head(TYPE, "X-A: b\rX-B: c", f"Content-Length: {N}") + GOOD,
    "no Host": head(TYPE, f"Content-Length: {N}", host=False) + GOOD,
    "two Hosts": head(TYPE, "Host: localhost", f"Content-Length: {N}") + GOOD,
    "a chunk size that is none": head(TYPE, CHUNKED) + b"zz\r\n" + GOOD + b"\r\n0\r\n\r\n",
    "a chunk size beyond 2^64": head(TYPE, CHUNKED) + b"1000000000000001b\r\n" + GOOD + b"\r\n0\r\n\r\n",
    "a chunk longer than its size": head(TYPE, CHUNKED) + b"3\r\n" + GOOD + b"\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("form", BAD_FRAMINGS)
def test_a_request_that_can_be_read_in_two_ways_is_refused_and_the_connection_closed(proxy, asked, form):
    data, took = exchange(proxy, BAD_FRAMINGS[form] + SMUGGLED)
    assert [s in (b"400", b"413", b"501") for s in responses_in(data)] == [True], data
    assert took < 1
    assert asked() == 0
    assert proxy.is_alive()


@pytest.mark.parametrize("body", [b"3\r\n{}\n\r\n0\r\n\r\n", b"1\r\n{\r\n1;ext=1\r\n}\r\n0\r\nX-Trailer: t\r\n\r\n"])
def test_a_chunked_body_is_read(proxy, body):
    with proxy.client() as c:
        c.send(head(TYPE, CHUNKED) + body)
        r = c.response("POST")
        assert r.status == 400 and r.error["code"] == "missing_field"


# --- sizes and times --------------------------------------------------------------------------------

@pytest.mark.parametrize("status, request_bytes", [
    (431, head("X-Long: " + "a" * 40_000, method="GET", target="/healthz")),
    (431, head(*(f"X-{i}: {'b' * 30}" for i in range(1000)), method="GET", target="/healthz")),
    (431, head(*(f"X-{i}: b" for i in range(1000)), method="GET", target="/healthz")),
    (414, head(method="GET", target="/healthz?" + "a" * 40_000)),
    (414, head(method="GET", target="/healthz?" + "a" * 10_000)),
], ids=["one-long-header", "1000-headers", "1000-short-headers", "long-uri", "uri-over-its-limit"])
def test_a_head_beyond_its_limits_is_refused_with_its_own_status(proxy, status, request_bytes):
    data, took = exchange(proxy, request_bytes)
    assert responses_in(data) == [str(status).encode()]
    assert took < 1
    assert proxy.is_alive()


def test_a_body_that_is_announced_too_large_is_not_read(proxy, asked):
    with proxy.client() as c:
        c.send(head(TYPE, "Content-Length: 2097152", "Expect: 100-continue"))
        r = c.response("POST")
        assert r.status == 413 and r.error["code"]
        began = time.monotonic()
        assert c.rest() == b"" and c.ended and time.monotonic() - began < 1
    assert asked() == 0


def test_a_body_within_the_limit_is_asked_for(proxy):
    body = json.dumps(chat_body(stream=False)).encode()
    with proxy.client() as c:
        c.send(head(TYPE, f"Content-Length: {len(body)}", "Expect: 100-continue"))
        assert c.take_until(b"\r\n\r\n").startswith(b"HTTP/1.1 100")
        c.send(body)
        assert c.response("POST").status == 200


def test_an_endless_chunked_body_is_cut_at_its_limit(proxy, asked):
    before = proxy.rss
    with proxy.client() as c:
        c.send(head(TYPE, CHUNKED))
        started, sent = None, 0
        chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
        try:
            while started is None or time.monotonic() - started < 5:
                c.send(chunk)
                sent += 65536
                if sent > 1 << 20 and started is None:
                    started = time.monotonic()
        except OSError:
            pass
        assert time.monotonic() - started < 1, "the connection was not closed at the limit"
        c.ended = None
        try:
            data = c.rest()
        except OSError:
            data = b""
        assert data == b"" or responses_in(data) == [b"413"]
    assert asked() == 0
    if not SANITIZED:
        assert proxy.rss - before <= 4 << 20
    assert proxy.is_alive()


@pytest.mark.parametrize("part, slow_bytes", [
    ("headers", b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: " + b"a" * 500),
    ("body", head(TYPE, "Content-Length: 1000") + b" " * 500),
])
def test_slow_requests_are_cut_in_time_and_disturb_nobody(proxy, part, slow_bytes):
    limit = {"headers": 1, "body": 2}[part]
    first = 20 if part == "headers" else slow_bytes.index(b"\r\n\r\n") + 4
    slow = [proxy.client() for _ in range(40)]
    began = time.monotonic()
    for c in slow:
        c.send(slow_bytes[:first])
    good, stop = [], threading.Event()

    def ask_all_the_time():
        while not stop.is_set():
            started = time.monotonic()
            assert proxy.chat(stream=False).status == 200
            good.append(time.monotonic() - started)

    asking = threading.Thread(target=ask_all_the_time, daemon=True)
    asking.start()
    ended = {}
    poll = select.poll()
    by_fd = {c.sock.fileno(): c for c in slow}
    for fd in by_fd:
        poll.register(fd, select.POLLIN)
    drip = first
    while len(ended) < len(slow) and time.monotonic() - began < limit + 4:
        for fd, _ in poll.poll(100):
            by_fd[fd].rest()
            poll.unregister(fd)
            ended[fd] = time.monotonic() - began
        for fd, c in by_fd.items():
            if fd not in ended:
                try:
                    c.send(slow_bytes[drip:drip + 1])
                except OSError:
                    pass  # cut just now; the poll tells
        drip += 1
    stop.set()
    asking.join(10)
    assert len(ended) == len(slow), f"{len(slow) - len(ended)} are still open"
    assert min(ended.values()) > limit * 0.9
    assert max(ended.values()) < limit + 2
    assert len(good) >= 20 and sorted(good)[int(len(good) * 0.99)] < 0.3
    for c in slow:
        c.sock.close()


def test_an_idle_connection_is_closed(rig):
    p = rig.proxy(rig.upstream(play), timeouts={"idle": "1s"})
    with p.client(timeout=5) as c:
        assert c.request("GET", "/healthz").response().read()
        began = time.monotonic()
        assert c.rest() == b""
        assert 0.5 < time.monotonic() - began < 3


# --- methods, paths, types, hosts -------------------------------------------------------------------

@pytest.mark.parametrize("status, method, target, headers, body", [
    (405, "TRACE", "/v1/chat/completions", {}, None),
    (405, "PUT", "/v1/chat/completions", {}, {}),
    (405, "GET", "/v1/chat/completions", {}, None),
    (405, "HEAD", "/v1/chat/completions", {}, None),
    (405, "POST", "/v1/models", {}, {}),
    (405, "DELETE", "/healthz", {}, None),
    (404, "GET", "/nothing/here", {}, None),
    (404, "GET", "/../etc/passwd", {}, None),
    (404, "GET", "/%2e%2e/etc/passwd", {}, None),
    (404, "GET", "/healthz%00", {}, None),
    (415, "POST", "/v1/chat/completions", {"Content-Type": "text/plain"}, {}),
    (415, "POST", "/v1/chat/completions", {"Content-Type": None}, {}),
    (415, "POST", "/v1/embeddings", {"Content-Type": "application/x-www-form-urlencoded"}, {}),
])
def test_what_is_not_served_is_refused_in_json(proxy, asked, status, method, target, headers, body):
    r = proxy.open(method, target, body, headers)
    assert r.status == status
    assert r.header("Content-Type") == "application/json"
    if status == 405:
        assert method not in r.header("Allow")
    if method != "HEAD":
        assert r.error["message"] and r.error["type"]
    assert asked() == 0


@pytest.fixture(scope="module")
def named_proxy(shared_rig, upstream):
    return shared_rig.proxy(upstream, hosts=["chat.example.com"])


@pytest.mark.parametrize("host, allowed", [
    ("evil.example", False), ("127.0.0.1.evil.example", False), ("localhost.evil.example:80", False),
    ("evil.example:{port}", False), ("localhost@evil.example", False), ("", False), ("[::2]", False),
    ("localhost", True), ("localhost:{port}", True), ("127.0.0.1:{port}", True), ("[::1]:{port}", True),
    ("LOCALHOST:{port}", True), ("chat.example.com", True),
])
def test_only_known_hosts_are_answered(named_proxy, host, allowed):
    r = named_proxy.get("/healthz", {"Host": host.format(port=named_proxy.address[1])})
    assert r.status == 200 if allowed else r.status in (400, 403, 421)


def test_head_and_options_are_answered(proxy):
    with proxy.client() as c:
        for target in ("/healthz", "/readyz", "/metrics", "/"):
            r = c.request("HEAD", target).response("HEAD")
            assert r.status == 200 and r.read() == b""
        r = c.request("OPTIONS", "/v1/chat/completions").response("OPTIONS")
        assert r.status in (200, 204, 405) and not r.header("Access-Control-Allow-Origin")
        assert r.status == 204 or r.read() is not None


@pytest.mark.parametrize("target, type", [("/healthz", "text/plain"), ("/readyz", "text/plain"),
                                          ("/metrics", "text/plain"), ("/", "text/html")])
def test_the_server_s_own_pages_are_there(proxy, target, type):
    r = proxy.get(target)
    assert r.status == 200 and r.header("Content-Type").startswith(type) and r.read()


# --- JSON -------------------------------------------------------------------------------------------

def wrap(member):
    return b'{"model":"m","messages":[],"stream":false,' + member + b"}"


BAD_JSON = {
    "model twice": (wrap(b'"model":"n"'), "duplicate_key"),
    "model twice, once escaped": (wrap(b'"mo\\u0064el":"n"'), "duplicate_key"),
    "a key twice further down": (wrap(b'"a":{"b":[{"c":1,"c":2}]}'), "duplicate_key"),
    "65 deep": (b"[" * 65, None),
    "1000 deep": (b"[" * 1000, None),
    "100000 deep": (b"[" * 100_000, None),
    "100000 deep in a value": (wrap(b'"a":' + b"[" * 100_000 + b"]" * 100_000), None),
    "an escaped NUL in a key": (wrap(b'"a\\u0000b":1'), None),
    "an escaped NUL in a value": (wrap(b'"a":"\\u0000"'), None),
    "a raw NUL": (wrap(b'"a":"\x00"'), None),
    "0xFF": (wrap(b'"a":"\xff"'), None),
    "C0 80": (wrap(b'"a":"\xc0\x80"'), None),
    "a raw control character": (wrap(b'"a":"\x01"'), None),
    "a lone surrogate": (wrap(b'"a":"\\ud800"'), None),
    "an encoded surrogate": (wrap(b'"a":"\xed\xa0\x80"'), None),
    "something behind": (wrap(b'"a":1') + b"{}", None),
    "a number with a leading zero": (wrap(b'"a":01'), None),
    "a trailing comma": (b'{"model":"m","messages":[],}', None),
    "a comment": (wrap(b'/**/"a":1'), None),
    "NaN": (wrap(b'"a":NaN'), None),
    "a byte order mark": (b"\xef\xbb\xbf" + wrap(b'"a":1'), None),
    "an array": (b"[]", None),
    "nothing": (b"", None),
    "half": (b'{"model":', None),
    "too many values": (wrap(b'"a":[' + b"1," * 100_000 + b"1]"), None),
    "a model that is a number": (b'{"model":1,"messages":[]}', None),
    "messages that are text": (b'{"model":"m","messages":"hi"}', None),
    "no messages": (b'{"model":"m"}', None),
    "a stream that is text": (b'{"model":"m","messages":[],"stream":"yes"}', None),
}


@pytest.mark.parametrize("form", BAD_JSON)
def test_bad_json_is_refused_at_once(proxy, asked, form):
    body, code = BAD_JSON[form]
    before = proxy.rss
    with proxy.client() as c:
        started = time.monotonic()
        r = c.request("POST", "/v1/chat/completions", body).response("POST")
        took = time.monotonic() - started
    assert r.status == 400
    assert r.error["type"] == "invalid_request_error" and r.error["message"] and r.error["code"]
    assert code is None or r.error["code"] == code
    assert asked() == 0
    if not SANITIZED:
        assert took < 0.05
        assert proxy.rss - before < 5 << 20
    assert proxy.is_alive()


def test_bad_json_is_told_with_its_place(proxy):
    r = proxy.post("/v1/chat/completions", b'{"model": "m", "messages": [}')
    assert r.status == 400 and "28" in r.error["message"]


ODD_BODY = (b' {\t"messages" : [ ] ,\r\n "seed":9007199254740993, "temperature":0.1,"x":1e400 ,'
            b'"model":"m","unknown":{"a":[1.0,-0,1E+2,""]}, "esc":"\\u00e9\\/\\ud83d\\ude80\xc3\xa9",%b"z":null }\n')


@pytest.mark.parametrize("extra", [b"", b'"stream":false,', b'"stream":true,"stream_options":{"include_usage":true},'])
def test_a_body_that_needs_no_change_goes_on_byte_for_byte(proxy, upstream, extra):
    body = ODD_BODY % extra
    assert proxy.post("/v1/chat/completions", body).status == 200
    assert hashlib.sha256(upstream.requests[-1].body).digest() == hashlib.sha256(body).digest()


def members(body):
    """All there is in a JSON text: order, numbers and all."""
    return json.loads(body, object_pairs_hook=list, parse_int=str, parse_float=str)


@pytest.mark.parametrize("options, expected", [
    (b"", [("include_usage", True)]),
    (b'"stream_options":null,', [("include_usage", True)]),
    (b'"stream_options":{},', [("include_usage", True)]),
    (b'"stream_options":{"include_usage":false},', [("include_usage", True)]),
    (b'"stream_options":{"x":[1.0]},', [("include_usage", True), ("x", ["1.0"])]),
])
def test_of_a_streaming_body_only_the_usage_option_changes(proxy, upstream, options, expected):
    body = ODD_BODY % (b'"stream":true,' + options)
    assert proxy.post("/v1/chat/completions", body).status == 200
    was, now = members(body), members(upstream.requests[-1].body)
    assert [m for m in now if m[0] != "stream_options"] == [m for m in was if m[0] != "stream_options"]
    assert sorted(dict(now)["stream_options"]) == sorted(expected)


def test_of_a_body_with_an_alias_only_the_model_changes(rig, upstream):
    p = rig.proxy(upstream, models={"fast": "u/real/model", "*": "u"})
    body = (ODD_BODY % b"").replace(b'"m"', b'"fast"')
    assert p.post("/v1/chat/completions", body).status == 200
    assert upstream.requests[-1].body == body.replace(b'"fast"', b'"real/model"')


# --- whom to trust ----------------------------------------------------------------------------------

def test_no_field_of_a_request_names_a_host(proxy):
    with sink() as canary:
        url = f"http://127.0.0.1:{canary.port}/"
        named = {name: url for name in ("api_base", "base_url", "custom_host", "endpoint", "proxy", "url")}
        headers = {"X-Portkey-Custom-Host": url, "X-Portkey-Config": json.dumps(named), "Forwarded": f"host={url}",
                   "X-Forwarded-Host": f"127.0.0.1:{canary.port}", "X-Upstream": url, "Proxy": url}
        assert proxy.chat(headers, stream=False, **named, metadata=named).status == 200
        assert proxy.chat(stream=False, model=url).status in (200, 400, 404)
        assert proxy.get(f"/ask?q=a&base_url={url}&model={url}").status in (200, 400, 404)
        absolute = proxy.get(f"http://127.0.0.1:{canary.port}/healthz")
        assert absolute.status < 500
        assert canary() == 0


ELSEWHERE = "http://127.0.0.1:9"


@pytest.mark.parametrize("method, target, headers", [
    ("POST", "/v1/chat/completions", {"Origin": ELSEWHERE, "Content-Type": "text/plain"}),
    ("POST", "/v1/chat/completions", {"Origin": ELSEWHERE}),
    ("POST", "/v1/chat/completions", {"Origin": "null"}),
    ("POST", "/v1/embeddings", {"Sec-Fetch-Site": "cross-site"}),
    ("POST", "/ask", {"Origin": ELSEWHERE, "Content-Type": "text/plain"}),
    ("GET", "/ask?q=hi", {"Sec-Fetch-Site": "cross-site"}),
    ("GET", "/ask?q=hi", {"Origin": ELSEWHERE}),
])
def test_a_page_of_another_site_cannot_ask(proxy, asked, method, target, headers):
    body = chat_body() if method == "POST" else None
    r = proxy.open(method, target, body, headers)
    assert r.status in (401, 403, 415)
    assert not r.header("Access-Control-Allow-Origin")
    assert asked() == 0


def test_a_page_of_ours_can_ask(proxy):
    ours = "http://%s:%d" % proxy.address
    assert proxy.chat({"Origin": ours, "Sec-Fetch-Site": "same-origin"}).status == 200
    assert proxy.get("/ask?q=hi", {"Sec-Fetch-Site": "same-origin"}).status == 200


@pytest.fixture(scope="module")
def cors_proxy(shared_rig, upstream):
    return shared_rig.proxy(upstream, cors={"origins": ["https://app.example.com"]})


def listed(header):
    return {item.strip().lower() for item in (header or "").split(",")}


def test_a_preflight_of_a_configured_origin_is_granted(cors_proxy, asked):
    wanted = "authorization, content-type, last-event-id, x-stainless-lang"
    r = cors_proxy.open("OPTIONS", "/v1/chat/completions", None, {
        "Origin": "https://app.example.com", "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": wanted})
    assert r.status == 204
    assert r.header("Access-Control-Allow-Origin") == "https://app.example.com"
    assert "post" in listed(r.header("Access-Control-Allow-Methods"))
    assert listed(wanted) <= listed(r.header("Access-Control-Allow-Headers"))
    assert int(r.header("Access-Control-Max-Age")) > 0
    assert asked() == 0


@pytest.mark.parametrize("stream", [True, False])
def test_an_answer_to_a_configured_origin_says_so(cors_proxy, stream):
    r = cors_proxy.chat({"Origin": "https://app.example.com", "Sec-Fetch-Site": "cross-site"}, stream=stream)
    assert r.status == 200
    assert r.header("Access-Control-Allow-Origin") == "https://app.example.com"
    assert {"x-request-id", "x-stream-id"} <= listed(r.header("Access-Control-Expose-Headers"))
    assert "origin" in listed(r.header("Vary"))


def test_an_error_to_a_configured_origin_can_be_read_there(cors_proxy):
    r = cors_proxy.post("/v1/chat/completions", b"{", {"Origin": "https://app.example.com"})
    assert r.status == 400 and r.header("Access-Control-Allow-Origin") == "https://app.example.com"


@pytest.mark.parametrize("origin", ["https://app.example.com.evil.example", "http://app.example.com", "null",
                                    "https://app.example.com:8443"])
def test_other_origins_are_granted_nothing(cors_proxy, asked, origin):
    r = cors_proxy.open("OPTIONS", "/v1/chat/completions", None, {
        "Origin": origin, "Access-Control-Request-Method": "POST"})
    assert not r.header("Access-Control-Allow-Origin")
    r = cors_proxy.chat({"Origin": origin})
    assert r.status in (401, 403) and not r.header("Access-Control-Allow-Origin")
    assert asked() == 0


# --- what the upstream sees -------------------------------------------------------------------------

def test_the_upstream_sees_of_the_client_s_headers_only_the_named_ones(rig, upstream):
    p = rig.proxy(upstream, upstreams={"u": {"forward_headers": ["X-Mine"], "headers": {"X-Team": "t"}}})
    kept = {"OpenAI-Organization": "org", "OpenAI-Project": "proj", "OpenAI-Beta": "beta", "anthropic-version": "v",
            "anthropic-beta": "b", "traceparent": "00-1-2-01", "X-Mine": "mine"}
    dropped = {"X-Other": "x", "Cookie": "c=d", "Authorization": "Bearer ck-1", "X-Api-Key": "ck-2", "User-Agent": "ua",
               "Last-Event-Id": "", "Accept-Language": "de", "X-Forwarded-For": "1.2.3.4", "Connection": "X-Mine",
               "Accept-Encoding": "br"}
    assert p.chat({**kept, **dropped}).status == 200
    request = upstream.requests[-1]
    for name, value in kept.items():
        assert request.header(name) == value, name
    assert request.header("X-Team") == "t"
    assert request.header("Host") == f"127.0.0.1:{upstream.port}"
    assert request.header("Authorization").startswith("Bearer pk-")
    assert request.header("Accept-Encoding") == "identity"
    for name in ("X-Other", "Cookie", "X-Api-Key", "Accept-Language", "X-Forwarded-For", "Expect", "Last-Event-Id"):
        assert request.header(name) is None, name
    assert b"ck-" not in request.head and b"br" not in request.values("Accept-Encoding")


# --- what answers look like -------------------------------------------------------------------------

def test_the_headers_of_a_stream_are_those_that_proxies_and_browsers_need(proxy):
    r = proxy.chat()
    assert r.status == 200
    assert r.header("Content-Type") == "text/event-stream"
    assert r.header("Cache-Control") == "no-cache, no-store, no-transform"
    assert r.header("X-Accel-Buffering") == "no"
    assert r.header("X-Content-Type-Options") == "nosniff"
    assert re.fullmatch(r"[A-Za-z0-9_-]{22,}", r.header("X-Stream-Id"))
    assert r.header("X-Request-Id")
    for name in ("Content-Length", "Content-Encoding", "ETag", "Set-Cookie"):
        assert r.header(name) is None, name
    server = r.header("Server")
    assert server is None or not re.search(r"\d", server)


@pytest.mark.parametrize("make", [
    lambda p: p.chat(stream=False), lambda p: p.get("/healthz"), lambda p: p.get("/nothing"),
    lambda p: p.post("/v1/chat/completions", b"{"), lambda p: p.get("/ask?q=a"), lambda p: p.get("/")],
    ids=["whole", "health", "404", "400", "ask", "page"])
def test_every_answer_has_a_request_id_of_its_own_and_is_not_sniffed(proxy, make):
    first, second = make(proxy), make(proxy)
    assert first.header("X-Request-Id") and first.header("X-Request-Id") != second.header("X-Request-Id")
    assert first.header("X-Content-Type-Options") == "nosniff"
    assert not re.search(r"\d", first.header("Server") or "")


def test_of_the_upstream_s_headers_only_the_harmless_ones_reach_the_client(proxy, upstream):
    passed = {"openai-processing-ms": "12", "x-ratelimit-remaining-tokens": "7"}
    hidden = {"Set-Cookie": "a=b", "Server": "gunicorn/20.1", "Alt-Svc": "h3", "Strict-Transport-Security": "max-age=1",
              "X-Powered-By": "PHP/5", "Keep-Alive": "timeout=5", "Access-Control-Allow-Origin": "*",
              "ETag": "1", "Last-Modified": "x"}
    upstream.script = json_answer(completion(), **passed, **hidden)
    try:
        r = proxy.chat(stream=False)
    finally:
        upstream.script = play
    assert r.status == 200
    for name in hidden:
        assert r.header(name) is None, name
    for name, value in passed.items():
        assert r.header(name) == value, name


# --- versions and connections -----------------------------------------------------------------------

@pytest.mark.parametrize("target, body", [("/v1/chat/completions", chat_body()), ("/ask?model=m", b"why")])
def test_an_http_1_0_client_gets_a_stream_that_ends_with_the_connection(proxy, target, body):
    r = proxy.open("POST", target, body, {"Host": None}, version="1.0")
    assert r.status == 200 and r.header("Transfer-Encoding") is None
    data = r.read()
    assert r.client.ended == "fin"
    assert data.endswith(DONE) if target.startswith("/v1") else data == b"Hello"


def test_a_connection_serves_one_request_after_another(proxy):
    with proxy.client() as c:
        for stream in (True, False, True):
            r = c.request("POST", "/v1/chat/completions", chat_body(stream=stream)).response("POST")
            assert r.status == 200
            if stream:
                assert content(r.all_events()) == "Hello"
            else:
                assert r.json["choices"][0]["message"]["content"] == "hello"
        assert c.request("POST", "/v1/chat/completions", b"{").response("POST").error
        assert c.request("GET", "/healthz").response().read() == b"ok\n"


def test_connection_close_is_honoured(proxy):
    with proxy.client() as c:
        r = c.request("POST", "/v1/chat/completions", chat_body(), {"Connection": "close"}).response("POST")
        assert content(r.all_events()) == "Hello"
        assert c.rest() == b"" and c.ended == "fin"


def test_pipelined_requests_are_answered_in_order(proxy):
    with proxy.client() as c:
        body = json.dumps(chat_body()).encode()
        ask = head(TYPE, f"Content-Length: {len(body)}") + body
        c.send(ask + head(method="GET", target="/healthz") + ask + head(method="GET", target="/nothing"))
        first = c.response("POST")
        assert content(first.all_events()) == "Hello"
        assert c.response().read() == b"ok\n"
        second = c.response("POST")
        assert content(second.all_events()) == "Hello"
        assert first.header("X-Stream-Id") != second.header("X-Stream-Id")
        assert c.response().status == 404


def test_a_request_may_come_byte_by_byte(proxy):
    body = json.dumps(chat_body()).encode()
    with proxy.client() as c:
        for byte in head(TYPE, f"Content-Length: {len(body)}") + body:
            c.send(bytes([byte]))
        assert content(c.response("POST").all_events()) == "Hello"


def test_metrics_can_have_an_address_of_their_own(rig, upstream):
    with sink() as taken:
        port = taken.port
    p = rig.proxy(upstream, metrics={"listen": f"127.0.0.1:{port}"})
    with Client(("127.0.0.1", port)) as c:
        r = c.request("GET", "/metrics", None).response()
        assert r.status == 200 and b"sluice_requests_total" in r.read()
        assert c.request("POST", "/v1/chat/completions", chat_body()).response("POST").status == 404
    assert p.get("/metrics").status == 404
