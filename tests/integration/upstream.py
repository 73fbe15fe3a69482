"""A scripted upstream: an HTTP/1.1 server on raw sockets that plays what a test tells it to, and keeps
every request, and how and when each connection ended.

A script is a function of (request, reply), or a list of steps:

    bytes           body bytes, as they are; the head of an event stream goes out before the first of them
    Gate            wait until the test opens it
    function        called with the reply, such as reset or stall below

All waiting is on one condition per upstream: nothing polls, and nothing sleeps.
"""

import json
import os
import random
import select
import socket
import ssl
import struct
import threading
import time
from contextlib import contextmanager

CREATED = 1762512000


# --- what chat upstreams say ------------------------------------------------------------------------

def chunk(delta=None, finish=None, index=0, **more):
    """One chat completion chunk; members of `more` replace or add to its own."""
    choice = {"index": index, "delta": delta or {}, "logprobs": None, "finish_reason": finish}
    return {"id": "chatcmpl-7", "object": "chat.completion.chunk", "created": CREATED, "model": "m",
            "choices": [choice], **more}


def frame(data):
    """An SSE block with this JSON value, or with this text."""
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
    return f"data: {text}\n\n".encode("utf-8", "surrogatepass")


ROLE = frame(chunk({"role": "assistant", "content": ""}))
FINISH = frame(chunk(finish="stop"))
DONE = frame("[DONE]")
USAGE = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
USAGE_FRAME = frame({**chunk(), "choices": [], "usage": USAGE})


def token(text):
    return frame(chunk({"content": text}))


def answer(*texts, usage=False):
    """The frames of a whole good answer, as a list of bytes."""
    return [ROLE, *map(token, texts), FINISH, *([USAGE_FRAME] if usage else []), DONE]


