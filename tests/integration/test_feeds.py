"""The server's own feeds: its log, line by line, without a word of prompts or keys; and its figures, once a second."""

import json
import signal
import threading
import time

import pytest

from client import PROVIDER_KEY, Cut
from rig import CANARY, CLIENT_KEY, bare_text, chat_body, config_for, wait_until
from upstream import DONE, FINISH, ROLE, answer, stall, status, token

LEVELS = ["debug", "info", "warn", "error"]


@pytest.fixture(scope="module")
def upstream(shared_rig):
    return shared_rig.upstream(answer("a", "b"))


def start(rig, upstream, format, **more):
    """A proxy whose log has that format. (The test's own eyes need the first line as JSON.)"""
    p = rig.proxy(upstream, **more)
    if format == "text":
        p.write_config(config_for(upstream, **{**more, "log": {"level": "debug", "format": "text"}}))
        p.signal(signal.SIGHUP)
        wait_until(lambda: any("reloaded" in line for line in p.lines), "the reload")
        assert p.get("/healthz").status == 200
    return p


@pytest.fixture(scope="module", params=["json", "text"])
def proxy(shared_rig, upstream, request):
    return start(shared_rig, upstream, request.param, workers=2)


def feed(proxy, name, query="", position=None, **more):
    r = proxy.get(f"/v1/feeds/{name}{query}", {"Last-Event-ID": position} if position else {}, **more)
    assert r.status == 200, r.read()
    return r


def until(r, is_so):
    """The events up to the first of which that is so."""
    seen = []
    for e in r.events():
        seen.append(e)
        if is_so(e.json):
            return seen
    raise AssertionError("the feed has ended")


def end_of(stream):
    return lambda line: line["event"] == "stream_end" and line["stream"] == stream


# --- the log ----------------------------------------------------------------------------------------

def test_each_line_is_a_message_of_json(proxy, upstream):
    upstream.script = answer("a", "b")
    r = feed(proxy, "log")
    assert r.header("Content-Type") == "text/event-stream"
    chat = proxy.chat()
    chat.all_events()
    lines = until(r, end_of(chat.header("X-Stream-Id")))
    assert all(e.type == "message" and set(e.json) >= {"time", "level", "event"} and e.json["level"] in LEVELS for e in lines)
    end = lines[-1].json
    assert (end["state"], end["model"], end["level"]) == ("done", "m", "info")
    assert [e.seq for e in lines] == list(range(lines[0].seq, lines[0].seq + len(lines)))


def test_a_level_shows_what_is_as_grave(proxy, upstream):
    upstream.script = [ROLE, token("a"), lambda reply: reply.reset()]
    feeds = {level: feed(proxy, "log", f"?level={level}") for level in LEVELS[:2]}
    chat = proxy.chat()
    chat.all_events()
    id = chat.header("X-Stream-Id")
    seen = {level: until(r, end_of(id)) for level, r in feeds.items()}
    assert {e.json["level"] for e in seen["info"]} <= {"info", "warn", "error"}
    assert {e.json["level"] for e in seen["debug"]} >= {"debug", "info"}
    graver = [e.id for e in seen["debug"] if e.json["level"] != "debug" and e.seq >= seen["info"][0].seq]
    assert [e.id for e in seen["info"]] == graver, "the same lines have the same ids"


@pytest.mark.parametrize("query", ["?level=all", "?level=", "?level=INFO", "?format=json", "?from=end"])
def test_unknown_wishes_are_refused(proxy, query):
    r = proxy.get("/v1/feeds/log" + query)
    assert r.status == 400 and r.error["message"]


def test_there_are_two_feeds_and_nobody_publishes_to_them(proxy):
    assert proxy.get("/v1/feeds/other").status == 404
    assert proxy.get("/v1/feeds").status == 404
    assert proxy.post("/v1/feeds/log", b"a").status == 405
    for name in ("feed:log", "feed%3Alog"):
        assert proxy.post(f"/v1/channels/{name}", b"a").status == 400
    for headers in ({"Origin": "https://elsewhere.example"}, {"Sec-Fetch-Site": "cross-site"}):
        assert proxy.get("/v1/feeds/log", headers).status == 403


