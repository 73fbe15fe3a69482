"""Starting, listening, reloading, draining, stopping; and what the process takes while it lives."""

import json
import os
import re
import signal
import socket
import ssl
import stat
import subprocess
import time

import pytest

from client import PROVIDER_KEY, Client, Cut
from outcome import ask
from rig import (BINARY, CANARY, CLIENT_KEY, SANITIZED, bare_text, chat_body, config_for, content, parallel, run,
                 wait_until)
from upstream import DONE, FINISH, ROLE, answer, sink, stall, token


@pytest.fixture(scope="module")
def upstream(shared_rig):
    return shared_rig.upstream(answer("Hel", "lo"))


@pytest.fixture(autouse=True)
def plain_script(upstream):
    upstream.script = answer("Hel", "lo")


def says_hello(response):
    return content(response.all_events()) == "Hello"


# --- the command line -------------------------------------------------------------------------------

def test_the_help_fits_one_screen_and_the_version_one_line():
    shown = run("--help")
    assert shown.returncode == 0 and shown.stderr == ""
    lines = shown.stdout.splitlines()
    assert len(lines) <= 40 and max(map(len, lines)) <= 100
    for option in ("--config", "--upstream", "--listen", "check", "demo"):
        assert option in shown.stdout
    version = run("--version")
    assert version.returncode == 0 and re.fullmatch(r"sluice \d+\.\d+\.\d+\n", version.stdout)


@pytest.mark.parametrize("args", [["--nope"], ["nope"], ["--config"], ["--listen"], ["--set", "x"], ["check", "demo"],
                                  ["--workers", "many"], ["--config", "/does/not/exist"], ["--log-level", "loud"],
                                  ["--set", "no.such.key=1"]])
def test_a_wrong_command_line_ends_with_2_and_says_why(args):
    ended = run(*args, env={"OPENAI_BASE_URL": "http://127.0.0.1:9/v1"})
    assert ended.returncode == 2
    assert ended.stderr.strip() and ended.stdout == ""


def test_without_any_upstream_one_line_says_what_to_type():
    ended = run()
    assert ended.returncode == 2
    assert len(ended.stderr.strip().splitlines()) == 1 and "--upstream" in ended.stderr


BAD_CONFIG = """\
listen: ["127.0.0.1:0"]
lisen: 3
upstreams:
  u: {url: "http://127.0.0.1:9/v1", key: "%s", kye: "%s"}
timeouts: {connect: 5, total: soon}
limits: {body: many}
models: {fast: v/x}
keys: [{name: a, sha256: "%s"}]
""" % ((PROVIDER_KEY,) * 3)


def test_check_tells_every_error_with_its_line_and_no_secret(tmp_path):
    file = tmp_path / "bad.yaml"
    file.write_text(BAD_CONFIG)
    ended = run("check", "--config", str(file))
    assert ended.returncode == 2
    told = ended.stdout + ended.stderr
    for line, word in ((2, "listen"), (4, "key"), (5, "timeouts.connect"), (5, "timeouts.total"), (6, "limits.body"),
                       (7, "models.fast"), (8, "keys[0].sha256")):
        assert re.search(rf"bad\.yaml:{line}:.*{re.escape(word)}", told), f"{word}, line {line}, in:\n{told}"
    assert PROVIDER_KEY not in told


def test_check_accepts_a_good_file_and_the_sample(tmp_path):
    file = tmp_path / "good.yaml"
    file.write_text(json.dumps(config_for("http://127.0.0.1:9/v1")))
    assert run("check", "--config", str(file)).returncode == 0
    sample = os.path.join(os.path.dirname(__file__), "..", "..", "config", "sluice.yaml")
    assert run("check", "--config", sample).returncode == 0


def test_a_bad_file_does_not_start(tmp_path):
    file = tmp_path / "bad.yaml"
    file.write_text(BAD_CONFIG)
    ended = run("--config", str(file))
    assert ended.returncode == 2 and "bad.yaml:2:" in ended.stderr and PROVIDER_KEY not in ended.stderr


