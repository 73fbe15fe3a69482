"""Channels: what is published reaches each viewer once and in the same order, whoever publishes and whoever is cut
off; and what is kept is bounded."""

import random
import re
import signal
import threading
import time
import zlib

import pytest

from client import EventReader, fields
from rig import SANITIZED, config_for, parallel, wait_until
from upstream import DONE, FINISH, ROLE, token

TEXT = {"Content-Type": "text/plain"}


@pytest.fixture(scope="module")
def proxy(shared_rig):
    return shared_rig.proxy(shared_rig.upstream(), workers=3)


@pytest.fixture
def name(request):
    """A channel of the test's own."""
    return f"{zlib.crc32(request.node.name.encode()):08x}-{request.node.originalname[:50]}"


def publish(proxy, name, body, query="", headers=TEXT):
    r = proxy.post(f"/v1/channels/{name}{query}", body if isinstance(body, bytes) else body.encode(), headers)
    assert r.status == 201, r.read()
    return r.json["id"]


def number(id):
    return int(id.rpartition(".")[2])


def watch(proxy, name, query="", position=None, **more):
    """A viewer that is attached when this returns."""
    r = proxy.get(f"/v1/channels/{name}{query}", {"Last-Event-ID": position} if position else {}, **more)
    assert r.status == 200, r.read()
    return r


def take(r, n):
    return [r.next_event() for _ in range(n)]


def kept(proxy, name):
    """What a viewer from the start gets that is there already: told by a last message."""
    publish(proxy, name, "END")
    r = watch(proxy, name, "?from=start")
    got = []
    while not got or got[-1].data != "END":
        got.append(r.next_event())
    r.client.close()
    return got[:-1]


# --- publishing and watching ------------------------------------------------------------------------

def test_what_is_published_reaches_all_who_watch(proxy, name):
    viewers = [watch(proxy, name) for _ in range(7)]
    for r in viewers:
        assert r.header("Content-Type") == "text/event-stream"
        assert r.header("Cache-Control") == "no-cache, no-store, no-transform" and r.header("X-Accel-Buffering") == "no"
    ids = [publish(proxy, name, f"message {i}") for i in range(20)]
    stream = ids[0].rpartition(".")[0]
    assert ids == [f"{stream}.{i}" for i in range(1, 21)]
    for r in viewers:
        events = take(r, 20)
        assert [(e.type, e.data, e.id) for e in events] == [("message", f"message {i}", id) for i, id in enumerate(ids)]
        for number, block in enumerate(r.sse.blocks):
            names = [n for n, _ in fields(block)]
            assert sorted(names) == (["data", "id", "retry"] if number == 0 else ["data", "id"])


def test_the_answer_to_a_message_is_its_id(proxy, name):
    r = proxy.post(f"/v1/channels/{name}", b"a", TEXT)
    assert r.status == 201 and r.header("Content-Type") == "application/json" and set(r.json) == {"id"}
    assert re.fullmatch(r"[A-Za-z0-9_-]{22}\.1", r.json["id"])


BODIES = [b"plain", b"two\nlines", b"a\r\nb\rc\n\nd\n", b"\n", b"\r\n\r\n", b" leading", "ü\u2028\U0001f680\ufeff".encode(),
          b"data: x\n\nid: 7\nevent: done\nretry: 1", b": hb", b"\x00\x7f", b"[DONE]", b"\xef\xbb\xbfbom",
          b'{"x": 1.0, "x":2 ,"y":"\\u00fc"}', b" {\n \"a\" : [1E400]\n}\n", b"null", b"{broken"]


@pytest.mark.parametrize("type", ["text/plain", "application/json", "application/x-www-form-urlencoded", None])
def test_a_message_stays_as_it_is(proxy, name, type):
    r, as_text = watch(proxy, name), watch(proxy, name, "?format=text")
    assert as_text.header("Content-Type").startswith("text/plain")
    for body in BODIES:
        publish(proxy, name, body, headers={"Content-Type": type})
    # A line end inside of data can only be LF there.
    assert [e.data for e in take(r, len(BODIES))] == [re.sub("\r\n?", "\n", b.decode()) for b in BODIES]
    whole = b"".join(b + b"\n" for b in BODIES)
    got = b""
    while len(got) < len(whole):
        got += next(as_text.pieces())
    assert got == whole


