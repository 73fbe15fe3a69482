"""What each upstream API says for the same answer, and what a client of each API reads of it."""

import base64
import json

from upstream import CREATED, chunk, frame

TEXT = "Hello w\u00f6rld \U0001f600"
PIECES = ["Hello ", "w\u00f6rld", " \U0001f600"]
CALLS = [("get_weather", {"city": "Oslo"}), ("get_time", {"zone": "UTC"})]
THOUGHT = ["Hmm, ", "two."]
PROBLEM = "Overloaded for now"
OBJECT = ['{"city":', '"Oslo","days":[1,', '2]}']

# What every client is to read of a scenario, whatever the upstream's API.
EXPECTED = {
    "text": {"text": TEXT, "finish": "stop"},
    "object": {"text": "".join(OBJECT), "finish": "stop"},
    "tools": {"text": "Let me look.", "calls": CALLS, "finish": "tool_calls"},
    "reasoning": {"text": "2", "reasoning": "Hmm, two.", "finish": "stop"},
    "long": {"text": "Hello ", "finish": "length"},
    "error": {"text": "Hello ", "error": PROBLEM},
    "cut": {"text": "Hello ", "error": "*"},
}


def pieces_of(scenario):
    return {"text": PIECES, "object": OBJECT}.get(scenario, PIECES[:1])


def sse(data, name=None, end="\n"):
    head = f"event: {name}{end}" if name else ""
    return f"{head}data: {json.dumps(data, ensure_ascii=False)}{end}{end}".encode()


def named(data):
    return sse(data, data["type"])


# --- OpenAI -----------------------------------------------------------------------------------------

