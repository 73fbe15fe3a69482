"""The ways in which a client can ask for the same answer, and what came of it in each."""

from chunks import check_error, check_stream, check_blocks
from rig import bare_text, chat_body

STREAMS = ("chat", "events", "text")
WAYS = (*STREAMS, "whole")


def ask(proxy, way, headers=(), client=None):
    """Sends the request; the response with its head read. On `client` where one is given."""
    method, target, body = {
        "chat": ("POST", "/v1/chat/completions", chat_body()),
        "whole": ("POST", "/v1/chat/completions", chat_body(stream=False)),
        "events": ("GET", "/ask?format=events&model=m&q=why", None),
        "text": ("GET", "/ask?format=text&model=m&q=why", None),
    }[way]
    client = client or proxy.client()
    return client.request(method, target, body, headers).response(method)


class Outcome:
    """status; text; error, or None where the end was good; its code, where the format tells; partial likewise."""

    def __init__(self, response, way):
        self.status = response.status
        self.text, self.error, self.code, self.partial = "", None, None, None
        if self.status != 200:
            check_error(response.error)
            self.error, self.code = response.error, response.error["code"]
        else:
            getattr(self, f"_read_{way}")(response)

    def _read_chat(self, r):
        answer = check_stream(r, r.all_events())
        self.text, self.error = answer.text, answer.error
        if self.error:
            self.code, self.partial = self.error["code"], self.error.get("partial")

    def _read_events(self, r):
        events = r.all_events()
        assert r.complete
        check_blocks(r.sse.blocks, r.header("X-Stream-Id"), named=True)
        self.text = bare_text(events)
        assert [e.type for e in events if e.type in ("done", "failed")] == [events[-1].type], events
        if events[-1].type == "failed":
            self.error = events[-1].json["error"]
            self.code, self.partial = self.error["code"], events[-1].json["partial"]

    def _read_text(self, r):
        self.text = r.read().decode()
        assert r.complete
        lines = self.text.splitlines()
        # The tests' texts have no line of this kind.
        if lines and "error" in lines[-1]:
            assert self.text.endswith(lines[-1] + "\n")
            self.error = lines[-1]
            self.text = "\n".join(lines[:-1])

    def _read_whole(self, r):
        self.text = r.json["choices"][0]["message"]["content"]


def outcome(proxy, way, headers=(), client=None):
    return Outcome(ask(proxy, way, headers, client), way)
