"""Upstreams that fail, in every way that was thought of: the client is told the truth, once, and in time."""

import gzip
import json
import socket
import time
import zlib

import pytest

from client import PROVIDER_KEY
from outcome import STREAMS, WAYS, ask, outcome
from rig import CLIENT_KEY, SANITIZED, content
from upstream import (DONE, FINISH, ROLE, answer, at_once, chunk, completion, fin, frame, json_answer, reset, silent,
                      sink, stall, status, token)

FIVE = [ROLE, *(token(f"{i} ") for i in range(5))]
FIVE_TEXT = "0 1 2 3 4 "
TIMES = {"first_token": "600ms", "between_tokens": "600ms", "total": "2s", "connect": "600ms"}


@pytest.fixture(scope="module")
def upstream(shared_rig):
    return shared_rig.upstream()


@pytest.fixture(scope="module")
def proxy(shared_rig, upstream):
    return shared_rig.proxy(upstream, timeouts=TIMES, limits={"frame": "64KiB"})


@pytest.fixture
def posts(upstream):
    before = len(upstream.posts)
    return lambda: len(upstream.posts) - before


@pytest.fixture(scope="module")
def tls_upstream(shared_rig, server_tls):
    return shared_rig.upstream(tls=server_tls)


@pytest.fixture(scope="module")
def tls_proxy(shared_rig, tls_upstream, certificates):
    return shared_rig.proxy(tls_upstream, upstreams={"u": {"ca": certificates.ca}}, timeouts=TIMES)


def timed(function, *args):
    began = time.monotonic()
    return function(*args), time.monotonic() - began


def head_then(step, *pieces, **how):
    """The head of a response with that framing, these pieces of body, then the step."""
    return [lambda reply: reply.head(**how), *pieces, step]


def assert_closed(upstream, within=1):
    """The connection of the newest request."""
    c = upstream.requests[-1].connection
    upstream.until(lambda: c.closed, "the proxy to close its connection", within)


# --- refusals ---------------------------------------------------------------------------------------

@pytest.mark.parametrize("way", WAYS)
def test_too_many_requests_reaches_the_client_with_its_retry_after(proxy, upstream, posts, way):
    body = {"error": {"message": "slow down", "type": "requests", "code": "rate_limit_exceeded"}}
    upstream.script = status(429, body, headers={"Retry-After": 7, "Retry-After-Ms": 7000, "X-Should-Retry": "true"})
    r = ask(proxy, way)
    assert (r.status, r.header("Retry-After"), r.header("Retry-After-Ms")) == (429, "7", "7000")
    assert r.header("X-Should-Retry") == "true"
    assert r.error["message"] == "slow down" and r.error["code"] == "rate_limit_exceeded"
    assert posts() == 1


@pytest.mark.parametrize("theirs, ours", [
    (400, 400), (402, 402), (404, 404), (408, 408), (409, 409), (413, 413), (422, 422), (500, 500), (502, 502),
    (503, 503), (504, 504), (529, 503), (418, 502), (599, 502), (204, 502), (304, 502)])
@pytest.mark.parametrize("way", ["chat", "whole"])
def test_a_refusal_reaches_the_client_with_a_status_that_it_knows(proxy, upstream, posts, theirs, ours, way):
    bodyless = theirs in (204, 304)
    upstream.script = status(theirs, b"" if bodyless else {"error": {"message": "because", "type": "t", "code": "c"}})
    got = outcome(proxy, way)
    assert got.status == ours
    assert bodyless or (got.error["message"], got.error["type"], got.code) == ("because", "t", "c")
    assert posts() == 1