@pytest.mark.parametrize("address", ["0.0.0.0:0", "[::]:0"])
def test_an_address_that_others_can_reach_needs_keys(tmp_path, address):
    ended = run("--upstream", "http://127.0.0.1:9/v1", "--listen", address)
    assert ended.returncode == 2
    assert address in ended.stderr and "keys" in ended.stderr


def listening_sockets(pid):
    """Local addresses of the TCP sockets on which a process listens, as /proc writes them."""
    inodes = set()
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            inodes.add(os.readlink(f"/proc/{pid}/fd/{fd}"))
        except OSError:
            pass
    found = set()
    for table in ("tcp", "tcp6"):
        with open(f"/proc/{pid}/net/{table}", encoding="ascii") as file:
            for line in list(file)[1:]:
                parts = line.split()
                if parts[3] == "0A" and f"socket:[{parts[9]}]" in inodes:
                    found.add(parts[1])
    return found


def test_the_default_is_loopback_port_8080_only(rig, upstream):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", 8080))
        except OSError:
            pytest.skip("port 8080 is taken on this machine")
    p = rig.start(args=["--upstream", upstream.url])
    assert p.address == ("127.0.0.1", 8080)
    assert listening_sockets(p.pid) == {"0100007F:1F90"}
    assert says_hello(p.chat())


# --- ways to start ----------------------------------------------------------------------------------

def test_the_environment_alone_is_enough(rig, upstream):
    p = rig.start(args=["--listen", "127.0.0.1:0"],
                  env={"OPENAI_BASE_URL": upstream.url, "OPENAI_API_KEY": PROVIDER_KEY})
    assert says_hello(p.chat())
    assert upstream.posts[-1].header("Authorization") == f"Bearer {PROVIDER_KEY}"
    assert p.get("/v1/models").json["data"][0]["id"] == "m"


def test_an_upstream_of_the_command_line_gets_no_key_of_the_environment(rig, upstream):
    p = rig.start(args=["--listen", "127.0.0.1:0", "--upstream", upstream.origin],
                  env={"OPENAI_API_KEY": PROVIDER_KEY})
    assert says_hello(p.chat())
    assert upstream.posts[-1].header("Authorization") is None
    assert upstream.posts[-1].target == "/v1/chat/completions"


def test_a_file_is_filled_in_from_the_environment_and_from_files(rig, upstream, tmp_path):
    (tmp_path / "secret").write_text("team-of-the-file\n")
    config = config_for(upstream, upstreams={"u": {"key": "${env:THE_KEY}", "headers": {
        "X-Team": "${file:%s}" % (tmp_path / "secret")}}})
    p = rig.start(config, env={"THE_KEY": PROVIDER_KEY}, secrets=["team-of-the-file"])
    assert says_hello(p.chat())
    assert upstream.posts[-1].header("Authorization") == f"Bearer {PROVIDER_KEY}"
    assert upstream.posts[-1].header("X-Team") == "team-of-the-file"


def test_yaml_is_read_as_it_is_usually_written(rig, upstream):
    p = rig.start(f"""\
# a comment
listen: "127.0.0.1:0"
upstreams:
  u:
    url: {upstream.url}
models:
  fast: u/real   # an alias
  "*": u
streams: {{heartbeat: off, event_ids: yes}}
""")
    assert says_hello(p.chat(model="fast"))
    assert upstream.posts[-1].json["model"] == "real"


def test_the_demo_needs_nothing(rig):
    p = rig.start(args=["demo", "--listen", "127.0.0.1:0"])
    assert p.get("/v1/models").json["data"]
    r = p.post("/ask", b"why is the sky blue", timeout=30)
    assert r.status == 200 and len(r.read()) > 20
    p.stop()
    assert "curl -N" in p.stdout