def completion(text="hello", **more):
    """The body of an answer in one piece."""
    message = {"role": "assistant", "content": text}
    return {"id": "chatcmpl-7", "object": "chat.completion", "created": CREATED, "model": "m",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": USAGE, **more}


# --- cutting ----------------------------------------------------------------------------------------

def whole(data):
    return [data]


def byte_by_byte(data, edge=4096):
    """Single bytes; of a large body the middle in small pieces, for the sake of time."""
    if len(data) <= 64 * 1024:
        return [data[i:i + 1] for i in range(len(data))]
    middle = data[edge:-edge]
    return [*byte_by_byte(data[:edge]), *(middle[i:i + 61] for i in range(0, len(middle), 61)),
            *byte_by_byte(data[-edge:])]


def random_cuts(seed):
    def cut(data):
        rng = random.Random(seed)
        most = min(len(data) - 1, 40)
        at = sorted(rng.sample(range(1, len(data)), rng.randint(1, most))) if most > 0 else []
        return [data[a:b] for a, b in zip([0, *at], [*at, len(data)])]
    return cut


# --- the server -------------------------------------------------------------------------------------

class Gone(Exception):
    """The other side has closed, or the test is over: the script ends."""


class Gate:
    """Closed until the test opens it. Only for scripts of its upstream."""

    def __init__(self, upstream):
        self.upstream = upstream
        self.is_open = False

    def open(self):
        with self.upstream.changed:
            self.is_open = True
            self.upstream.changed.notify_all()


class Request:
    def __init__(self, connection, head, body):
        lines = head.split(b"\r\n")
        self.method, self.target, self.version = lines[0].decode().split(" ")
        self.headers = [tuple(part.strip() for part in line.split(b":", 1)) for line in lines[1:]]
        self.head = head
        self.body = body
        self.connection = connection
        self.at = time.monotonic()

    def values(self, name):
        return [v for n, v in self.headers if n.lower() == name.lower().encode()]

    def header(self, name):
        return next((v.decode() for v in self.values(name)), None)

    @property
    def json(self):
        return json.loads(self.body)


class Connection:
    """One accepted connection. A thread reads all the time, so that the end is seen at once; one plays the scripts."""

    def __init__(self, upstream, sock, number):
        self.upstream = upstream
        self.sock = sock
        self.number = number
        self.opened_at = time.monotonic()
        self.closed_at = None  # when the proxy closed its side, and how: "fin" or "reset"
        self.how = None
        self.sent = 0
        self.received = 0
        self.requests = []
        self._inbox = b""
        self._wake = os.eventfd(0, os.EFD_NONBLOCK)
        self._lock = threading.Lock()  # a TLS object is for one thread at a time
        self._over = False
        self.ended = False  # we have closed our side
        self._threads = [threading.Thread(target=self._serve, daemon=True)]
        self._threads[0].start()

    @property
    def closed(self):
        return self.closed_at is not None

    # reading

    def _read(self):
        poll = select.poll()
        poll.register(self.sock, select.POLLIN)
        poll.register(self._wake, select.POLLIN)
        while not self._over:
            poll.poll()
            if self._over:
                return
            how = None
            try:
                with self._lock:
                    data = self.sock.recv(65536)
                if not data:
                    how = "fin"
            except (BlockingIOError, ssl.SSLWantReadError):
                continue
            except OSError:
                data, how = b"", "reset"
            with self.upstream.changed:
                self._inbox += data
                self.received += len(data)
                self.upstream.changed.notify_all()
            if how:
                self._note_close(how)
                return

    def _note_close(self, how):
        with self.upstream.changed:
            if not self.closed:
                self.closed_at, self.how = time.monotonic(), how
            self.upstream.changed.notify_all()

    def wait(self, is_so, timeout=None):
        """Until is_so(). False when time is up; Gone when the other side closes first."""
        with self.upstream.changed:
            self.upstream.changed.wait_for(
                lambda: is_so() or self.closed or self._over or self.upstream.stopping, timeout)
            if is_so():
                return True
            if self.closed or self._over or self.upstream.stopping:
                raise Gone
            return False

    def _take(self, n):
        self.wait(lambda: len(self._inbox) >= n)
        data, self._inbox = self._inbox[:n], self._inbox[n:]
        return data

    def _take_until(self, mark):
        self.wait(lambda: mark in self._inbox)
        data, self._inbox = self._inbox.split(mark, 1)
        return data

    def _request(self):
        head = self._take_until(b"\r\n\r\n")
        request = Request(self, head, b"")
        if request.header("content-length"):
            request.body = self._take(int(request.header("content-length")))
        elif request.header("transfer-encoding") == "chunked":
            while size := int(self._take_until(b"\r\n"), 16):
                request.body += self._take(size)
                self._take(2)
            self._take_until(b"\r\n")
        return request

    # writing

    def write(self, data):
        view = memoryview(data)
        poll = select.poll()
        poll.register(self.sock, select.POLLOUT)
        poll.register(self._wake, select.POLLIN)
        while view:
            if self._over or self.upstream.stopping:
                raise Gone
            try:
                with self._lock:
                    n = self.sock.send(view)
                view = view[n:]
                self.sent += n
            except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
                poll.poll(1000)
            except OSError:
                self._note_close("reset")
                raise Gone from None

    # life

    def _serve(self):
        try:
            if self.upstream.tls:
                self.sock.settimeout(5)
                self.sock = self.upstream.tls.wrap_socket(self.sock, server_side=True)
            self.sock.setblocking(False)
            reader = threading.Thread(target=self._read, daemon=True)
            self._threads.append(reader)
            reader.start()
            if self.upstream.greet:
                self.upstream.greet(Reply(self, None))
            while not self._over:
                request = self._request()
                with self.upstream.changed:
                    self.requests.append(request)
                    self.upstream.requests.append(request)
                    self.upstream.changed.notify_all()
                self._play(request)
        except (Gone, OSError):
            pass
        finally:
            self.close()

    def _play(self, request):
        reply = Reply(self, request)
        script = self.upstream.script_for(request)
        if callable(script):
            script(request, reply)
        else:
            for step in script:
                reply.play(step)
        reply.end()

    def close(self, reset=False, notify=False):
        """notify: TLS's close_notify goes first. Once only."""
        with self.upstream.changed:
            if self._over:
                return
            self._over = True
            self.upstream.changed.notify_all()
        os.eventfd_write(self._wake, 1)
        if len(self._threads) > 1:
            self._threads[1].join()
        try:
            if reset:
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            elif notify:
                self.sock.setblocking(True)
                self.sock.settimeout(1)
                self.sock.unwrap()
        except (OSError, ValueError):
            pass
        self.sock.close()
        os.close(self._wake)
        with self.upstream.changed:
            self.ended = True
            self.upstream.changed.notify_all()


class Reply:
    """The response to one request, written piece by piece."""

    def __init__(self, connection, request):
        self.connection = connection
        self.request = request
        self.framing = None
        self.ended = False

    def raw(self, data):
        self.connection.write(data)

    def head(self, status=200, headers=(), framing="chunked", length=None, type="text/event-stream",
             reason="Because"):
        self.framing = framing
        lines = [f"HTTP/1.1 {status} {reason}"]
        if type:
            lines.append(f"Content-Type: {type}")
        lines += [f"{name}: {value}" for name, value in dict(headers).items()]
        lines.append({"chunked": "Transfer-Encoding: chunked", "close": "Connection: close",
                      "length": f"Content-Length: {length}"}[framing])
        self.raw("\r\n".join([*lines, "", ""]).encode())

    def body(self, data):
        if self.framing is None:
            self.head()
        if self.framing == "chunked" and data:
            data = b"%x\r\n%s\r\n" % (len(data), data)
        self.raw(data)

    def whole(self, data, status=200, type="application/json", headers=()):
        """A response in one piece."""
        data = data if isinstance(data, bytes) else json.dumps(data).encode()
        self.head(status, headers, "length", len(data), type)
        self.body(data)

    def end(self):
        """The end of the body, as its framing wants it. The connection stays, where it may."""
        if self.ended:
            return
        self.ended = True
        if self.framing is None:
            self.head()
        if self.framing == "chunked":
            self.raw(b"0\r\n\r\n")
        elif self.framing == "close":
            self.connection.close()

    def play(self, step):
        if isinstance(step, bytes):
            self.body(step)
        elif isinstance(step, Gate):
            self.connection.wait(lambda: step.is_open)
        else:
            step(self)

    def stall(self):
        """Says nothing more until the other side closes."""
        self.connection.wait(lambda: False)

    def silent(self, seconds):
        """Says nothing for that long."""
        self.connection.wait(lambda: False, seconds)

    def fin(self, notify=False):
        self.ended = True
        self.connection.close(notify=notify)
        raise Gone

    def reset(self):
        self.ended = True
        self.connection.close(reset=True)
        raise Gone


# Steps of list scripts.

def stall(reply):
    reply.stall()


def reset(reply):
    reply.reset()


def fin(reply):
    reply.fin()


def silent(seconds):
    return lambda reply: reply.silent(seconds)


def status(code, body=b"", type="application/json", headers=()):
    return [lambda reply: reply.whole(body, code, type, headers)]


def at_once(frames):
    """A stream whose last token and end come together."""
    return [lambda reply: reply.whole(b"".join(frames), type="text/event-stream")]


def json_answer(value, **headers):
    return [lambda reply: reply.whole(value, headers=headers)]


class Upstream:
    """script: for all requests; models: ids that GET /v1/models lists, None: 404."""

    def __init__(self, script=(), models=("m",), tls=None, greet=None):
        self.script = script
        self.models = models
        self.tls = tls
        self.greet = greet  # called with each new connection, before any request
        self.changed = threading.Condition()
        self.stopping = False
        self.requests = []
        self.connections = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self._listener.getsockname()[1]
        self.origin = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self.url = self.origin + "/v1"
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self):
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.changed:
                if self.stopping:
                    sock.close()
                    return
                self.connections.append(Connection(self, sock, len(self.connections)))
                self.changed.notify_all()

    def script_for(self, request):
        if request.method == "GET" and request.target == "/v1/models":
            if callable(self.models):
                return self.models
            if self.models is None:
                return status(404, {"error": {"message": "no such path"}})
            models = [{"id": m, "object": "model", "created": 1, "owned_by": "them"} for m in self.models]
            return json_answer({"object": "list", "data": models})
        return self.script

    def gate(self):
        return Gate(self)

    def until(self, is_so, what="the upstream's state", timeout=10):
        """Waits for a condition on what the upstream has seen."""
        with self.changed:
            assert self.changed.wait_for(is_so, timeout), f"waited {timeout} s in vain for {what}"

    @property
    def posts(self):
        return [r for r in self.requests if r.method == "POST"]

    @property
    def open_connections(self):
        return [c for c in self.connections if not c.closed]

    def stop(self):
        with self.changed:
            self.stopping = True
            self.changed.notify_all()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)
        for connection in list(self.connections):
            connection.close()


@contextmanager
def sink():
    """A listener that nobody should reach; gives a function that counts who did."""
    server = socket.create_server(("127.0.0.1", 0))
    server.setblocking(False)
    seen = []

    def count():
        while True:
            try:
                seen.append(server.accept())
            except BlockingIOError:
                return len(seen)

    count.port = server.getsockname()[1]
    try:
        yield count
    finally:
        count()
        for sock, _ in seen:
            sock.close()
        server.close()