@pytest.mark.parametrize("body, type, message", [
    (b"", "text/plain", None),
    (b"<html><head><title>502 Bad Gateway</title></head><body><h1>nginx/1.18 <b>down</b></h1></body></html>",
     "text/html", "nginx/1.18 down"),
    (b"upstream connect error", "text/plain", "upstream connect error"),
    (b'{"detail":[{"loc":["body"],"msg":"field required"}]}', "application/json", None),
    (b'{"object":"error","message":"flat"}', "application/json", "flat"),
    (b'[{"error":{"code":503,"message":"in an array","status":"UNAVAILABLE"}}]', "application/json", "in an array"),
    (b'{"error":{"message":"' + b"long " * 100_000 + b'"}}', "application/json", None),
    (b"x" * 1_000_000, "text/plain", None),
    (b"\xff\xfe\x00rubbish\x01", "application/octet-stream", None),
    (b'{"error":', "application/json", None),
], ids=["empty", "page", "text", "detail", "flat", "array", "long", "huge", "rubbish", "half"])
def test_an_error_in_any_shape_becomes_an_error_that_sdks_read(proxy, upstream, body, type, message):
    upstream.script = status(503, body, type)
    got = outcome(proxy, "chat")
    assert got.status == 503
    assert message is None or message in got.error["message"]
    assert len(got.error["message"].encode()) <= 4096 and "<" not in got.error["message"]


@pytest.mark.parametrize("code", [401, 403])
@pytest.mark.parametrize("way", WAYS)
def test_a_wrong_key_of_ours_is_not_the_client_s_fault(proxy, upstream, code, way):
    upstream.script = status(code, {"error": {"message": f"Incorrect API key provided: {PROVIDER_KEY}.",
                                              "type": "invalid_request_error", "code": "invalid_api_key"}})
    got = outcome(proxy, way)
    assert (got.status, got.code) == (502, "upstream_auth")
    assert PROVIDER_KEY[:8] not in json.dumps(got.error)


ECHO = {"message": f"Bad header Authorization: Bearer {PROVIDER_KEY}", "type": PROVIDER_KEY, "code": PROVIDER_KEY,
        "param": PROVIDER_KEY, "more": {"key": PROVIDER_KEY}}


@pytest.mark.parametrize("script", [
    status(400, {"error": ECHO}),
    status(500, f"key was {PROVIDER_KEY}".encode(), "text/plain"),
    status(404, {"detail": PROVIDER_KEY}),
    [frame({"error": ECHO})],
    [*FIVE, frame({"error": ECHO})],
    [ROLE, token("a"), frame({"error": PROVIDER_KEY})],
    [lambda reply: reply.whole(completion(), headers={"openai-organization": PROVIDER_KEY,
                                                      "x-request-id": PROVIDER_KEY})],
    [lambda reply: reply.head(headers={"openai-version": PROVIDER_KEY}), *answer("a")],
], ids=["status", "text", "detail", "first", "later", "string", "header-of-whole", "header-of-stream"])
@pytest.mark.parametrize("way", WAYS)
def test_our_key_never_reaches_a_client_though_the_upstream_says_it(proxy, upstream, script, way):
    # Every client of these tests looks for it in every byte that it reads.
    upstream.script = script
    r = ask(proxy, way)
    r.read()
    assert PROVIDER_KEY not in str(r.headers)


def test_nothing_that_signs_reaches_a_client_though_the_upstream_says_it(rig, upstream):
    aws = {"access_key": "AKIA0123456789", "secret_key": "wJalr/XUtn+FEMI0", "session_token": "IQoJb3JpZ2luX2Vj"}
    p = rig.proxy(upstreams={"aws": {"api": "bedrock", "url": upstream.origin, "region": "eu-central-1", **aws}})
    upstream.script = status(400, {"message": "The signature does not match: " + " ".join(aws.values())})
    got = outcome(p, "chat")
    assert got.error["message"] == "The signature does not match: [key] [key] [key]"


@pytest.mark.parametrize("model", ["..", ".", "a/..", "../../x", "a//b", "x" * 3000],
                         ids=["up", "here", "up-behind", "far-up", "empty", "long"])
def test_a_model_whose_name_is_no_part_of_a_path_is_asked_of_nobody(rig, upstream, posts, model):
    p = rig.proxy(upstreams={"gemini": {"api": "gemini", "url": upstream.origin}})
    got = p.chat(model=model)
    assert (got.status, got.error["code"], got.error["param"]) == (400, "unsupported_value", "model")
    assert posts() == 0


