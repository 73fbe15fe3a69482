"""What the OpenAI SDKs make of a stream, and what they break on: each rule of ChunkChecker is something over which one
of them, or more, was seen to stumble."""

import json

from client import fields

USAGE_NAMES = ("prompt_tokens", "completion_tokens", "total_tokens", "cached_tokens", "cache_write_tokens",
               "reasoning_tokens")


class Answer:
    """What a reader has collected when the stream has ended."""

    def __init__(self):
        self.text, self.reasoning, self.refusal = "", "", ""
        self.tool_calls = []
        self.finish_reason = None
        self.usage = None
        self.error = None
        self.other_choices = {}
        self.done = 0
        self.data_after_done = False
        self._tools = {}

    # choices

    def _add_tools(self, calls):
        for call in calls:
            known = self._tools.get(call["index"])
            if known is None:
                known = self._tools[call["index"]] = {"id": call["id"], "name": "", "arguments": ""}
                self.tool_calls.append(known)
            function = call.get("function") or {}
            known["name"] = known["name"] or function.get("name") or ""
            known["arguments"] += function.get("arguments") or ""

    def _add_delta(self, delta):
        self.text += delta.get("content") or ""
        self.reasoning += delta.get("reasoning_content") or delta.get("reasoning") or ""
        self.refusal += delta.get("refusal") or ""
        self._add_tools(delta.get("tool_calls") or [])

    def add_chunk(self, chunk):
        for choice in chunk["choices"]:
            text = choice.get("text") or ""
            delta = choice.get("delta") or {}
            if choice["index"] != 0:
                other = self.other_choices.setdefault(str(choice["index"]), {"text": ""})
                other["text"] += delta.get("content") or text
                continue
            self.text += text
            self._add_delta(delta)
            self.finish_reason = choice.get("finish_reason") or self.finish_reason
        groq = (chunk.get("x_groq") or {}).get("usage")
        for usage in (groq, chunk.get("usage")):
            if usage:
                self.usage = merged_usage(self.usage, normal_usage(usage))

    def add(self, event):
        self.data_after_done |= self.done > 0
        if event.data == "[DONE]":
            self.done += 1
            return
        value = event.json
        if "error" in value:
            self.error = value["error"]
        else:
            self.add_chunk(value)

    @property
    def joined_text(self):
        """With the halves of surrogate pairs that came apart put together."""
        return self.text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def normal_usage(usage):
    prompt = usage.get("prompt_tokens_details") or {}
    completion = usage.get("completion_tokens_details") or {}
    cached = prompt.get("cached_tokens")
    return {"prompt_tokens": usage.get("prompt_tokens"), "completion_tokens": usage.get("completion_tokens"),
            "total_tokens": usage.get("total_tokens"),
            "cached_tokens": usage.get("prompt_cache_hit_tokens") if cached is None else cached,
            "cache_write_tokens": prompt.get("cache_write_tokens"),
            "reasoning_tokens": completion.get("reasoning_tokens")}


def merged_usage(old, new):
    if old is None:
        return new
    return {name: old[name] if new[name] is None else new[name] for name in USAGE_NAMES}


def read(events):
    answer = Answer()
    for e in events:
        answer.add(e)
    return answer


def check_error(error):
    """An error object, in a frame or as a body, that all SDKs understand."""
    assert isinstance(error, dict)
    assert isinstance(error["message"], str) and error["message"]
    assert isinstance(error["type"], str) and error["type"]
    assert error["code"] is None or isinstance(error["code"], str)
    assert error["param"] is None or isinstance(error["param"], str)


class ChunkChecker:
    """Looks at each chunk of one stream."""

    def __init__(self):
        self._roles = {}
        self._tools = {}

    def check(self, value):
        assert isinstance(value, dict), value
        if "error" in value:
            check_error(value["error"])
            return
        assert isinstance(value.get("choices"), list), f"no choices in {value}"
        assert not isinstance(value.get("created"), str), value
        for choice in value["choices"]:
            self._check_choice(choice)

    def _check_choice(self, choice):
        index = choice.get("index")
        assert type(index) is int, f"no index in {choice}"
        for token in (choice.get("logprobs") or {}).get("content") or []:
            assert not isinstance(token, dict) or isinstance(token["top_logprobs"], list), token
        delta = choice.get("delta")
        if "text" in choice:
            return
        assert delta is None or isinstance(delta, dict), choice
        self._check_delta(index, delta or {})

    def _check_delta(self, index, delta):
        if "role" in delta:
            assert delta["role"] == "assistant", f"role {delta['role']!r}"
        self._roles[index] = self._roles.get(index) or delta.get("role")
        assert delta.get("content") is None or isinstance(delta["content"], str), delta
        calls = delta.get("tool_calls")
        assert calls is None or isinstance(calls, list), delta
        for call in calls or []:
            self._check_tool(self._tools.setdefault(index, []), call)

    @staticmethod
    def _check_tool(known, call):
        assert type(call.get("index")) is int, f"no index in {call}"
        assert "type" not in call or call["type"] == "function", call
        if call["index"] not in known:
            assert call["index"] == len(known), f"tool indexes are not dense: {call}"
            known.append(call["index"])
            assert call.get("type") == "function", f"no type in {call}"
            assert isinstance(call["id"], str) and call["id"], call
            assert isinstance(call["function"]["name"], str) and call["function"]["name"], call

    def check_end(self):
        missing = [index for index, role in self._roles.items() if not role]
        assert not missing, f"no role ever in choices {missing}"


def check_blocks(blocks, stream_id, named=False):
    """The raw blocks of a stream of ours: each has data, its id and retry beside it, and nothing of another kind."""
    last = 0
    for number, block in enumerate(blocks):
        names = [name for name, _ in fields(block)]
        values = dict(fields(block))
        allowed = {"", "id", "retry", "data", *(["event"] if named else [])}
        assert set(names) <= allowed, block
        assert "data" in names, f"a block without data: {block!r}"
        assert all(names.count(name) <= 1 for name in ("id", "retry", "event")), block
        if "id" in values:
            stream, _, seq = values["id"].decode().rpartition(".")
            assert stream == stream_id and int(seq) > last, f"id {values['id']} behind {last}"
            last = int(seq)
        if "retry" in values:
            assert number == 0, "retry later than in the first block"
            assert 1000 <= int(values["retry"]) <= 5000


def check_stream(response, events):
    """All that holds for any stream on an OpenAI route, read to its end. Gives what was in it."""
    assert response.status == 200, response.status
    assert response.complete, "the body did not end properly"
    check_blocks(response.sse.blocks, response.header("X-Stream-Id"))
    assert response.sse.rest == b"", "something behind the last block"
    checker = ChunkChecker()
    for e in events:
        assert e.type == "message"
        assert e.data.strip() and "\n" not in e.data, f"not one line: {e.data!r}"
        if e.data != "[DONE]":
            checker.check(json.loads(e.data))
    answer = read(events)
    if answer.error is None:
        checker.check_end()
    assert answer.done == 1 and not answer.data_after_done, f"[DONE] came {answer.done} times"
    return answer