def test_who_comes_back_misses_no_line(proxy, upstream):
    upstream.script = answer("a")
    r = feed(proxy, "log")
    ids = []
    for _ in range(3):
        chat = proxy.chat()
        chat.all_events()
        ids.append(chat.header("X-Stream-Id"))
    whole = until(r, end_of(ids[-1]))
    middle = next(i for i, e in enumerate(whole) if end_of(ids[0])(e.json))
    again = until(feed(proxy, "log", position=whole[middle].id), end_of(ids[-1]))
    assert [e.raw for e in again[1:]] == [e.raw for e in whole[middle + 2:]]
    from_the_start = until(feed(proxy, "log", "?from=start"), end_of(ids[-1]))
    assert [e.data for e in from_the_start][-len(whole):] == [e.data for e in whole]
    assert proxy.get("/v1/feeds/log", {"Last-Event-ID": whole[-1].id + "0000000"}).status == 400
    assert feed(proxy, "log", position="A" * 22 + ".5").next_event().type == "lost"


def test_as_text_a_line_is_a_line(proxy, upstream):
    upstream.script = answer("a")
    r = feed(proxy, "log", "?format=text&level=info")
    chat = proxy.chat()
    chat.all_events()
    raw = b""
    while b'"stream_end"' not in raw or not raw.endswith(b"\n"):
        raw += next(r.pieces())
    assert all(json.loads(line)["event"] for line in raw.splitlines())


def test_neither_prompts_nor_tokens_nor_keys_stand_in_it(proxy, upstream):
    secret = "canary-of-a-token"
    r = feed(proxy, "log", "?from=start")
    upstream.script = answer(secret)
    headers = {"Authorization": f"Bearer {CLIENT_KEY}", "X-Sluice-Client-Leaves": "cancel"}
    proxy.chat(headers).all_events()
    assert bare_text(proxy.get(f"/ask?q={CANARY}&model=m&format=events", headers).all_events()) == secret
    proxy.post("/v1/channels/c", f"{CANARY} {secret}".encode())
    proxy.post("/v1/chat/completions", b'{"model":"m","messages":"%s' % CANARY.encode(), headers).read()
    proxy.get(f"/v1/streams?api_key={CLIENT_KEY}").read()
    upstream.script = status(401, json.dumps({"error": {"message": f"bad key {PROVIDER_KEY} in {CANARY}"}}).encode())
    proxy.chat(headers).read()
    upstream.script = status(400, json.dumps({"error": {"message": f"bad prompt {CANARY}"}}).encode())
    proxy.chat(headers).read()
    upstream.script = answer("z")
    last = proxy.chat()
    last.all_events()
    lines = until(r, end_of(last.header("X-Stream-Id")))
    text = "\n".join(e.raw.decode() for e in lines)
    assert len(lines) > 10 and "upstream_auth" in text
    for word in (secret, CANARY, CLIENT_KEY, PROVIDER_KEY):
        assert word not in text


def test_the_level_of_the_log_bounds_the_feed(rig, upstream):
    p = rig.proxy(upstream, log={"level": "warn"})
    upstream.script = answer("a")
    r = feed(p, "log", "?level=debug&from=start")
    p.chat().all_events()
    p.write_config("listen: [nonsense")
    p.signal(signal.SIGHUP)
    # That it listens is said at any level; then that the reload failed, and nothing of the stream between.
    lines = [r.next_event().json for _ in range(2)]
    assert lines[0]["event"] == "listening" and lines[1]["level"] in ("warn", "error")


def test_of_a_flood_of_lines_each_is_shown_or_counted(rig, upstream):
    p = rig.proxy(upstream, workers=2)
    idle = feed(p, "log", receive_buffer=4096)
    r = feed(p, "log", timeout=30)
    seen = []

    def read():
        try:
            for e in r.events():
                seen.append(e)
        except (Cut, OSError):
            pass

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    with p.client() as c:
        for _ in range(3000):
            assert c.request("GET", "/v1/streams?limit=1").response().read()

    def adds_up():
        assert p.get("/v1/streams?limit=1").status == 200  # how many were left out is told before the next one
        lines = [e.json for e in list(seen)]
        dropped = sum(line["lines"] for line in lines if line["event"] == "lines_dropped")
        shown = [line for line in lines if line["event"] != "lines_dropped"]
        written = list(p.lines)
        return bool(shown) and len(shown) + dropped == len(written) - written.index(seen[0].data)

    wait_until(adds_up, "all lines to be shown or counted")
    assert [e.type for e in seen if e.type != "message"] == []
    r.client.reset()
    idle.client.reset()
    reader.join(5)


# --- the figures ------------------------------------------------------------------------------------

QUANTILES = {"p50", "p95", "p99"}