def test_with_the_client_s_own_key_a_refusal_of_it_is_the_client_s(rig, upstream):
    p = rig.proxy(upstream, upstreams={"u": {"key": "client"}})
    for headers in ({"Authorization": f"Bearer {CLIENT_KEY}"}, {"x-api-key": CLIENT_KEY}):
        upstream.script = answer("a")
        assert content(p.chat(headers).all_events()) == "a"
        assert upstream.posts[-1].header("Authorization") == f"Bearer {CLIENT_KEY}"
        upstream.script = status(401, {"error": {"message": "no such key", "type": "invalid_request_error",
                                                 "code": "invalid_api_key"}})
        got = outcome(p, "chat", headers)
        assert (got.status, got.code, got.error["message"]) == (401, "invalid_api_key", "no such key")
        upstream.script = status(403, {"error": {"message": "not for you"}})
        assert outcome(p, "whole", headers).status == 403
    upstream.script = answer("a")
    assert p.chat().status in (200, 401)
    assert upstream.posts[-1].header("Authorization") in (None, f"Bearer {CLIENT_KEY}")


# --- errors in the stream ---------------------------------------------------------------------------

@pytest.mark.parametrize("first", [
    frame({"error": {"type": "overloaded_error", "message": "Overloaded"}}),
    frame({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}),
    b"event: error\n" + frame({"error": {"type": "overloaded_error", "message": "Overloaded"}}),
    b": wait\n\n" + ROLE + frame({"error": {"type": "overloaded_error", "message": "Overloaded"}}) + DONE,
    b'{"error":{"type":"overloaded_error","message":"Overloaded"}}',
], ids=["frame", "anthropic", "named", "after-role", "bare"])
@pytest.mark.parametrize("way", STREAMS)
def test_an_error_as_first_event_is_a_real_status(proxy, upstream, posts, first, way):
    upstream.script = [first]
    got = outcome(proxy, way)
    assert got.status in (503, 529) and got.error["message"] == "Overloaded"
    assert posts() == 1


ENDS = {
    "reset": ([*FIVE, reset], "upstream_incomplete"),
    "close-delimited": (head_then(fin, *FIVE, framing="close"), "upstream_incomplete"),
    "cut-chunks": ([*FIVE, fin], "upstream_incomplete"),
    "chunks-ended": (FIVE, "upstream_incomplete"),
    "cut-length": (head_then(fin, *FIVE, framing="length", length=10 ** 6), "upstream_incomplete"),
    "half-a-frame": ([*FIVE, frame(chunk({"content": "never"}))[:-20], fin], "upstream_incomplete"),
    "half-a-character": ([*FIVE, frame(chunk({"content": "ü"})).partition(b"\xc3")[0] + b"\xc3", fin],
                         "upstream_incomplete"),
    "error-frame": ([*FIVE, frame({"error": {"message": "boom", "code": "boom"}})], "boom"),
    "no-json": ([*FIVE, frame('{"id": oops}'), *answer("more")], "upstream_bad_frame"),
    "no-object": ([*FIVE, frame("[1]"), *answer("more")], "upstream_bad_frame"),
    "a-page": ([*FIVE, frame("<html>"), *answer("more")], "upstream_bad_frame"),
    "too-long-a-frame": ([*FIVE, b"data: " + b"x" * 70_000, stall], "upstream_frame_too_big"),
    "bad-chunk": ([*FIVE, lambda reply: reply.raw(b"zz\r\nrubbish"), stall], None),
}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("way", STREAMS)
def test_an_answer_that_breaks_off_ends_with_one_error(proxy, upstream, posts, end, way):
    upstream.script, code = ENDS[end]
    got, took = timed(outcome, proxy, way)
    assert got.status == 200 and got.text == FIVE_TEXT
    assert got.error and took < 1
    if way != "text":
        assert code is None or got.code == code
        assert got.partial is True
    assert posts() == 1
    if stall in upstream.script:
        assert_closed(upstream)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("end", ["no-notify", "notify", "reset", "cut-chunks"])