def test_a_message_may_have_a_name(proxy, name):
    r = watch(proxy, name)
    for event in ("price", "A.b-c_9", "message", "done", "x" * 64):
        publish(proxy, name, "1", f"?event={event}")
        assert (got := r.next_event()).type == event and got.data == "1"
    publish(proxy, name, "2")
    assert r.next_event().type == "message"


@pytest.mark.parametrize("event", ["error", "lost", "", "x" * 65, "a%20b", "a%0Adata:x", "%C3%BC", "a/b", "a:b", "a%00b"])
def test_a_bad_name_of_an_event_is_refused(proxy, name, event):
    r = proxy.post(f"/v1/channels/{name}?event={event}", b"a", TEXT)
    assert r.status == 400 and r.error["message"]
    assert number(publish(proxy, name, "b")) >= 1


@pytest.mark.parametrize("bad", ["x" * 65, "a%20b", "%C3%BC", "a%2Fb", "a:b", "feed:log", "feed%3Alog", "a%00b", "a%0A", "*"])
def test_a_bad_name_of_a_channel_is_refused(proxy, bad):
    for method, body in (("POST", b"a"), ("GET", None)):
        r = proxy.open(method, f"/v1/channels/{bad}", body, TEXT if body else {})
        assert r.status in (400, 404) and r.error["message"]


@pytest.mark.parametrize("good", ["a", ".", "..", "-", "_", "0", "x" * 64, "A.b-c_9"])
def test_names_that_look_odd_are_good(proxy, good):
    publish(proxy, good, "here")
    assert kept(proxy, good)[0].data == "here"


def test_a_path_needs_a_name(proxy):
    for target in ("/v1/channels", "/v1/channels/", "/v1/channels/a/b"):
        assert proxy.get(target).status == 404 and proxy.post(target, b"a", TEXT).status == 404


@pytest.mark.parametrize("body, status, code", [
    (b"", 400, "missing_message"), (b"a\xff", 400, "invalid_utf8"), (b"\xc3", 400, "invalid_utf8"),
    (b"\xed\xa0\x80", 400, "invalid_utf8"), (b"x" * (256 * 1024 + 1), 413, "request_too_large"),
    (b"x" * 3_000_000, 413, "request_too_large")],
    ids=["empty", "latin1", "half", "surrogate", "a-byte-too-much", "much-too-much"])
def test_what_is_no_message_is_refused(proxy, name, body, status, code):
    r = proxy.post(f"/v1/channels/{name}", body, TEXT)
    assert (r.status, r.error["code"]) == (status, code)
    assert number(publish(proxy, name, "b")) == 1


def test_the_largest_messages_reach_everybody(proxy, name):
    r = watch(proxy, name)
    for i in range(6):
        publish(proxy, name, b"%d" % i + b"x" * (256 * 1024 - 1))
        e = r.next_event()
        assert e.data == f"{i}" + "x" * (256 * 1024 - 1) and e.seq == i + 1


@pytest.mark.parametrize("headers", [{"Origin": "https://elsewhere.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"},
                                     {"Sec-Fetch-Site": "same-site"}])
def test_a_page_of_another_site_may_neither_publish_nor_watch(proxy, name, headers):
    r = proxy.post(f"/v1/channels/{name}", b"a", {**TEXT, **headers})
    assert r.status == 403
    assert proxy.get(f"/v1/channels/{name}", headers).status == 403
    assert number(publish(proxy, name, "b")) == 1