def test_several_addresses_are_listened_on(rig, upstream, tmp_path):
    path = str(tmp_path / "s.sock")
    p = rig.proxy(upstream, listen=["127.0.0.1:0", f"unix:{path}", "[::1]:0"])
    p.wait_log("listening", count=3)
    addresses = [e["address"] for e in p.logged("listening")]
    assert addresses[0].startswith("127.0.0.1:")
    assert addresses[1] == f"unix:{path}" and addresses[2].startswith("[::1]:")
    for address in addresses:
        with Client(p.parse_address(address)) as c:
            assert c.request("GET", "/healthz").response().status == 200


def test_a_port_in_use_is_told(upstream):
    with sink() as taken:
        ended = run("--upstream", upstream.url, "--listen", f"127.0.0.1:{taken.port}")
        assert ended.returncode in (1, 2)
        assert f"127.0.0.1:{taken.port}" in ended.stderr and "use" in ended.stderr


def test_two_of_us_do_not_share_a_port(rig, upstream):
    p = rig.proxy(upstream)
    try:
        ended = run("--upstream", upstream.url, "--listen", "%s:%d" % p.address, timeout=3)
    except subprocess.TimeoutExpired:
        pytest.fail("a second server listens on the same port, and each gets a part of the requests")
    assert ended.returncode in (1, 2) and "use" in ended.stderr


# --- unix sockets and TLS ---------------------------------------------------------------------------

def test_a_unix_socket_serves_and_goes_away(rig, upstream, tmp_path):
    path = str(tmp_path / "sluice.sock")
    p = rig.proxy(upstream, listen=[f"unix:{path}"])
    assert p.address == path
    assert stat.S_IMODE(os.stat(path).st_mode) & 0o007 == 0
    assert says_hello(p.chat())
    assert p.get("/healthz", {"Host": "whatever.example"}).status == 200
    p.stop()
    assert not os.path.exists(path)


def test_a_unix_socket_that_nobody_listens_on_is_replaced_and_nothing_else(rig, upstream, tmp_path):
    path = str(tmp_path / "sluice.sock")
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(path)
    p = rig.proxy(upstream, listen=[f"unix:{path}"])
    assert says_hello(p.chat())
    used = run("--upstream", upstream.url, "--listen", f"unix:{path}")
    assert used.returncode in (1, 2) and path in used.stderr
    assert says_hello(p.chat())
    file = tmp_path / "file"
    file.write_text("keep me")
    assert run("--upstream", upstream.url, "--listen", f"unix:{file}").returncode in (1, 2)
    assert file.read_text() == "keep me"


def tls_client(certificates, ca=None, own=None):
    context = ssl.create_default_context(cafile=ca or certificates.ca)
    if own:
        context.load_cert_chain(*own)
    return context