def test_a_tls_connection_that_ends_too_early_is_an_error(tls_proxy, tls_upstream, end, way):
    close = {"notify": lambda reply: reply.fin(notify=True), "reset": reset}.get(end, fin)
    framing = "chunked" if end == "cut-chunks" else "close"
    tls_upstream.script = head_then(close, *FIVE, framing=framing)
    got, took = timed(outcome, tls_proxy, way)
    assert took < 1
    if way == "whole":
        assert got.status == 502
    else:
        assert (got.status, got.text) == (200, FIVE_TEXT) and got.error
        assert way == "text" or got.code == "upstream_incomplete"


@pytest.mark.parametrize("end", [reset, fin, stall, silent(0.1)], ids=["reset", "fin", "silence", "chunks-ended"])
@pytest.mark.parametrize("framing", ["chunked", "close"])
@pytest.mark.parametrize("way", STREAMS)
def test_a_finish_reason_makes_an_answer_complete_whatever_follows(proxy, upstream, way, framing, end):
    upstream.script = head_then(end, *FIVE, FINISH, framing=framing)
    got, took = timed(outcome, proxy, way)
    assert (got.status, got.error) == (200, None)
    assert got.text == FIVE_TEXT and took < 2


@pytest.mark.parametrize("after", [stall, reset, frame(chunk({"content": "late"})), b"rubbish\n\n",
                                   frame({"error": {"message": "late"}})],
                         ids=["silence", "reset", "token", "rubbish", "error"])
@pytest.mark.parametrize("way", STREAMS)
def test_after_the_end_mark_nothing_counts(proxy, upstream, way, after):
    upstream.script = [*FIVE, FINISH, DONE, after]
    got, took = timed(outcome, proxy, way)
    assert (got.status, got.error) == (200, None)
    assert got.text == FIVE_TEXT and took < 0.5
    if after is stall:
        assert_closed(upstream, 3)


WHOLE_CUTS = {
    "cut-length": (head_then(fin, b'{"choices":', framing="length", length=500, type="application/json"), None),
    "cut-chunks": (head_then(fin, b'{"choices":', type="application/json"), None),
    "reset": (head_then(reset, b'{"choices":', type="application/json"), None),
    "half": (status(200, b'{"choices":'), None),
    "nothing": (status(200, b""), "upstream_incomplete"),
    "page": (status(200, b"<html>hello</html>", "text/html"), "upstream_bad_frame"),
    "error": (status(200, {"error": {"message": "boom", "code": "boom"}}), "boom"),
}


@pytest.mark.parametrize("cut", WHOLE_CUTS)
def test_half_a_whole_answer_is_no_answer(proxy, upstream, posts, cut):
    upstream.script, code = WHOLE_CUTS[cut]
    got = outcome(proxy, "whole")
    assert 500 <= got.status <= 504
    assert code is None or got.code == code
    assert posts() == 1


# --- time -------------------------------------------------------------------------------------------

def drip(piece, every=0.1):
    def step(reply):
        while True:
            reply.body(piece)
            reply.silent(every)
    return step


@pytest.mark.parametrize("silence", [stall, drip(b": still here\n\n"), drip(b"\n"), drip(b"data:\n\n"), drip(ROLE)],
                         ids=["silence", "comments", "newlines", "empty-data", "roles"])
@pytest.mark.parametrize("way", STREAMS)
def test_no_first_token_in_time_is_504(proxy, upstream, posts, silence, way):
    upstream.script = [silence]
    got, took = timed(outcome, proxy, way)
    assert (got.status, got.code) == (504, "upstream_timeout")
    assert 0.55 < took < 1.6
    assert_closed(upstream)
    assert posts() == 1


def test_an_upstream_that_never_answers_at_all_is_504(proxy, upstream):
    upstream.script = [lambda reply: reply.connection.wait(lambda: False)]
    got, took = timed(outcome, proxy, "chat")
    assert got.status == 504 and 0.55 < took < 1.6
    assert_closed(upstream)