def test_unknown_wishes_are_refused(proxy, name):
    for query in ("?format=morse", "?format=openai", "?format=json", "?from=end", "?from=", "?from=1"):
        r = proxy.get(f"/v1/channels/{name}{query}")
        assert r.status == 400 and r.error["message"]
    assert proxy.open("DELETE", f"/v1/channels/{name}").status == 405


# --- order, and coming back -------------------------------------------------------------------------

def test_all_viewers_see_all_messages_of_many_publishers_in_one_order(proxy, name):
    publishers, each = 8, 60 if SANITIZED else 150
    viewers = [watch(proxy, name, timeout=30) for _ in range(9)]

    def play(i):
        if i < publishers:
            with proxy.client() as c:
                return [c.request("POST", f"/v1/channels/{name}", b"%d %d" % (i, k), TEXT).response("POST").json["id"]
                        for k in range(each)]
        return take(viewers[i - publishers], publishers * each)

    results = parallel(publishers + len(viewers), play)
    told, seen = results[:publishers], results[publishers:]
    expected = {id: f"{i} {k}" for i, ids in enumerate(told) for k, id in enumerate(ids)}
    for events in seen:
        assert [e.seq for e in events] == list(range(1, publishers * each + 1)), "no gap, nothing twice"
        assert {e.id: e.data for e in events} == expected, "each publisher was told the right id"
        assert [e.data for e in events] == [e.data for e in seen[0]]
        for i in range(publishers):  # who waits for each answer has its messages in order
            mine = [e.data for e in events if e.data.startswith(f"{i} ")]
            assert mine == [f"{i} {k}" for k in range(each)]


def test_viewers_that_are_cut_while_messages_pour_in_get_each_once(proxy, name):
    cuts_wanted, n_viewers = 60, 5
    stop = threading.Event()
    sent = []

    def pour():
        with proxy.client(timeout=30) as c:
            while not stop.is_set():
                sent.append(c.request("POST", f"/v1/channels/{name}", f"m{len(sent)}\nx".encode(), TEXT).response("POST").json["id"])
                if len(sent) % 8 == 0:
                    stop.wait(0.004)
            for _ in range(3):
                publish(proxy, name, "END")

    pouring = threading.Thread(target=pour, daemon=True)

    def view(seed):
        rng = random.Random(seed)
        r, got, cuts = watch(proxy, name, "?from=start", timeout=30), [], 0
        while not got or got[-1].data != "END":
            got.append(r.next_event())
            if cuts < cuts_wanted and rng.random() < 0.2:
                r.client.reset() if rng.random() < 0.5 else r.client.close()
                cuts += 1
                query = f"?last_event_id={got[-1].id}" if rng.random() < 0.5 else ""
                r = watch(proxy, name, query, None if query else got[-1].id, timeout=30)
        r.client.close()
        return got, cuts

    def play(i):
        if i == n_viewers:
            pouring.start()
            wait_until(lambda: not pouring.is_alive() or len(sent) > 900, "the messages", 50)
            stop.set()
            pouring.join()
            return None
        return view(i)

    seen = parallel(n_viewers + 1, play)[:n_viewers]
    assert sum(cuts for _, cuts in seen) > 250
    for got, _ in seen:
        assert [e.seq for e in got] == list(range(got[0].seq, got[0].seq + len(got)))
        assert all(e.type == "message" for e in got) and got[0].seq == 1
        assert [e.data for e in got[:-1]] == [f"m{i}\nx" for i in range(len(sent))]
        assert [e.id for e in got[:-1]] == sent


@pytest.mark.parametrize("by", ["header", "query"])
def test_each_position_gives_exactly_what_followed_it(proxy, name, by):
    ids = [publish(proxy, name, f"{i}") for i in range(10)]
    for i, id in enumerate(ids[:-1]):
        r = watch(proxy, name, position=id) if by == "header" else watch(proxy, name, f"?last_event_id={id}")
        assert [e.data for e in take(r, 9 - i)] == [f"{k}" for k in range(i + 1, 10)]
        r.client.close()
    stream = ids[0].rpartition(".")[0]
    r = watch(proxy, name, position=f"{stream}.0")
    assert [e.id for e in take(r, 10)] == ids
    last = watch(proxy, name, "?from=start", ids[-1])  # a position wins; it has seen all
    publish(proxy, name, "new")
    assert last.next_event().data == "new"