def test_tls_is_served(rig, upstream, certificates):
    p = rig.proxy(upstream, tls={"cert": certificates.server, "key": certificates.server_key})
    context = tls_client(certificates)
    with p.client(tls=context) as c:
        for way in ("chat", "text", "events"):
            assert b"lo" in ask(p, way, client=c).read()
    with pytest.raises(ssl.SSLError):
        p.client(tls=tls_client(certificates, certificates.other_ca))
    with p.client() as plain:
        plain.send(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"200" not in plain.rest()
    assert says_hello(ask(p, "chat", client=p.client(tls=tls_client(certificates))))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("version", ["TLSv1", "TLSv1_1"])
def test_old_tls_is_not_spoken(rig, upstream, certificates, version):
    p = rig.proxy(upstream, tls={"cert": certificates.server, "key": certificates.server_key})
    context = tls_client(certificates)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = getattr(ssl.TLSVersion, version)
    with pytest.raises((ssl.SSLError, ConnectionError)):
        p.client(tls=context)


def test_a_tls_client_that_leaves_is_noticed(rig, upstream, certificates):
    p = rig.proxy(upstream, tls={"cert": certificates.server, "key": certificates.server_key})
    upstream.script = [ROLE, token("3 "), stall]
    for leave in (Client.close, Client.reset):
        client = p.client(tls=tls_client(certificates))
        ask(p, "chat", client=client).read_until(b"3 ")
        connection, left = upstream.posts[-1].connection, time.monotonic()
        leave(client)
        upstream.until(lambda: connection.closed, "the upstream to be closed", 3)
        assert connection.closed_at - left <= 1
    assert p.client(tls=tls_client(certificates)).request("GET", "/healthz").response().status == 200


def test_clients_show_a_certificate_where_one_is_required(rig, upstream, certificates):
    p = rig.proxy(upstream, tls={"cert": certificates.server, "key": certificates.server_key,
                                 "client_ca": certificates.ca})
    good = tls_client(certificates, own=(certificates.client, certificates.client_key))
    assert says_hello(ask(p, "chat", client=p.client(tls=good)))
    before = len(upstream.requests)
    for own in (None, (certificates.strange_client, certificates.strange_client_key)):
        try:
            r = ask(p, "chat", client=p.client(tls=tls_client(certificates, own=own)))
        except (ssl.SSLError, ConnectionError, Cut):
            continue
        assert r.status in (401, 403)
    assert len(upstream.requests) == before


@pytest.mark.parametrize("tls", [{"cert": "{server}", "key": "{client_key}"}, {"cert": "{server}"},
                                 {"cert": "/does/not/exist", "key": "{server_key}"},
                                 {"cert": "{server_key}", "key": "{server_key}"}])
def test_tls_files_that_do_not_fit_are_told(certificates, tmp_path, tls):
    names = {n: getattr(certificates, n) for n in ("server", "server_key", "client_key")}
    file = tmp_path / "s.yaml"
    file.write_text(json.dumps(config_for("http://127.0.0.1:9/v1", tls={k: v.format(**names) for k, v in tls.items()})))
    ended = run("--config", str(file))
    assert ended.returncode in (1, 2) and ended.stderr.strip()


# --- reload -----------------------------------------------------------------------------------------

def test_a_reload_takes_effect_and_running_streams_go_on(rig, upstream):
    gate = upstream.gate()
    upstream.script = [ROLE, token("a"), gate, token("b"), FINISH, DONE]
    p = rig.proxy(upstream, models={"*": None, "old": "u"})
    assert p.chat(model="new").status == 404
    running = p.chat(model="old")
    seen = [running.next_event(), running.next_event()]
    p.write_config(config_for(upstream, models={"*": None, "new": "u/real"}, hosts=["chat.example.com"]))
    p.signal(signal.SIGHUP)
    p.wait_log("reloaded")
    gate.open()
    assert content(seen + running.all_events()) == "ab"
    upstream.script = answer("Hel", "lo")
    wait_until(lambda: p.chat(model="old").status == 404, "all workers to have the new configuration", 2)
    assert says_hello(p.chat(model="new")) and upstream.posts[-1].json["model"] == "real"
    assert p.get("/healthz", {"Host": "chat.example.com"}).status == 200


@pytest.mark.parametrize("bad", ["upstreams: {", "lisen: 1\n", json.dumps({"models": {"x": "nobody"}}), ""])
def test_a_bad_reload_changes_nothing_and_says_so(rig, upstream, bad):
    p = rig.proxy(upstream, models={"*": None, "old": "u"})
    p.write_config(bad)
    p.signal(signal.SIGHUP)
    told = p.wait_log("reload_failed")
    assert told["level"] == "error" and "sluice.yaml" in told["errors"] or bad == ""
    assert says_hello(p.chat(model="old"))
    p.write_config(config_for(upstream, models={"*": None, "new": "u"}))
    p.signal(signal.SIGHUP)
    p.wait_log("reloaded")
    wait_until(lambda: p.chat(model="new").status == 200, "the good configuration", 2)


def test_many_reloads_under_load_do_no_harm(rig, upstream):
    p = rig.proxy(upstream)

    def work(number):
        for _ in range(20):
            if number == 0:
                p.signal(signal.SIGHUP)
            assert says_hello(p.chat())

    parallel(6, work)
    p.signal(signal.SIGHUP)
    wait_until(lambda: len(p.logged("reloaded")) >= 2, "reloads", 5)
    assert p.is_alive()


def test_the_log_is_opened_again_for_rotation(rig, upstream, tmp_path):
    log = tmp_path / "sluice.log"
    with sink() as free:
        port = free.port
    file = tmp_path / "s.yaml"
    file.write_text(json.dumps(config_for(upstream, listen=[f"127.0.0.1:{port}"], log={"file": str(log)})))
    process = subprocess.Popen([BINARY, "--config", str(file)], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        wait_until(lambda: log.exists() and "listening" in log.read_text(), "the log")
        log.rename(tmp_path / "old.log")
        os.kill(process.pid, signal.SIGHUP)
        wait_until(lambda: log.exists() and "reloaded" in log.read_text(), "the new log")
        assert stat.S_IMODE(log.stat().st_mode) & 0o077 == 0
    finally:
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(10) == 0
    for line in log.read_text().splitlines():
        assert json.loads(line)["event"]


# --- the end ----------------------------------------------------------------------------------------

def test_an_idle_server_ends_at_once(rig, upstream):
    p = rig.proxy(upstream, timeouts={"drain": "30s"})
    idle = [p.client() for _ in range(5)]
    kept = p.client()
    assert kept.request("GET", "/healthz").response().read()
    began = time.monotonic()
    p.signal(signal.SIGTERM)
    assert p.wait() == 0
    assert time.monotonic() - began < 1
    for c in (*idle, kept):
        assert c.rest() == b""


def test_while_one_stream_goes_on_every_worker_answers(rig, upstream):
    gate = upstream.gate()
    upstream.script = [ROLE, token("a"), gate, token("b"), FINISH, DONE]
    p = rig.proxy(upstream, workers=4, timeouts={"drain": "30s"})
    idle = [p.client() for _ in range(16)]
    for c in idle:
        assert c.request("GET", "/healthz").response().read()
    running = p.chat()
    running.next_event()
    p.signal(signal.SIGTERM)
    p.wait_log("draining")
    began = time.monotonic()
    # Ten times as long as a worker takes to see that it has nothing left to do.
    while time.monotonic() - began < 0.2:
        with p.client() as c:
            assert c.request("GET", "/healthz").response().status == 200
        r = p.chat()
        assert r.status == 503 and r.error["code"] == "shutting_down" and r.header("Retry-After")
    for c in idle:
        assert c.request("GET", "/healthz").response().status == 200
    again = p.client().request("GET", f"/v1/streams/{running.header('X-Stream-Id')}?format=text").response()
    gate.open()
    running.all_events()
    assert again.read() == b"ab"
    assert p.wait() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_drain_lets_streams_end_and_tells_the_rest(rig, upstream, number):
    gate = upstream.gate()

    def script(request, reply):
        if b"silent" in request.body:
            for step in (ROLE, token("a"), stall):
                reply.play(step)
        elif b"mute" in request.body:
            reply.stall()
        else:
            for step in (ROLE, token("a"), gate, token("b"), FINISH, DONE):
                reply.play(step)

    upstream.script = script
    p = rig.proxy(upstream, timeouts={"drain": "2s"})
    live = [p.chat() for _ in range(10)]
    silent = [p.chat(model="silent") for _ in range(10)]
    events = ask(p, "events")
    for r in live:
        assert content([r.next_event(), r.next_event()]) == "a"
    assert events.next_event().data == "a"
    waiting = p.client().request("POST", "/v1/chat/completions", chat_body(model="mute"))
    kept = p.client()
    assert kept.request("GET", "/readyz").response().read()
    upstream.until(lambda: len(upstream.open_connections) >= 22)
    began = time.monotonic()
    p.signal(number)
    p.wait_log("draining")

    def is_not_ready():
        with p.client() as c:
            return c.request("GET", "/readyz").response().status == 503
    wait_until(is_not_ready, "readyz to say 503", 0.5)
    assert time.monotonic() - began < 0.5
    assert p.get("/healthz").status == 200
    refused = p.chat()
    assert refused.status == 503 and refused.header("Retry-After") and refused.error["code"] == "shutting_down"
    assert kept.request("POST", "/v1/chat/completions", chat_body()).response("POST").status == 503
    gate.open()
    for r in live:
        assert content(r.all_events()) == "b" and r.complete
    rest = events.all_events()
    assert bare_text(rest) == "b" and rest[-1].type == "done"
    for r in silent:
        left = r.all_events()
        assert left[-1].data == "[DONE]" and left[-2].json["error"]["code"] == "shutting_down"
        assert r.complete
    told = waiting.response("POST")
    assert told.status == 503 and told.error["code"] == "shutting_down"
    assert p.wait() == 0
    assert 1.9 < time.monotonic() - began < 3.5


@pytest.mark.parametrize("first, second", [("SIGTERM", "SIGTERM"), ("SIGINT", "SIGINT"), ("SIGTERM", "SIGINT")])
def test_a_second_signal_ends_it_at_once(rig, upstream, first, second):
    upstream.script = [ROLE, token("a"), stall]
    p = rig.proxy(upstream, timeouts={"drain": "30s"})
    running = p.chat()
    running.next_event()
    p.signal(getattr(signal, first))
    p.wait_log("draining")
    began = time.monotonic()
    p.signal(getattr(signal, second))
    assert p.wait() == 1
    assert time.monotonic() - began < 1


def test_a_stop_at_any_moment_is_a_clean_one(rig, upstream):
    upstream.script = [ROLE, *(token("x") for _ in range(50)), stall]
    for turn in range(6):
        p = rig.proxy(upstream, timeouts={"drain": "100ms"})
        clients = [p.client() for _ in range(8)]
        for i, c in enumerate(clients):
            c.request("POST", "/v1/chat/completions", chat_body())
            if i < turn:
                c.response("POST").next_event()
        p.signal(signal.SIGTERM)
        assert p.wait() == 0
        p.check_output()
        for c in clients:
            c.sock.close()


# --- while it lives ---------------------------------------------------------------------------------

def test_four_workers_share_the_streams_and_anyone_can_come_back_to_any(rig, upstream):
    gate = upstream.gate()
    upstream.script = [ROLE, token("a"), gate, token("b"), FINISH, DONE]
    p = rig.proxy(upstream, workers=4)
    assert p.logged("listening")[0]["workers"] == 4
    streams = parallel(20, lambda i: ask(p, "events"))
    starts = [r.next_event() for r in streams]
    watchers = parallel(40, lambda i: p.get("/ask?q=a&format=events", {"Last-Event-ID": starts[i % 20].id}))
    gate.open()
    for r in (*streams, *watchers):
        events = r.all_events()
        assert bare_text(events) == "b" and events[-1].type == "done"
    assert len({r.header("X-Stream-Id") for r in streams}) == 20
    upstream.script = answer("Hel", "lo")
    assert all(parallel(40, lambda i: says_hello(p.chat())))


@pytest.mark.skipif(SANITIZED, reason="a build with sanitizers is slow")
def test_silent_streams_cost_nothing(rig, upstream):
    gate = upstream.gate()
    upstream.script = [ROLE, token("a"), gate, token("b"), FINISH, DONE]
    p = rig.proxy(upstream)
    streams = [p.chat() for _ in range(50)]
    seen = [[r.next_event(), r.next_event()] for r in streams]
    used, began = p.cpu, time.monotonic()
    wait_until(lambda: time.monotonic() - began > 4, "four quiet seconds")
    assert p.cpu - used < 0.05
    asked = time.monotonic()
    gate.open()
    assert content(seen[0] + streams[0].all_events()) == "ab"
    assert time.monotonic() - asked < 0.2
    for s, r in zip(seen[1:], streams[1:]):
        assert content(s + r.all_events()) == "ab"


@pytest.mark.parametrize("limit", ["connections", "per_address"])
def test_connections_beyond_the_limit_get_503_until_there_is_room(rig, upstream, limit):
    p = rig.proxy(upstream, limits={limit: 10})
    held = [p.client() for _ in range(10)]
    for c in held:
        assert c.request("GET", "/healthz").response().read()
    beyond = []
    for _ in range(50):
        with p.client() as c:
            c.send(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            try:
                beyond.append(c.response())
                assert beyond[-1].header("Retry-After") and beyond[-1].error["message"]
            except (Cut, OSError):
                pass
    assert {r.status for r in beyond} == {503} and len(beyond) >= 45
    for c in held[:5]:
        c.close()

    def is_served():
        with p.client() as c:
            try:
                return c.request("GET", "/healthz").response().status == 200
            except (Cut, OSError):
                return False
    wait_until(is_served, "room", 2)
    assert says_hello(ask(p, "chat", client=held[5]))


def test_too_many_streams_are_refused_until_one_ends(rig, upstream):
    gate = upstream.gate()
    upstream.script = [ROLE, token("a"), gate, token("b"), FINISH, DONE]
    p = rig.proxy(upstream, streams={"count": 3})
    running = [p.chat() for _ in range(3)]
    refused = p.chat()
    assert refused.status == 503 and refused.header("Retry-After") and refused.error["code"]
    gate.open()
    assert all(content(r.all_events()) == "ab" for r in running)
    assert content(p.chat().all_events()) == "ab"


def test_stream_ids_tell_nothing_and_never_come_twice(rig, upstream):
    p = rig.proxy(upstream)

    def make(number):
        with p.client() as c:
            ids = []
            for _ in range(100):
                r = ask(p, "text", client=c)
                r.read()
                ids.append(r.header("X-Stream-Id"))
            return ids

    rows = parallel(10, make)
    ids = sum(rows, [])
    assert len(set(ids)) == 1000
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{22,}", i) for i in ids)
    shared = max(len(os.path.commonprefix(pair)) for row in rows for pair in zip(row, row[1:]))
    assert shared <= 3


@pytest.mark.skipif(SANITIZED, reason="a build with sanitizers keeps what was freed")
def test_memory_and_files_stay_flat(rig, upstream):
    p = rig.proxy(upstream, streams={"keep": "0", "count": 50})

    def work(number):
        with p.client() as c:
            for turn in range(40):
                assert ask(p, ("chat", "text", "events")[turn % 3], client=c).read()

    parallel(8, work)
    files, rss = p.open_files, p.rss
    for _ in range(3):
        parallel(8, work)
    wait_until(lambda: p.open_files <= files + 8, "files to be closed", 2)  # some connections to the upstream stay
    assert p.rss - rss < 2 << 20


def test_logs_and_metrics_name_no_secrets_and_every_line_is_json(rig, upstream):
    p = rig.proxy(upstream)
    says_hello(p.chat({"Authorization": f"Bearer {CLIENT_KEY}"}))
    for target in (f"/ask?q={CANARY}&model=m", f"/nothing/{CANARY}", f"/ask?q=a&format={CANARY}"):
        p.get(target).read()
    p.post("/ask", CANARY.encode()).read()
    text = p.get("/metrics").read().decode()
    for name in ("sluice_requests_total", "sluice_streams_live", "sluice_streams_cancelled_total"):
        assert f"# TYPE {name}" in text
    assert CANARY not in text and CLIENT_KEY not in text
    with open(f"/proc/{p.pid}/cmdline", encoding="utf-8") as file:
        assert PROVIDER_KEY not in file.read()
    p.stop()
    for line in p.lines:
        entry = json.loads(line)
        assert entry["event"] and entry["level"] and entry["time"]
