"""An HTTP client on raw sockets: sends exactly the bytes it is given, takes responses apart as they come, and reads
event streams by the rules of the WHATWG."""

import json
import socket
import ssl
import struct
import time

# The key of the tests' upstreams: nobody but them may ever see it, so every byte a client reads is looked through.
PROVIDER_KEY = "pk-Zr7vQ2mXw9-secret"


class Cut(Exception):
    """The connection ended before the response did."""


class Client:
    """One connection. address: (host, port), or the path of a unix socket."""

    def __init__(self, address, tls=None, timeout=10, receive_buffer=None):
        self.address = address
        self.timeout = timeout
        is_unix = isinstance(address, str)
        family = socket.AF_UNIX if is_unix else socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.sock = socket.socket(family, socket.SOCK_STREAM)
        if receive_buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.sock.settimeout(timeout)
        self.sock.connect(address)
        if not is_unix:
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            self.sock = tls.wrap_socket(self.sock, server_hostname="localhost")
        self._inbox = b""
        self._tail = b""
        self.ended = None  # "fin" or "reset" once the server has closed

    @property
    def host(self):
        if isinstance(self.address, str):
            return "localhost"
        host, port = self.address
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    # sending

    def send(self, data):
        self.sock.sendall(data)

    def request(self, method, target, body=None, headers=(), version="1.1"):
        """Sends a request. A body that is not bytes goes as JSON. A header that is None is left out."""
        fields = {"Host": self.host}
        if body is not None:
            fields["Content-Type"] = "application/json"
            body = body if isinstance(body, bytes) else json.dumps(body).encode()
            fields["Content-Length"] = len(body)
        fields.update(dict(headers))
        lines = [f"{method} {target} HTTP/{version}"]
        lines += [f"{name}: {value}" for name, value in fields.items() if value is not None]
        self.send("\r\n".join([*lines, "", ""]).encode("latin-1") + (body or b""))
        return self

    # receiving

    def receive(self):
        """Some more bytes into the inbox. False at the end of the connection; socket.timeout when none come."""
        if self.ended:
            return False
        try:
            data = self.sock.recv(65536)
        except (ConnectionResetError, BrokenPipeError, ssl.SSLEOFError):
            self.ended = "reset"
            return False
        if not data:
            self.ended = "fin"
            return False
        seen = self._tail + data
        assert PROVIDER_KEY.encode() not in seen, "the provider's key was shown to a client"
        self._tail = seen[-len(PROVIDER_KEY):]
        self._inbox += data
        return True

    def take(self, n):
        while len(self._inbox) < n:
            if not self.receive():
                raise Cut(f"{self.ended} where {n} bytes were to come: {self._inbox!r}")
        data, self._inbox = self._inbox[:n], self._inbox[n:]
        return data

    def take_some(self):
        """What is there, at least a byte; b"" at the end."""
        if not self._inbox and not self.receive():
            return b""
        data, self._inbox = self._inbox, b""
        return data

    def take_until(self, mark):
        while mark not in self._inbox:
            if not self.receive():
                raise Cut(f"{self.ended} before {mark!r}: {self._inbox[-200:]!r}")
        data, self._inbox = self._inbox.split(mark, 1)
        return data

    def response(self, method="GET"):
        """The head of the next response that is not 1xx."""
        while True:
            r = Response(self, self.take_until(b"\r\n\r\n"), method)
            if r.status >= 200:
                return r

    def rest(self):
        """All bytes until the server closes."""
        pieces = []
        while self.receive():
            pieces.append(self._inbox)
            self._inbox = b""
        data, self._inbox = self._inbox, b""
        return b"".join([*pieces, data])

    # leaving

    def half_close(self):
        self.sock.shutdown(socket.SHUT_WR)

    def close(self):
        """FIN. What has come already is read first: else the kernel would send a RST."""
        self.sock.setblocking(False)
        try:
            while self.sock.recv(65536):
                pass
        except OSError:
            pass
        self.sock.close()

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()