def test_no_first_token_in_time_after_the_stream_has_opened_is_an_error_in_it(rig, upstream):
    p = rig.proxy(upstream, timeouts=TIMES, streams={"open_after": "300ms"})
    upstream.script = [stall]
    got, took = timed(outcome, p, "chat")
    assert (got.status, got.code, got.text) == (200, "upstream_timeout", "")
    assert not got.partial and 0.55 < took < 1.6


@pytest.mark.parametrize("silence", [stall, drip(b": still here\n\n")], ids=["silence", "comments"])
@pytest.mark.parametrize("way", STREAMS)
def test_silence_between_tokens_ends_the_answer(proxy, upstream, silence, way):
    upstream.script = [ROLE, token("0 "), silent(0.35), token("1 "), silent(0.35), token("2 "), silence]
    got, took = timed(outcome, proxy, way)
    assert got.text == "0 1 2 " and got.error
    assert way == "text" or got.code == "upstream_timeout" and got.partial
    assert 1.25 < took < 2.4
    assert_closed(upstream)


@pytest.mark.parametrize("way", STREAMS)
def test_an_answer_that_never_ends_is_ended(proxy, upstream, way):
    upstream.script = [ROLE, drip(token("x"))]
    got, took = timed(outcome, proxy, way)
    assert set(got.text) == {"x"} and got.error
    assert way == "text" or got.code == "upstream_timeout"
    assert 1.95 < took < 3.2
    assert_closed(upstream)


def test_a_whole_answer_that_does_not_come_in_time_is_504(proxy, upstream):
    upstream.script = [drip(b" ")]
    got, took = timed(outcome, proxy, "whole")
    assert got.status == 504 and 1.95 < took < 3.2
    assert_closed(upstream)


# --- connections ------------------------------------------------------------------------------------

def test_a_connection_is_used_again(rig, upstream):
    p = rig.proxy(upstream, workers=1)
    before = len(upstream.connections)
    for way in ("chat", "events", "whole", "text"):
        upstream.script = json_answer(completion("a")) if way == "whole" else at_once(answer("a"))
        assert outcome(p, way).text.strip() == "a"
    assert len(upstream.connections) - before == 1


@pytest.mark.parametrize("how", [fin, reset], ids=["fin", "reset"])
@pytest.mark.parametrize("way", ["chat", "whole"])
def test_a_request_that_may_have_been_accepted_is_not_sent_again(rig, upstream, posts, how, way):
    p = rig.proxy(upstream, workers=1)
    upstream.script = at_once(answer("a")) if way == "chat" else json_answer(completion("a"))
    assert outcome(p, way).text == "a"
    upstream.script = lambda request, reply: how(reply)
    got = outcome(p, way)
    assert (got.status, got.code) == (502, "upstream_closed")
    assert posts() == 2
    first, second = upstream.posts[-2:]
    assert first.connection is second.connection, "the second request came on the same connection"
    assert not any(c.received for c in upstream.connections[first.connection.number + 1:])


def test_a_kept_connection_that_the_upstream_has_closed_is_not_used(rig, upstream, posts):
    p = rig.proxy(upstream, workers=1)
    upstream.script = [*answer("a"), lambda reply: (reply.end(), reply.connection.close())]
    for _ in range(3):
        assert outcome(p, "chat").text == "a"
        upstream.until(lambda: upstream.requests[-1].connection.ended)
    assert posts() == 3


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(proxy, upstream, posts, code):
    with sink() as elsewhere:
        upstream.script = status(code, headers={"Location": f"http://127.0.0.1:{elsewhere.port}/v1/chat/completions"})
        got = outcome(proxy, "chat")
        assert got.status == 502 and str(elsewhere.port) not in json.dumps(got.error)
        assert elsewhere() == 0 and posts() == 1