def test_who_comes_without_a_position_begins_with_what_comes_next(proxy, name):
    publish(proxy, name, "old")
    r, whole = watch(proxy, name), watch(proxy, name, "?from=start")
    assert whole.next_event().data == "old"
    publish(proxy, name, "new")
    assert r.next_event().data == whole.next_event().data == "new"


@pytest.mark.parametrize("position", ["x", "{id}", "{id}.", "{id}.-1", "{id}.+1", "{id}.1x", "{id}.2", "{id}.18446744073709551615",
                                      "{id}.99999999999999999999", ".1", "{id}.1,{id}.1"])
def test_a_position_that_is_none_is_refused(proxy, name, position):
    stream = publish(proxy, name, "a").rpartition(".")[0]
    r = proxy.get(f"/v1/channels/{name}", {"Last-Event-ID": position.replace("{id}", stream)})
    assert r.status == 400 and r.error["code"] == "invalid_position"


# --- what is kept -----------------------------------------------------------------------------------

def test_no_more_is_kept_than_the_newest_messages(rig):
    p = rig.proxy(rig.upstream(), workers=2, channels={"history": 5})
    ids = [publish(p, "c", f"{i}") for i in range(20)]
    assert [e.data for e in kept(p, "c")] == ["16", "17", "18", "19"]  # and END
    r = watch(p, "c", position=ids[3])
    lost, *rest = take(r, 6)
    assert lost.type == "lost" and lost.json == {"first_id": rest[0].id}
    assert [e.data for e in rest] == ["16", "17", "18", "19", "END"]
    publish(p, "c", "more")
    assert r.next_event().data == "more"
    exact = watch(p, "c", position=ids[16])  # the newest five are 17, 18, 19, END, more
    assert [e.data for e in take(exact, 2)] == ["17", "18"]
    assert watch(p, "c", position=ids[15]).next_event().type == "lost"
    text = p.get("/v1/channels/c?format=text", {"Last-Event-ID": ids[3]})
    assert text.status == 410 and text.error["code"] == "position_lost" and text.error["first_id"]


def test_no_more_is_kept_than_fits(rig):
    p = rig.proxy(rig.upstream(), channels={"memory": "16KiB"})
    assert p.post("/v1/channels/c", b"x" * 4097, TEXT).status == 413
    live = watch(p, "c")
    for i in range(100):
        publish(p, "c", f"{i:04}" + "x" * 1000)
        assert live.next_event().data[:4] == f"{i:04}"
    left = kept(p, "c")
    assert 5 < len(left) <= 16 and left[-1].data.startswith("0099")
    assert [e.seq for e in left] == list(range(left[0].seq, 101))
    for i in range(8):
        publish(p, "c", b"y" * 4096)
        assert len(live.next_event().data) in (3, 4096)


def test_messages_get_old_and_an_unused_channel_goes(rig):
    p = rig.proxy(rig.upstream(), workers=2, channels={"keep": "1s", "count": 2})
    first = publish(p, "a", "old")
    assert publish(p, "b", "old")
    refused = p.post("/v1/channels/c", b"x", TEXT)
    assert refused.status == 429 and refused.error["code"] == "too_many_channels"
    assert p.get("/v1/channels/c").status == 429
    watcher = watch(p, "b")  # this one is in use
    wait_until(lambda: p.get("/v1/channels/c").status == 200, "a to be forgotten", 5)
    publish(p, "b", "new")
    assert watcher.next_event().data == "new"

    def only_the_new_are_kept():
        publish(p, "b", "new")
        fresh = watch(p, "b", "?from=start")
        data = fresh.next_event().data
        fresh.client.close()
        return data == "new"
    wait_until(only_the_new_are_kept, "the old one to be forgotten")

    def again():
        r = p.post("/v1/channels/a", b"again", TEXT)
        return r.status == 201 and r.json["id"]

    wait_until(again, "room for another", 5)
    r = watch(p, "a", position=first)
    lost, e = take(r, 2)
    assert lost.type == "lost" and lost.json["first_id"] == e.id and e.data == "again"
    assert e.id.rpartition(".")[0] != first.rpartition(".")[0]


