"""The proxy under test: started with a configuration of the test's, watched, and stopped with a look at how it
ended."""

import json
import os
import pathlib
import re
import signal
import subprocess
import threading
import time

from client import PROVIDER_KEY, Client

BINARY = os.path.abspath(os.environ.get("SLUICE", "build/sluice"))
CANARY = "canary-7c1f-prompt"  # stands in prompts: no log may ever hold it
CLIENT_KEY = "ck-Uh3kfE8d-of-the-client"

SANITIZER_REPORTS = ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "runtime error:",
                     "WARNING: ThreadSanitizer")


def _is_sanitized():
    try:
        data = pathlib.Path(BINARY).read_bytes()
    except OSError:
        return False
    return b"__asan_init" in data or b"__tsan_init" in data


# Memory and CPU of a build with sanitizers say nothing.
SANITIZED = _is_sanitized()


def wait_until(is_so, what, timeout=10):
    """Waits for a condition outside of us that cannot notify: looks again and again."""
    deadline = time.monotonic() + timeout
    while not is_so():
        assert time.monotonic() < deadline, f"waited {timeout} s in vain for {what}"
        time.sleep(0.01)


def merged(base, more):
    """None takes a key out."""
    result = {key: value for key, value in base.items() if more.get(key, value) is not None}
    for key, value in more.items():
        if value is None:
            continue
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = merged(result[key], value) if both else value
    return result


def config_for(upstream=None, **more):
    """A configuration with one upstream, "u", for all models. Sections in `more` are merged into it."""
    config = {"listen": ["127.0.0.1:0"], "timeouts": {"drain": "1s"}, "log": {"level": "debug"}}
    if upstream is not None:
        url = upstream if isinstance(upstream, str) else upstream.url
        config["upstreams"] = {"u": {"api": "openai", "url": url, "key": PROVIDER_KEY}}
        config["models"] = {"*": "u"}
    return merged(config, more)


def environment(**more):
    """Nothing of ours that sluice would look at."""
    clean = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "LANG", "TMPDIR")}
    clean["TSAN_OPTIONS"] = "report_thread_leaks=0 atexit_sleep_ms=0"  # a second signal ends all threads where they are
    clean.update({k: os.environ[k] for k in os.environ if k.endswith("SAN_OPTIONS")})
    return {**clean, **more}