def test_proxies_of_the_environment_are_ignored(rig, upstream):
    upstream.script = answer("a")
    with sink() as trap:
        names = ("http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
        p = rig.proxy(upstream, env={name: f"http://127.0.0.1:{trap.port}" for name in names})
        assert content(p.chat().all_events()) == "a"
        assert p.get("/v1/models").status == 200
        assert trap() == 0


def test_a_configured_proxy_is_used(rig, upstream):
    upstream.script = answer("a")
    p = rig.proxy("http://llm.invalid/v1", upstreams={"u": {"proxy": upstream.origin}})
    assert content(p.chat().all_events()) == "a"
    assert upstream.requests[-1].target == "http://llm.invalid/v1/chat/completions"


@pytest.fixture(scope="module")
def proxy_to_nowhere(shared_rig):
    with sink() as free:
        url = f"http://127.0.0.1:{free.port}/v1"
    return shared_rig.proxy(url)


@pytest.mark.parametrize("way", WAYS)
def test_an_upstream_that_is_not_there_is_502(proxy_to_nowhere, way):
    got, took = timed(outcome, proxy_to_nowhere, way)
    assert (got.status, got.code) == (502, "upstream_unreachable") and took < 1
    assert "127.0.0.1" not in json.dumps(got.error)


def test_a_name_that_does_not_resolve_is_502(rig):
    p = rig.proxy("http://no-such-host.invalid/v1")
    assert outcome(p, "chat").status == 502


def test_an_upstream_that_does_not_accept_is_given_up(rig):
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    waiting = [socket.socket() for _ in range(4)]  # they fill its queue
    for s in waiting:
        s.setblocking(False)
        s.connect_ex(listener.getsockname())
    p = rig.proxy(f"http://127.0.0.1:{listener.getsockname()[1]}/v1", timeouts=TIMES)
    got, took = timed(outcome, p, "chat")
    assert got.status == 504 and 0.5 < took < 1.6
    for s in (listener, *waiting):
        s.close()


def test_an_upstream_with_an_unknown_certificate_is_not_asked(rig, tls_upstream):
    before = len(tls_upstream.requests)
    p = rig.proxy(tls_upstream)
    got = outcome(p, "chat")
    assert (got.status, got.code) == (502, "upstream_tls")
    assert len(tls_upstream.requests) == before


def test_an_upstream_of_another_ca_is_not_asked(rig, tls_upstream, certificates):
    p = rig.proxy(tls_upstream, upstreams={"u": {"ca": certificates.other_ca}})
    assert outcome(p, "chat").status == 502


@pytest.mark.parametrize("way", WAYS)
def test_an_upstream_of_the_configured_ca_is_asked(tls_proxy, tls_upstream, way):
    tls_upstream.script = json_answer(completion("a")) if way == "whole" else answer("a")
    got = outcome(tls_proxy, way)
    assert (got.status, got.text, got.error) == (200, "a", None)


def test_tls_with_a_server_that_has_none_is_502(rig):
    plain = rig.upstream(greet=lambda reply: reply.raw(b"HTTP/1.1 400 Bad Request\r\n\r\n"))
    p = rig.proxy(plain.url.replace("http:", "https:"))
    assert outcome(p, "chat").status == 502


# --- rubbish ----------------------------------------------------------------------------------------

def raw(data, then=stall):
    """These bytes instead of a response. then=None: they are one, and the connection goes on."""
    def script(request, reply):
        reply.ended = True
        reply.raw(data)
        if then:
            then(reply)
    return script


FLOOD = b"".join(b"X-%d: %s\r\n" % (i, b"y" * 100) for i in range(10_000))

RUBBISH = {
    "no-http": raw(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"),
    "http-0.9": raw(b"hello there", fin),
    "binary": raw(bytes(range(256)) * 50, fin),
    "no-status": raw(b"HTTP/1.1 \r\n\r\n"),
    "strange-status": raw(b"HTTP/1.1 999 What\r\nContent-Length: 0\r\n\r\n", None),
    "status-0": raw(b"HTTP/1.1 000 What\r\nContent-Length: 0\r\n\r\n", None),
    "negative-length": raw(b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello", fin),
    "header-flood": raw(b"HTTP/1.1 200 OK\r\n" + FLOOD + b"\r\n"),
    "one-long-header": raw(b"HTTP/1.1 200 OK\r\nX-Long: " + b"y" * (1 << 20) + b"\r\n\r\n"),
    "endless-100-continue": raw(b"HTTP/1.1 100 Continue\r\n\r\n" * 20_000),
    "bad-chunk": raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
    "endless-line": [b"data: " + b"x" * (1 << 20), stall],
    "endless-data-lines": [b"data: x\n" * 100_000, stall],
    "endless-comment": [b":" + b"x" * (1 << 20), stall],
    "endless-event-name": [b"event: " + b"x" * (1 << 20), stall],
    "a-page": [lambda reply: reply.head(type="text/html"), b"<html>hello</html>"],
    "nul-bytes": [b"\0" * 1000],
    "deep-json": [frame('{"choices":' + "[" * 30_000)],
    "deep-closed-json": [frame('{"choices":' + "[" * 30_000 + "]" * 30_000 + "}")],
    "broken-gzip": [lambda reply: reply.head(headers={"Content-Encoding": "gzip"}), b"not gzip at all" * 100],
    "unknown-coding": [lambda reply: reply.head(headers={"Content-Encoding": "rot13"}), b"qngn: {}\n\n", fin],
}


@pytest.mark.parametrize("rubbish", RUBBISH)
@pytest.mark.parametrize("way", ["chat", "whole"])
def test_rubbish_is_an_error_and_nothing_worse(proxy, upstream, posts, rubbish, way):
    upstream.script = RUBBISH[rubbish]
    before = proxy.rss
    got, took = timed(outcome, proxy, way)
    assert 502 <= got.status <= 504 and took < 4
    assert posts() == 1
    if not SANITIZED:
        assert proxy.rss - before < 8 << 20
    assert proxy.is_alive()


def test_a_comment_before_each_frame_may_be_long_but_not_endless(proxy, upstream):
    upstream.script = [b": " + b"x" * 30_000 + b"\n\n" + f for f in answer("a", "b")]
    assert outcome(proxy, "chat").text == "ab"


def in_pieces(compressor):
    """Each frame flushed, as a server that streams compressed does."""
    return [compressor.compress(f) + compressor.flush(zlib.Z_SYNC_FLUSH) for f in answer("Hel", "lo")] + \
        [compressor.flush(zlib.Z_FINISH)]


@pytest.mark.parametrize("coding, pieces", [
    ("gzip", [gzip.compress(b"".join(answer("Hel", "lo")))]),
    ("gzip", in_pieces(zlib.compressobj(wbits=31))),
    ("deflate", in_pieces(zlib.compressobj())),
    ("identity", answer("Hel", "lo")),
], ids=["gzip", "gzip-in-pieces", "deflate", "identity"])
@pytest.mark.parametrize("way", STREAMS)
def test_a_compressed_answer_is_read_though_nobody_asked_for_it(proxy, upstream, coding, pieces, way):
    upstream.script = [lambda reply: reply.head(headers={"Content-Encoding": coding}), *pieces]
    r = ask(proxy, way)
    assert r.header("Content-Encoding") is None
    assert b"lo" in r.read()
    assert "br" not in (upstream.requests[-1].header("Accept-Encoding"))


def test_a_compressed_whole_answer_is_read_too(proxy, upstream):
    upstream.script = [lambda reply: reply.whole(gzip.compress(json.dumps(completion("a")).encode()),
                                                 headers={"Content-Encoding": "gzip"})]
    assert outcome(proxy, "whole").text == "a"


def test_a_small_answer_that_unfolds_to_a_huge_one_is_cut(proxy, upstream):
    bomb = gzip.compress(b"data: " + b"x" * (50 << 20))
    upstream.script = [lambda reply: reply.head(headers={"Content-Encoding": "gzip"}), bomb]
    before = proxy.rss
    got = outcome(proxy, "chat")
    assert (got.status, got.code) == (502, "upstream_frame_too_big")
    assert SANITIZED or proxy.rss - before < 8 << 20


def test_interim_answers_are_passed_over(proxy, upstream):
    def script(request, reply):
        reply.raw(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nopenai-version: early\r\n\r\n")
        for f in answer("a"):
            reply.body(f)
    upstream.script = script
    r = proxy.chat()
    assert content(r.all_events()) == "a"
    assert r.header("Link") is None and r.header("openai-version") is None