def check_figures(f):
    assert set(f) == {"time_ms", "streams", "viewers", "connections", "requests_per_s", "tokens_per_s", "ttft_ms",
                      "inter_token_ms", "memory", "upstreams"}
    assert set(f["streams"]) == {"live", "kept"} and set(f["ttft_ms"]) == set(f["inter_token_ms"]) == QUANTILES
    assert set(f["memory"]) == {"log_bytes", "log_bytes_max", "channel_bytes", "rss_bytes"}
    assert abs(f["time_ms"] / 1000 - time.time()) < 20
    assert f["memory"]["rss_bytes"] > 1 << 20 and f["memory"]["log_bytes_max"] == 256 << 20
    assert f["requests_per_s"] >= 0 and f["tokens_per_s"] >= 0 and f["connections"] >= 1
    for q in (f["ttft_ms"], f["inter_token_ms"]):
        assert q["p50"] is None or 0 <= q["p50"] <= q["p95"] <= q["p99"]


def test_figures_come_once_a_second_and_are_those_of_what_runs(rig, upstream):
    p = rig.proxy(upstream, workers=2)
    gate = upstream.gate()

    def drip(request, reply):
        reply.body(ROLE)
        while not gate.is_open:
            reply.body(token("t"))
            reply.silent(0.02)
        reply.body(FINISH + DONE)

    upstream.script = answer("a")
    kept = 3
    for _ in range(kept):
        p.chat().all_events()
    upstream.script = drip
    r = feed(p, "stats", timeout=20)
    assert r.header("Content-Type") == "text/event-stream"
    ids = [p.post("/v1/streams", chat_body()).json["id"] for _ in range(4)]
    watching = [p.get(f"/v1/streams/{id}?format=events") for id in ids for _ in range(2)]
    for w in watching:
        w.next_event()
    rounds = [r.next_event() for _ in range(4)]
    assert all(e.type == "message" for e in rounds)
    figures = [e.json for e in rounds]
    for f in figures:
        check_figures(f)
    gaps = [(b["time_ms"] - a["time_ms"]) / 1000 for a, b in zip(figures, figures[1:])]
    assert all(0.5 < gap < 3 for gap in gaps), gaps
    f = figures[-1]
    assert f["streams"] == {"live": 4, "kept": kept}
    assert f["viewers"] == len(watching) + 1 and f["connections"] >= len(watching) + 1
    assert 20 < f["tokens_per_s"] < 250  # four streams of at most fifty
    assert 5 < f["inter_token_ms"]["p50"] < 200 and f["memory"]["log_bytes"] > 0 and f["memory"]["channel_bytes"] > 0
    u = f["upstreams"]["u"]
    assert u["active"] == 4 and u["streams"] == 4 + kept and u["failed"] == 0
    assert abs(u["tokens_per_s"] - f["tokens_per_s"]) < 1 and set(u["ttft_ms"]) == QUANTILES
    again = p.get("/v1/feeds/stats", {"Last-Event-ID": rounds[1].id})
    assert [again.next_event().data for _ in range(2)] == [e.data for e in rounds[2:]]
    gate.open()
    for w in watching:
        w.all_events()
    wait_until(lambda: r.next_event().json["streams"] == {"live": 0, "kept": kept + 4}, "the end in the figures")
    after = [r.next_event().json for _ in range(2)][-1]
    assert after["tokens_per_s"] == 0 and after["upstreams"]["u"]["active"] == 0


def test_failures_of_an_upstream_are_counted_and_those_of_clients_are_not(rig, upstream):
    p = rig.proxy(upstream)
    upstream.script = [ROLE, token("a"), lambda reply: reply.reset()]
    p.chat().all_events()
    upstream.script = [ROLE, token("a"), stall]
    left = p.chat()
    left.next_event()
    left.client.close()
    p.wait_log("stream_end", code="client_gone")
    f = feed(p, "stats").next_event().json
    check_figures(f)
    assert (f["upstreams"]["u"]["failed"], f["upstreams"]["u"]["active"], f["upstreams"]["u"]["streams"]) == (1, 0, 2)


def test_while_nobody_looks_nothing_is_printed(rig, upstream):
    p = rig.proxy(upstream)
    r = feed(p, "stats")
    last = r.next_event()
    r.client.close()
    wait_until(lambda: p.metrics()["sluice_viewers"] == 0, "the viewer to leave")
    later = time.monotonic() + 2.5
    wait_until(lambda: time.monotonic() > later, "some seconds in which nobody looks")
    again = feed(p, "stats", position=last.id).next_event()
    assert again.seq <= last.seq + 2


def test_lines_and_messages_are_no_entries_of_answers(rig, upstream):
    upstream.script = answer("a")
    p = rig.proxy(upstream)
    p.chat().all_events()
    assert p.post("/v1/channels/c", b"x", {"Content-Type": "text/plain"}).status == 201
    assert [p.metrics()["sluice_entries_total"] for _ in range(3)] == [4, 4, 4]