def run(*args, env=None, timeout=20):
    """A start that ends by itself."""
    ended = subprocess.run([BINARY, *args], env=environment(**(env or {})), timeout=timeout,
                           capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert not any(report in ended.stderr for report in SANITIZER_REPORTS), ended.stderr
    return ended


class Proxy:
    def __init__(self, directory, config=None, args=None, env=None, secrets=()):
        self.config_file = pathlib.Path(directory) / "sluice.yaml"
        self.secrets = [PROVIDER_KEY, CLIENT_KEY, CANARY, *secrets]
        if config is not None:
            self.write_config(config)
            args = ["--config", str(self.config_file), *(args or [])]
        self.lines = []
        self.log = []  # those of the lines that are JSON, read
        self._changed = threading.Condition()
        self.process = subprocess.Popen([BINARY, *(args or [])], env=environment(**(env or {})),
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE)
        self.pid = self.process.pid
        self.ended = False
        self._reader = threading.Thread(target=self._collect, daemon=True)
        self._reader.start()
        self._stdout = []
        self._stdout_reader = threading.Thread(
            target=lambda: self._stdout.append(self.process.stdout.read()), daemon=True)
        self._stdout_reader.start()
        self._ending = False
        try:
            self.wait_log("listening")
            self.address = self.parse_address(self.logged("listening")[0]["address"])
        except AssertionError:
            self.kill()
            raise

    def write_config(self, config):
        text = config if isinstance(config, str) else json.dumps(config, indent=1)
        self.config_file.write_text(text)

    @staticmethod
    def parse_address(text):
        """(host, port), or the path of a unix socket."""
        if text.startswith("unix:"):
            return text.removeprefix("unix:")
        host, _, port = text.rpartition(":")
        return (host.strip("[]"), int(port))

    # the log

    def _collect(self):
        for line in self.process.stderr:
            text = line.decode("utf-8", "replace").rstrip("\n")
            with self._changed:
                self.lines.append(text)
                try:
                    entry = json.loads(text)
                    if isinstance(entry, dict):
                        self.log.append(entry)
                except ValueError:
                    pass
                self._changed.notify_all()
        with self._changed:
            self.ended = True
            self._changed.notify_all()

    def logged(self, event, **members):
        with self._changed:
            return [e for e in self.log
                    if e.get("event") == event and all(e.get(k) == v for k, v in members.items())]

    def wait_log(self, event, timeout=10, count=1, **members):
        """The newest of at least `count` such log lines."""
        with self._changed:
            self._changed.wait_for(
                lambda: len(self.logged(event, **members)) >= count or self.ended, timeout)
            found = self.logged(event, **members)
            assert len(found) >= count, f"no {event} {members} in the log:\n" + "\n".join(self.lines[-30:])
            return found[-1]

    # requests

    def client(self, **more):
        return Client(self.address, **more)

    def open(self, method, target, body=None, headers=(), version="1.1", **more):
        """A request on a connection of its own: the response, its body not read yet."""
        return self.client(**more).request(method, target, body, headers, version).response(method)

    def get(self, target, headers=(), **more):
        return self.open("GET", target, None, headers, **more)

    def post(self, target, body, headers=(), **more):
        return self.open("POST", target, body, headers, **more)

    def chat(self, headers=(), timeout=10, **members):
        """POST /v1/chat/completions; a member that is None is left out."""
        return self.post("/v1/chat/completions", chat_body(**members), headers, timeout=timeout)

    def is_alive(self):
        return self.process.poll() is None and self.get("/healthz").status == 200

    def metrics(self):
        text = self.get("/metrics").read().decode()
        return {name: float(value) for name, value in re.findall(r"^([^#\s]\S*) (\S+)$", text, re.M)}

    # the process

    def status(self, name):
        text = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(rf"^{name}:\s*(\d+)", text, re.M)[1])

    @property
    def rss(self):
        """Bytes."""
        return self.status("VmRSS") * 1024

    @property
    def cpu(self):
        """Seconds of CPU used so far, by all threads."""
        parts = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(parts[11]) + int(parts[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def open_files(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def signal(self, number):
        self._ending |= number in (signal.SIGTERM, signal.SIGINT)
        os.kill(self.pid, number)

    def wait(self, timeout=15):
        """The exit status."""
        status = self.process.wait(timeout)
        self._reader.join(5)
        self._stdout_reader.join(5)
        return status

    @property
    def stdout(self):
        """After the end."""
        return b"".join(self._stdout).decode()

    def stop(self):
        """Ends it, unless that is done already, and looks at what it leaves behind."""
        if self.process.poll() is None:
            if not self._ending:  # a second signal would cut it short
                self.signal(signal.SIGTERM)
            try:
                code = self.wait()
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.wait()
                raise AssertionError("still running 15 s after SIGTERM:\n" + self.tail()) from None
            assert code == 0, f"exit status {code} after SIGTERM:\n" + self.tail()
        else:
            code = self.wait()
            assert code >= 0, f"ended by signal {-code}:\n" + self.tail()
        self.check_output()

    def tail(self):
        """The end of the log, and all that is no log line: reports of sanitizers and assertions."""
        return "\n".join([*(line for line in self.lines if not line.startswith("{")), *self.lines[-20:]])

    def check_output(self):
        text = "\n".join(self.lines)
        assert not any(report in text for report in SANITIZER_REPORTS), text
        for secret in self.secrets:
            assert secret not in text, f"{secret} stands in the log"
            assert secret not in self.stdout

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.wait()


def chat_body(stream=True, **members):
    body = {"model": "m", "messages": [{"role": "user", "content": f"say something, {CANARY}"}],
            "stream": stream, **members}
    return {k: v for k, v in body.items() if v is not None}


def content(events):
    """The joined text of choice 0 in chat chunks; `[DONE]` and errors are passed over."""
    text = ""
    for e in events:
        if e.data == "[DONE]":
            continue
        for choice in e.json.get("choices", []):
            if choice["index"] == 0:
                text += choice.get("delta", {}).get("content") or ""
    return text


def bare_text(events):
    """The joined text of the unnamed events."""
    return "".join(e.data for e in events if e.type == "message")


def parallel(n, function):
    """Runs function(0) … function(n - 1) at once and gives their results; the first failure is raised."""
    results, failures = [None] * n, []

    def work(i):
        try:
            results[i] = function(i)
        except BaseException as failure:  # noqa: B036 - handed on below
            failures.append(failure)

    threads = [threading.Thread(target=work, args=(i,), daemon=True) for i in range(n)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(60)
        assert not t.is_alive(), "a client of the test hangs"
    if failures:
        raise failures[0]
    return results


# --- TLS --------------------------------------------------------------------------------------------

class Certificates:
    """A CA, a server certificate for localhost and 127.0.0.1, a client certificate; and a CA that nobody trusts."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.ca = self._ca("ca")
        self.other_ca = self._ca("other-ca")
        self.server, self.server_key = self._issue("server", "subjectAltName=DNS:localhost,IP:127.0.0.1")
        self.client, self.client_key = self._issue("client", "extendedKeyUsage=clientAuth")
        self.strange_client, self.strange_client_key = self._issue(
            "strange", "extendedKeyUsage=clientAuth", ca="other-ca")

    def path(self, name):
        return str(self.directory / name)

    def _openssl(self, *args):
        subprocess.run(["openssl", *args], check=True, capture_output=True, cwd=self.directory)

    def _ca(self, name):
        self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                      "-keyout", f"{name}.key", "-out", f"{name}.pem", "-days", "2", "-subj", f"/CN=test {name}")
        return self.path(f"{name}.pem")

    def _issue(self, name, extension, ca="ca"):
        self._openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                      "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        (self.directory / f"{name}.ext").write_text(extension + "\n")
        self._openssl("x509", "-req", "-in", f"{name}.csr", "-CA", f"{ca}.pem", "-CAkey", f"{ca}.key",
                      "-CAcreateserial", "-days", "2", "-out", f"{name}.pem", "-extfile", f"{name}.ext")
        return self.path(f"{name}.pem"), self.path(f"{name}.key")