def test_who_was_refused_leaves_no_channel_behind(rig):
    p = rig.proxy(rig.upstream(), workers=2, channels={"count": 1})

    def refused_for_its_wish(i):
        return p.get(f"/v1/channels/c{i}?format=morse").status == 400

    for i in range(5):
        wait_until(lambda: refused_for_its_wish(i), "the one before to be gone", 3)
    wait_until(lambda: p.get("/v1/channels/d").status == 200, "the last to be gone", 3)


def test_an_id_of_before_a_restart_is_a_position_that_was_lost(rig):
    u = rig.upstream()
    old = rig.proxy(u)
    position = [publish(old, "c", f"{i}") for i in range(3)][-1]
    old.stop()
    p = rig.proxy(u)
    empty = watch(p, "c", position=position)
    lost = empty.next_event()
    assert lost.type == "lost" and number(lost.json["first_id"]) == 1
    publish(p, "c", "new")
    assert empty.next_event().data == "new"
    again = take(watch(p, "c", position=position), 2)
    assert [again[0].type, again[1].data] == ["lost", "new"] and again[0].json["first_id"] == again[1].id
    text = p.get("/v1/channels/c?format=text", {"Last-Event-ID": position})
    assert text.status == 410 and text.error["code"] == "position_lost"


def test_a_reload_brings_other_limits_and_viewers_never_notice(rig):
    u = rig.upstream()
    p = rig.proxy(u, channels={"history": 100, "count": 100})
    live = watch(p, "c")
    for i in range(50):
        publish(p, "c", f"{i}")
    p.write_config(config_for(u, channels={"history": 3, "count": 1, "memory": "4KiB"}))
    p.signal(signal.SIGHUP)
    p.wait_log("reloaded")
    assert p.post("/v1/channels/other", b"x", TEXT).status == 429
    assert p.post("/v1/channels/c", b"x" * 1025, TEXT).status == 413
    for i in range(50, 60):
        publish(p, "c", f"{i}")
    assert [e.data for e in take(live, 60)] == [f"{i}" for i in range(60)]
    assert [e.data for e in kept(p, "c")] == ["58", "59"]


# --- viewers that are slow, silence, the end --------------------------------------------------------

def test_a_viewer_that_reads_nothing_holds_up_nobody_and_is_told_what_it_lost(rig):
    p = rig.proxy(rig.upstream(), workers=2, channels={"memory": "256KiB"})
    n, size = 300, 20_000
    slow = watch(p, "c", receive_buffer=4096, timeout=30)
    quick = [watch(p, "c", timeout=30) for _ in range(4)]
    began = time.monotonic()
    with p.client(timeout=30) as c:
        for i in range(n):
            r = c.request("POST", "/v1/channels/c", b"%06d" % i + b"x" * size, TEXT).response("POST")
            assert r.status == 201 and r.read()
            for q in quick:
                assert q.next_event().data[:6] == f"{i:06}"
    assert time.monotonic() - began < 30
    got = []
    while not got or got[-1].data[:6] != f"{n - 1:06}":
        got.append(slow.next_event())
    assert [e.type for e in got].count("lost") >= 1
    messages = [e for e in got if e.type == "message"]
    assert all(len(e.data) == size + 6 for e in messages), "each is whole"
    seqs = [e.seq for e in messages]
    assert seqs == sorted(set(seqs)) and seqs[0] == 1
    after = False
    for before, e in zip(got, got[1:]):  # there is a gap only where it is told
        if before.type == "lost":
            assert before.json["first_id"] == e.id
            after = True
        elif e.type == "message":
            assert e.seq == before.seq + 1
    assert after