class Response:
    def __init__(self, client, head, method):
        self.client = client
        lines = head.decode("latin-1").split("\r\n")
        self.version, status, *_ = lines[0].split(" ", 2)
        self.status = int(status)
        self.headers = [tuple(part.strip() for part in line.split(":", 1)) for line in lines[1:]]
        self.head_at = time.monotonic()
        self.complete = False  # the body came to its proper end
        self._bodyless = method == "HEAD" or self.status in (204, 304)
        self._pieces = self._read()

    def header(self, name):
        values = [v for n, v in self.headers if n.lower() == name.lower()]
        assert len(values) < 2, f"{name} comes twice"
        return values[0] if values else None

    def _read(self):
        """Gives the body in pieces as they come."""
        c = self.client
        length = self.header("Content-Length")
        if self._bodyless:
            pass
        elif self.header("Transfer-Encoding") == "chunked":
            while size := int(c.take_until(b"\r\n"), 16):
                yield c.take(size)
                assert c.take(2) == b"\r\n"
            assert c.take(2) == b"\r\n"
        elif length is not None:
            left = int(length)
            while left:
                data = c.take_some()
                if not data:
                    raise Cut(f"{c.ended}, {left} bytes before the end of the body")
                data, c._inbox = data[:left], data[left:] + c._inbox
                left -= len(data)
                yield data
        else:
            while data := c.take_some():
                yield data
        self.complete = True

    def pieces(self):
        """The rest of the body as it comes; Cut when the connection ends before it does."""
        return self._pieces

    def read(self):
        return b"".join(self._pieces)

    def read_until(self, mark):
        """Bytes up to and with the piece in which `mark` came."""
        data = b""
        for piece in self._pieces:
            data += piece
            if mark in data:
                return data
        raise AssertionError(f"no {mark!r} in {data!r}")

    @property
    def json(self):
        if not hasattr(self, "_json"):
            self._json = json.loads(self.read())
        return self._json

    @property
    def error(self):
        return self.json["error"]

    def events(self):
        """The events of the body as they come, each once however often this is called. The reader is kept as .sse."""
        if not hasattr(self, "sse"):
            self.sse = EventReader()
            self._events = self._read_events()
        return self._events

    def _read_events(self):
        for piece in self._pieces:
            yield from self.sse.feed(piece, time.monotonic())

    def all_events(self):
        return list(self.events())

    def next_event(self):
        return next(self.events())


class Event:
    def __init__(self, type, data, id, raw, at):
        self.type = type
        self.data = data
        self.id = id  # the last event id as a browser would have it
        self.raw = raw  # the bytes of the block, with its empty line
        self.at = at

    @property
    def json(self):
        return json.loads(self.data)

    @property
    def seq(self):
        """The number in an id of ours, "{stream}.{seq}"."""
        return int(self.id.rpartition(".")[2])

    def __repr__(self):
        return f"Event({self.type!r}, {self.data[:80]!r}, {self.id!r})"


class EventReader:
    """A browser's EventSource. UTF-8 is checked strictly: nothing of ours may need mending."""

    def __init__(self):
        self.retry = None
        self.blocks = []  # raw bytes of each block, those without data too
        self.last_id = ""
        self._at_start = True
        self._line = b""
        self._after_cr = False
        self._clear()

    def _clear(self):
        self._data, self._type, self._raw = None, "", b""

    @property
    def rest(self):
        """What stands behind the last empty line."""
        return self._raw + self._line

    def feed(self, data, at=None):
        if self._at_start and data:
            assert not data.startswith(b"\xef\xbb\xbf"), "a byte order mark"
            self._at_start = False
        events = []
        at_end = 0
        for i, byte in enumerate(data):
            if byte not in b"\r\n":
                self._after_cr = False
                continue
            if byte == 0x0a and self._after_cr:
                self._after_cr = False
                at_end = i + 1
                continue
            self._after_cr = byte == 0x0d
            line = self._line + data[at_end:i]
            self._raw += line + data[i:i + 1]
            self._line = b""
            at_end = i + 1
            event = self._end_line(line, at)
            if event:
                events.append(event)
        self._line += data[at_end:]
        return events

    def _end_line(self, line, at):
        if not line:
            return self._dispatch(at)
        if line.startswith(b":"):
            return None
        name, _, value = line.partition(b":")
        value = value[1:] if value.startswith(b" ") else value
        value = value.decode("utf-8", "strict")
        if name == b"event":
            self._type = value
        elif name == b"data":
            self._data = value if self._data is None else self._data + "\n" + value
        elif name == b"id" and "\0" not in value:
            self.last_id = value
        elif name == b"retry" and value.isascii() and value.isdigit():
            self.retry = int(value)
        return None

    def _dispatch(self, at):
        self.blocks.append(self._raw)
        event = None
        if self._data is not None:
            event = Event(self._type or "message", self._data, self.last_id, self._raw, at)
        self._clear()
        return event


def fields(block):
    """The lines of a raw block as [(name, value)]; a comment's name is ""."""
    lines = block.split(b"\n")
    assert lines[-2:] == [b"", b""] and b"\r" not in block, f"not a block that ends with one empty line: {block!r}"
    result = []
    for line in lines[:-2]:
        name, _, value = line.partition(b":")
        result.append((name.decode(), value.removeprefix(b" ")))
    return result
