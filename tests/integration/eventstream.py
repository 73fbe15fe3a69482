"""Messages of AWS's event streams, application/vnd.amazon.eventstream, for scripted upstreams."""

import base64
import json
import struct
from zlib import crc32

TYPE = "application/vnd.amazon.eventstream"


def _header(name, value):
    """A header; its type is that of the Python value."""
    name = name.encode()
    head = bytes([len(name)]) + name
    if isinstance(value, bool):
        return head + bytes([0 if value else 1])
    if isinstance(value, int):
        return head + b"\x05" + struct.pack(">q", value)
    kind, data = (b"\x06", value) if isinstance(value, bytes) else (b"\x07", value.encode())
    return head + kind + struct.pack(">H", len(data)) + data


def message(headers, payload=b"", corrupt=None):
    """One message. corrupt: "prelude" or "message", whose checksum is then wrong; or the offset of a byte that is."""
    block = b"".join(_header(name, value) for name, value in headers.items())
    lengths = struct.pack(">II", 16 + len(block) + len(payload), len(block))
    data = lengths + struct.pack(">I", crc32(lengths) ^ (corrupt == "prelude")) + block + payload
    data += struct.pack(">I", crc32(data) ^ (corrupt == "message"))
    if isinstance(corrupt, int):
        data = data[:corrupt] + bytes([data[corrupt] ^ 1]) + data[corrupt + 1:]
    return data


def _json(value):
    return json.dumps(value, ensure_ascii=False).encode()


def event(name, value, corrupt=None):
    return message({":event-type": name, ":content-type": "application/json", ":message-type": "event"},
                   _json(value), corrupt)


def exception(name, text, **more):
    return message({":exception-type": name, ":content-type": "application/json", ":message-type": "exception"},
                   _json({"message": text, **more}))


def error(code, text):
    """An error without a payload."""
    return message({":error-code": code, ":error-message": text, ":message-type": "error"})


def chunk(value):
    """One of a provider's own events, as InvokeModelWithResponseStream wraps it."""
    return event("chunk", {"bytes": base64.b64encode(_json(value)).decode(), "p": "abcdefgh"})


def converse(*texts, stop="end_turn", usage=None):
    """The messages of a whole good answer, as a list of bytes."""
    usage = usage or {"inputTokens": 11, "outputTokens": 7, "totalTokens": 18}
    deltas = [event("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": text}, "p": "abcd"})
              for text in texts]
    return [event("messageStart", {"role": "assistant", "p": "ab"}), *deltas,
            event("contentBlockStop", {"contentBlockIndex": 0}), event("messageStop", {"stopReason": stop}),
            event("metadata", {"usage": usage, "metrics": {"latencyMs": 512}})]