def test_heartbeats_fill_the_silence(rig):
    p = rig.proxy(rig.upstream(), streams={"heartbeat": "1s"})
    r, text = watch(p, "c"), watch(p, "c", "?format=text")
    raw = b""
    for piece in r.pieces():
        raw += piece
        if raw.count(b": hb\n") == 2:
            break
    assert raw == b": hb\n" * 2
    publish(p, "c", "a")
    reader = EventReader()
    events = reader.feed(raw)
    while not events:
        events = reader.feed(next(r.pieces()))
    assert events[0].data == "a" and reader.blocks[0].startswith(b": hb\n: hb\n")
    assert next(text.pieces()) == b"a\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_at_the_end_of_the_server_channels_end_quickly_and_cleanly(rig, number):
    p = rig.proxy(rig.upstream(), workers=3, timeouts={"drain": "60s"})
    viewers = [watch(p, f"c{i % 4}", "?format=text" if i == 7 else "") for i in range(8)]
    feeds = [p.get(f"/v1/feeds/{feed}") for feed in ("log", "stats")]
    for i in range(4):
        publish(p, f"c{i}", "a")
    firsts = [r.next_event().data for r in viewers[:7]]
    assert firsts == ["a"] * 7
    began = time.monotonic()
    p.signal(number)
    for r in viewers[:7]:
        assert r.all_events() == [] and r.complete, "no word of an end, and no cut"
    assert viewers[7].read() == b"a\n" and viewers[7].complete
    for r in feeds:
        r.all_events()
        assert r.complete
    assert p.wait() == 0 and time.monotonic() - began < 8


def test_while_the_server_drains_nobody_publishes(rig):
    u = rig.upstream()
    gate = u.gate()
    u.script = [ROLE, token("a"), gate, FINISH, DONE]
    p = rig.proxy(u, timeouts={"drain": "30s"})
    running = p.chat()
    running.next_event()
    idle = p.client()
    assert idle.request("GET", "/healthz").response().read() is not None
    p.signal(signal.SIGTERM)
    p.wait_log("draining")
    r = idle.request("POST", "/v1/channels/c", b"a", TEXT).response("POST")
    assert r.status == 503 and r.error["code"] == "shutting_down"
    gate.open()
    running.all_events()
    assert p.wait() == 0


def test_publishers_that_leave_before_their_answer_leave_nothing_behind(proxy, name):
    r = watch(proxy, name, timeout=30)
    n = 300
    for i in range(n):
        c = proxy.client()
        c.request("POST", f"/v1/channels/{name}", b"%d" % i, TEXT)
        if i % 3 == 0:
            c.reset()
        elif i % 3 == 1:
            c.half_close()
            c.sock.close()
        else:
            assert c.response("POST").status == 201
    publish(proxy, name, "END")
    got = []
    while not got or got[-1].data != "END":
        got.append(r.next_event())
    assert [e.seq for e in got] == list(range(1, len(got) + 1)) and len(got) > n // 3
    assert len({e.data for e in got}) == len(got)


def test_watching_and_publishing_race_with_channels_that_go(rig):
    """Channels without messages and viewers are made and removed all the time; nobody is told anything else than what
    holds for a channel that is there."""
    p = rig.proxy(rig.upstream(), workers=3, channels={"keep": "1s"})

    def play(i):
        rng = random.Random(i)
        for k in range(80):
            channel = f"c{rng.randint(0, 2)}"
            if rng.random() < 0.6:
                r = p.get(f"/v1/channels/{channel}")
                assert r.status == 200
                r.client.reset() if rng.random() < 0.5 else r.client.close()
            else:
                r = watch(p, channel, "?from=start")
                publish(p, channel, f"{i} {k}")
                while r.next_event().data != f"{i} {k}":
                    pass
                r.client.close()

    parallel(6, play)
    assert p.is_alive()
    wait_until(lambda: p.metrics()["sluice_viewers"] == 0, "all to be gone")