def openai(scenario):
    say = [frame(chunk({"role": "assistant", "content": ""}))]
    usage = frame({**chunk(), "choices": [], "usage": {
        "prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}})
    if scenario == "reasoning":
        say += [frame(chunk({"reasoning_content": t})) for t in THOUGHT] + [frame(chunk({"content": "2"}))]
    elif scenario == "tools":
        say += [frame(chunk({"content": "Let me look."}))]
        for i, (name, arguments) in enumerate(CALLS):
            text = json.dumps(arguments)
            say += [frame(chunk({"tool_calls": [{"index": i, "id": f"call_{i}", "type": "function",
                                                 "function": {"name": name, "arguments": ""}}]}))]
            say += [frame(chunk({"tool_calls": [{"index": i, "function": {"arguments": part}}]}))
                    for part in (text[:6], text[6:])]
    else:
        say += [frame(chunk({"content": t})) for t in pieces_of(scenario)]
    if scenario == "error":
        return [*say, frame({"error": {"message": PROBLEM, "type": "overloaded", "code": None}})]
    if scenario == "cut":
        return say
    finish = {"tools": "tool_calls", "long": "length"}.get(scenario, "stop")
    return [*say, frame(chunk(finish=finish)), usage, frame("[DONE]")]


# --- Anthropic --------------------------------------------------------------------------------------

def anthropic_events(scenario):
    yield {"type": "message_start", "message": {
        "id": "msg_7", "type": "message", "role": "assistant", "model": "m", "content": [], "stop_reason": None,
        "stop_sequence": None, "usage": {"input_tokens": 11, "output_tokens": 1}}}
    index = -1

    def block(start, deltas):
        nonlocal index
        index += 1
        yield {"type": "content_block_start", "index": index, "content_block": start}
        for delta in deltas:
            yield {"type": "content_block_delta", "index": index, "delta": delta}

    def stop():
        return {"type": "content_block_stop", "index": index}

    def text(pieces):
        return block({"type": "text", "text": ""}, [{"type": "text_delta", "text": t} for t in pieces])

    if scenario == "reasoning":
        yield from block({"type": "thinking", "thinking": "", "signature": ""},
                         [*({"type": "thinking_delta", "thinking": t} for t in THOUGHT),
                          {"type": "signature_delta", "signature": "c2ln"}])
        yield stop()
        yield from text(["2"])
    elif scenario == "tools":
        yield from text(["Let me look."])
        for i, (name, arguments) in enumerate(CALLS):
            yield stop()
            written = json.dumps(arguments)
            yield from block({"type": "tool_use", "id": f"toolu_{i}", "name": name, "input": {}},
                             [{"type": "input_json_delta", "partial_json": part}
                              for part in ("", written[:6], written[6:])])
    else:
        yield from text(pieces_of(scenario))
    if scenario == "error":
        yield {"type": "error", "error": {"type": "overloaded_error", "message": PROBLEM}}
    elif scenario != "cut":
        yield stop()
        reason = {"tools": "tool_use", "long": "max_tokens"}.get(scenario, "end_turn")
        yield {"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": None},
               "usage": {"output_tokens": 7}}
        yield {"type": "message_stop"}


def anthropic(scenario):
    return [named(e) for e in anthropic_events(scenario)]


# --- Responses --------------------------------------------------------------------------------------

def responses_events(scenario):
    shell = {"id": "resp_7", "object": "response", "created_at": CREATED, "model": "m", "status": "in_progress",
             "output": [], "error": None, "incomplete_details": None, "usage": None}
    yield {"type": "response.created", "response": shell}
    yield {"type": "response.in_progress", "response": shell}
    output = []

    def item(started, deltas, done):
        at = {"output_index": len(output)}
        yield {"type": "response.output_item.added", **at, "item": started}
        for delta in deltas:
            yield {**delta, "item_id": started["id"], **at}
        output.append(done)
        yield {"type": "response.output_item.done", **at, "item": done}

    def message(pieces):
        whole = {"type": "output_text", "text": "".join(pieces), "annotations": []}
        base = {"id": f"msg_{len(output)}", "type": "message", "role": "assistant"}
        at = {"content_index": 0}
        return item({**base, "status": "in_progress", "content": []}, [
            {"type": "response.content_part.added", **at, "part": {**whole, "text": ""}},
            *({"type": "response.output_text.delta", **at, "delta": t, "logprobs": []} for t in pieces),
            {"type": "response.output_text.done", **at, "text": whole["text"], "logprobs": []},
            {"type": "response.content_part.done", **at, "part": whole},
        ], {**base, "status": "completed", "content": [whole]})

    if scenario == "reasoning":
        thought = {"type": "summary_text", "text": "".join(THOUGHT)}
        at = {"summary_index": 0}
        yield from item({"id": "rs_0", "type": "reasoning", "summary": []}, [
            {"type": "response.reasoning_summary_part.added", **at, "part": {**thought, "text": ""}},
            *({"type": "response.reasoning_summary_text.delta", **at, "delta": t} for t in THOUGHT),
            {"type": "response.reasoning_summary_text.done", **at, "text": thought["text"]},
            {"type": "response.reasoning_summary_part.done", **at, "part": thought},
        ], {"id": "rs_0", "type": "reasoning", "summary": [thought]})
        yield from message(["2"])
    elif scenario == "tools":
        yield from message(["Let me look."])
        for i, (name, arguments) in enumerate(CALLS):
            text = json.dumps(arguments)
            base = {"id": f"fc_{i}", "type": "function_call", "call_id": f"call_{i}", "name": name}
            yield from item({**base, "arguments": "", "status": "in_progress"}, [
                *({"type": "response.function_call_arguments.delta", "delta": part}
                  for part in (text[:6], text[6:])),
                {"type": "response.function_call_arguments.done", "arguments": text, "name": name},
            ], {**base, "arguments": text, "status": "completed"})
    else:
        said = list(message(pieces_of(scenario)))
        yield from said[:3] if scenario in ("error", "cut") else said
    usage = {"input_tokens": 11, "input_tokens_details": {"cached_tokens": 0}, "output_tokens": 7,
             "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 18}
    if scenario == "error":
        yield {"type": "response.failed", "response": {
            **shell, "status": "failed", "error": {"code": "server_error", "message": PROBLEM}}}
    elif scenario == "long":
        yield {"type": "response.incomplete", "response": {
            **shell, "status": "incomplete", "output": output, "usage": usage,
            "incomplete_details": {"reason": "max_output_tokens"}}}
    elif scenario != "cut":
        yield {"type": "response.completed",
               "response": {**shell, "status": "completed", "output": output, "usage": usage}}


def responses(scenario):
    return [named({**e, "sequence_number": n}) for n, e in enumerate(responses_events(scenario))]


# --- Gemini -----------------------------------------------------------------------------------------

def gemini_chunks(scenario):
    def say(*parts, finish=None):
        candidate = {"content": {"parts": list(parts), "role": "model"}, "index": 0}
        if finish:
            candidate["finishReason"] = finish
        return {"candidates": [candidate], "modelVersion": "m", "responseId": "r7",
                "usageMetadata": {"promptTokenCount": 11, "candidatesTokenCount": 7, "totalTokenCount": 18}}

    if scenario == "reasoning":
        yield from (say({"text": t, "thought": True}) for t in THOUGHT)
        yield say({"text": "2"}, finish="STOP")
    elif scenario == "tools":
        yield say({"text": "Let me look."})
        yield say(*({"functionCall": {"name": name, "args": args}} for name, args in CALLS))
        yield say({"text": ""}, finish="STOP")
    elif scenario in ("text", "object"):
        *before, last = pieces_of(scenario)
        yield from (say({"text": t}) for t in before)
        yield say({"text": last}, finish="STOP")
    elif scenario == "long":
        yield say({"text": PIECES[0]}, finish="MAX_TOKENS")
    else:
        yield say({"text": PIECES[0]})
        if scenario == "error":
            yield {"error": {"code": 503, "message": PROBLEM, "status": "UNAVAILABLE"}}


def gemini(scenario):
    return [sse(c, end="\r\n") for c in gemini_chunks(scenario)]


def gemini_array(scenario):
    """What is sent where alt=sse is not understood."""
    said = [json.dumps(c, indent=1).encode() for c in gemini_chunks(scenario)]
    end = [] if scenario == "cut" else [b"\n]\n"]
    return [b"[" + said[0], *(b"\n,\r\n" + c for c in said[1:]), *end]


# --- Ollama -----------------------------------------------------------------------------------------

def ollama(scenario):
    def line(done=False, **more):
        message = {"role": "assistant", "content": "", **more.pop("message", {})}
        return json.dumps({"model": "m", "created_at": "2025-11-07T12:00:00Z", "message": message, "done": done,
                           **more}).encode() + b"\n"

    if scenario == "reasoning":
        say = [line(message={"thinking": t}) for t in THOUGHT] + [line(message={"content": "2"})]
    elif scenario == "tools":
        say = [line(message={"content": "Let me look."}),
               line(message={"tool_calls": [{"function": {"name": n, "arguments": a}} for n, a in CALLS]})]
    else:
        say = [line(message={"content": t}) for t in pieces_of(scenario)]
    if scenario == "error":
        return [*say, json.dumps({"error": PROBLEM}).encode() + b"\n"]
    if scenario == "cut":
        return say
    return [*say, line(True, done_reason="length" if scenario == "long" else "stop", prompt_eval_count=11,
                       eval_count=7)]


# --- Cohere -----------------------------------------------------------------------------------------

def cohere(scenario):
    say = [{"type": "message-start", "id": "co7", "delta": {"message": {
        "role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}}}]

    def content(kind, pieces, index=0):
        start = {"type": kind, kind: ""}
        return [{"type": "content-start", "index": index, "delta": {"message": {"content": start}}},
                *({"type": "content-delta", "index": index, "delta": {"message": {"content": {kind: t}}}}
                  for t in pieces),
                {"type": "content-end", "index": index}]

    if scenario == "reasoning":
        say += content("thinking", THOUGHT) + content("text", ["2"], 1)
    elif scenario == "tools":
        say += content("text", ["Let me look."])
        for i, (name, arguments) in enumerate(CALLS):
            text = json.dumps(arguments)

            def call(kind, function, **more):
                return {"type": kind, "index": i, "delta": {"message": {"tool_calls": {**more, "function": function}}}}
            say += [call("tool-call-start", {"name": name, "arguments": ""}, id=f"call_{i}", type="function"),
                    *(call("tool-call-delta", {"arguments": part}) for part in (text[:6], text[6:])),
                    {"type": "tool-call-end", "index": i}]
    else:
        say += content("text", pieces_of(scenario))
        if scenario in ("error", "cut"):
            say.pop()
    if scenario != "cut":
        reason = {"tools": "TOOL_CALL", "long": "MAX_TOKENS", "error": "ERROR"}.get(scenario, "COMPLETE")
        delta = {"finish_reason": reason, "usage": {"tokens": {"input_tokens": 11, "output_tokens": 7}}}
        if scenario == "error":
            delta["error"] = PROBLEM
        say.append({"type": "message-end", "delta": delta})
    return [named(e) for e in say]


# --- Bedrock ----------------------------------------------------------------------------------------

def event_message(name, payload, kind="event"):
    from eventstream import message
    return message({":message-type": kind, f":{kind}-type": name, ":content-type": "application/json"},
                   json.dumps(payload).encode())


def bedrock(scenario):
    say = [event_message("messageStart", {"role": "assistant", "p": "abc"})]
    index = -1

    def block(deltas, start=None):
        nonlocal index
        index += 1
        at = {"contentBlockIndex": index}
        if start:
            say.append(event_message("contentBlockStart", {**at, "start": start}))
        say.extend(event_message("contentBlockDelta", {**at, "delta": d}) for d in deltas)
        say.append(event_message("contentBlockStop", at))

    if scenario == "reasoning":
        block([*({"reasoningContent": {"text": t}} for t in THOUGHT), {"reasoningContent": {"signature": "c2ln"}}])
        block([{"text": "2"}])
    elif scenario == "tools":
        block([{"text": "Let me look."}])
        for i, (name, arguments) in enumerate(CALLS):
            text = json.dumps(arguments)
            block([{"toolUse": {"input": part}} for part in (text[:6], text[6:])],
                  {"toolUse": {"toolUseId": f"tooluse_{i}", "name": name}})
    else:
        block([{"text": t} for t in pieces_of(scenario)])
        if scenario in ("error", "cut"):
            say.pop()
    if scenario == "error":
        return [*say, event_message("throttlingException", {"message": PROBLEM}, "exception")]
    if scenario == "cut":
        return say
    reason = {"tools": "tool_use", "long": "max_tokens"}.get(scenario, "end_turn")
    return [*say, event_message("messageStop", {"stopReason": reason}),
            event_message("metadata", {"usage": {"inputTokens": 11, "outputTokens": 7, "totalTokens": 18},
                                       "metrics": {"latencyMs": 5}})]


def bedrock_invoke(scenario):
    return [event_message("chunk", {"bytes": base64.b64encode(json.dumps(e).encode()).decode(), "p": "ab"})
            for e in anthropic_events(scenario)]


class Api:
    """An upstream API: how it is configured, and what it says."""

    def __init__(self, script, type="text/event-stream", **options):
        self.script, self.type, self.options = script, type, options

    def play(self, scenario, cut=None):
        """A script for an upstream."""
        def say(request, reply):
            reply.head(type=self.type)
            for piece in self.script(scenario):
                for part in cut(piece) if cut else [piece]:
                    reply.body(part)
            if scenario == "cut":
                reply.fin()
        return say


AWS = {"key": None, "region": "eu-central-1", "access_key": "AKIDEXAMPLE",
       "secret_key": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}
EVENT_STREAM = "application/vnd.amazon.eventstream"
APIS = {
    "openai": Api(openai, api="openai"),
    "azure": Api(openai, api="azure"),
    "openai_responses": Api(responses, api="openai_responses"),
    "anthropic": Api(anthropic, api="anthropic"),
    "gemini": Api(gemini, api="gemini"),
    "gemini_array": Api(gemini_array, "application/json", api="gemini"),
    "ollama": Api(ollama, "application/x-ndjson", api="ollama"),
    "cohere": Api(cohere, api="cohere"),
    "bedrock": Api(bedrock, EVENT_STREAM, api="bedrock", **AWS),
    "bedrock_invoke": Api(bedrock_invoke, EVENT_STREAM, api="bedrock", operation="invoke", **AWS),
}

# --- what clients ask and read ----------------------------------------------------------------------

PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}}


class Answer:
    """What a client has read, whatever its API."""

    def __init__(self):
        self.text = self.reasoning = ""
        self.calls = []  # [name, text of the arguments]
        self.finish = self.error = self.usage = None
        self.ids = []

    def named_calls(self):
        return [(name, json.loads(arguments)) for name, arguments in self.calls]

    def check(self, scenario):
        expected = EXPECTED[scenario]
        assert self.text == expected["text"]
        assert self.reasoning == expected.get("reasoning", "")
        if "error" in expected:
            assert self.error and self.finish is None, (self.error, self.finish)
            if expected["error"] != "*":
                assert expected["error"] in self.error
            return
        assert self.error is None
        assert self.named_calls() == expected.get("calls", [])
        assert len(set(self.ids)) == len(self.ids) and all(self.ids)
        assert self.finish == expected["finish"]
        assert self.usage == (11, 7)


class ChatClient:
    path = "/v1/chat/completions"

    @staticmethod
    def body(stream=True, tools=False):
        body = {"model": "m", "messages": [{"role": "user", "content": "say something"}], "max_tokens": 100,
                "stream": stream}
        if stream:
            body["stream_options"] = {"include_usage": True}
        if tools:
            body["tools"] = [{"type": "function", "function": {"name": n, "parameters": PARAMETERS}} for n, _ in CALLS]
        return body

    @staticmethod
    def read_stream(events):
        a, calls, done = Answer(), {}, False
        for n, e in enumerate(events):
            assert not done and e.type == "message"
            if e.data == "[DONE]":
                done = True
                continue
            if "error" in e.json:
                a.error = e.json["error"]["message"]
                continue
            if e.json.get("usage"):
                a.usage = (e.json["usage"]["prompt_tokens"], e.json["usage"]["completion_tokens"])
            assert e.json["object"] == "chat.completion.chunk" and e.json["created"] and e.json["id"]
            for choice in e.json["choices"]:
                delta = choice["delta"]
                assert n > 0 or delta["role"] == "assistant"
                a.text += delta.get("content") or ""
                a.reasoning += delta.get("reasoning_content") or ""
                for call in delta.get("tool_calls", []):
                    if call["index"] not in calls:
                        calls[call["index"]] = [call["function"]["name"], ""]
                        assert call["type"] == "function"
                        a.ids.append(call["id"])
                    calls[call["index"]][1] += call["function"].get("arguments") or ""
                a.finish = choice["finish_reason"] or a.finish
        assert done
        assert sorted(calls) == list(range(len(calls)))
        a.calls = [calls[i] for i in sorted(calls)]
        return a

    @staticmethod
    def read_whole(body):
        a, message = Answer(), body["choices"][0]["message"]
        assert body["object"] == "chat.completion" and message["role"] == "assistant"
        a.text, a.reasoning = message["content"] or "", message.get("reasoning_content") or ""
        for call in message.get("tool_calls") or []:
            a.calls.append([call["function"]["name"], call["function"]["arguments"]])
            a.ids.append(call["id"])
        a.finish = body["choices"][0]["finish_reason"]
        a.usage = (body["usage"]["prompt_tokens"], body["usage"]["completion_tokens"])
        return a

    @staticmethod
    def error_of(body):
        return body["error"]["message"]


FINISH_OF_STOP = {"end_turn": "stop", "max_tokens": "length", "tool_use": "tool_calls", "refusal": "content_filter"}


class AnthropicClient:
    path = "/v1/messages"

    @staticmethod
    def body(stream=True, tools=False):
        body = {"model": "m", "max_tokens": 100, "messages": [{"role": "user", "content": "say something"}],
                "stream": stream}
        if tools:
            body["tools"] = [{"name": n, "input_schema": PARAMETERS} for n, _ in CALLS]
        return body

    @staticmethod
    def read_stream(events):
        a, blocks, opened, ended = Answer(), [], None, False
        started = False
        for e in events:
            data = e.json
            assert e.type == data["type"] and not ended
            if e.type == "ping":
                continue
            if e.type == "error":
                a.error, ended = data["error"]["message"], True
                assert data["error"]["type"]
            elif e.type == "message_start":
                assert not started and data["message"]["role"] == "assistant" and data["message"]["content"] == []
                assert isinstance(data["message"]["usage"]["input_tokens"], int)
                started = True
            elif e.type == "content_block_start":
                assert started and opened is None and data["index"] == len(blocks)
                opened = data["index"]
                blocks.append({**data["content_block"], "json": ""})
            elif e.type == "content_block_delta":
                assert data["index"] == opened
                block, delta = blocks[opened], data["delta"]
                if delta["type"] == "text_delta":
                    assert block["type"] == "text"
                    a.text += delta["text"]
                elif delta["type"] == "thinking_delta":
                    assert block["type"] == "thinking"
                    a.reasoning += delta["thinking"]
                elif delta["type"] == "input_json_delta":
                    block["json"] += delta["partial_json"]
            elif e.type == "content_block_stop":
                assert data["index"] == opened
                opened = None
            elif e.type == "message_delta":
                assert opened is None
                a.finish = FINISH_OF_STOP.get(data["delta"]["stop_reason"], data["delta"]["stop_reason"])
                a.usage = (data["usage"].get("input_tokens", 11), data["usage"]["output_tokens"])
            elif e.type == "message_stop":
                ended = True
            else:
                raise AssertionError(f"an event {e.type}")
        assert ended
        a.calls = [[b["name"], b["json"] or "{}"] for b in blocks if b["type"] == "tool_use"]
        a.ids = [b["id"] for b in blocks if b["type"] == "tool_use"]
        return a

    @staticmethod
    def read_whole(body):
        a = Answer()
        assert body["type"] == "message" and body["role"] == "assistant"
        for block in body["content"]:
            a.text += block.get("text", "")
            a.reasoning += block.get("thinking", "")
            if block["type"] == "tool_use":
                a.calls.append([block["name"], json.dumps(block["input"])])
                a.ids.append(block["id"])
        a.finish = FINISH_OF_STOP.get(body["stop_reason"])
        a.usage = (body["usage"]["input_tokens"], body["usage"]["output_tokens"])
        return a

    @staticmethod
    def error_of(body):
        assert body["type"] == "error" and body["error"]["type"]
        return body["error"]["message"]


class ResponsesClient:
    path = "/v1/responses"

    @staticmethod
    def body(stream=True, tools=False):
        body = {"model": "m", "input": "say something", "max_output_tokens": 100, "stream": stream}
        if tools:
            body["tools"] = [{"type": "function", "name": n, "parameters": PARAMETERS} for n, _ in CALLS]
        return body

    @classmethod
    def read_stream(cls, events):
        a, items, final = Answer(), {}, None
        for n, e in enumerate(events):
            data = e.json
            assert e.type == data["type"] and data["sequence_number"] == n and final is None
            kind = e.type.removeprefix("response.")
            if kind == "output_item.added":
                assert data["output_index"] == len(items)
                items[data["output_index"]] = {**data["item"], "json": ""}
            elif kind == "output_text.delta":
                a.text += data["delta"]
            elif kind in ("reasoning_summary_text.delta", "reasoning_text.delta"):
                a.reasoning += data["delta"]
            elif kind == "function_call_arguments.delta":
                items[data["output_index"]]["json"] += data["delta"]
            elif kind in ("completed", "incomplete", "failed"):
                final = data["response"]
            elif e.type == "error":
                a.error = data["message"]
        a.calls = [[i["name"], i["json"]] for i in items.values() if i["type"] == "function_call"]
        a.ids = [i["call_id"] for i in items.values() if i["type"] == "function_call"]
        assert final or a.error
        if final:
            whole = cls.read_whole(final)
            a.finish, a.usage, a.error = whole.finish, whole.usage, a.error or whole.error
            if not a.error:
                assert (whole.text, whole.reasoning, whole.calls) == (a.text, a.reasoning, a.calls)
        return a

    @staticmethod
    def read_whole(body):
        a = Answer()
        assert body["object"] == "response"
        for item in body["output"]:
            if item["type"] == "message":
                a.text += "".join(c.get("text", "") for c in item["content"])
            elif item["type"] == "reasoning":
                a.reasoning += "".join(s["text"] for s in item["summary"])
            elif item["type"] == "function_call":
                a.calls.append([item["name"], item["arguments"]])
                a.ids.append(item["call_id"])
        if body["status"] == "failed":
            a.error = body["error"]["message"]
        elif body["status"] == "incomplete":
            a.finish = {"max_output_tokens": "length"}.get(body["incomplete_details"]["reason"])
        else:
            a.finish = "tool_calls" if a.calls else "stop"
        if body["usage"]:
            a.usage = (body["usage"]["input_tokens"], body["usage"]["output_tokens"])
        return a

    @staticmethod
    def error_of(body):
        return body["error"]["message"]


CLIENTS = {"chat": ChatClient, "anthropic": AnthropicClient, "responses": ResponsesClient}


def recorded():
    """All of it as data, for tests in other languages: {api: {type, options, say: {scenario: [base64]}}}."""
    return {name: {"type": api.type, "options": {k: v for k, v in api.options.items() if v is not None},
                   "say": {scenario: [base64.b64encode(piece).decode() for piece in api.script(scenario)]
                           for scenario in EXPECTED}}
            for name, api in APIS.items()}


if __name__ == "__main__":
    print(json.dumps(recorded()))
