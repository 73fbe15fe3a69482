"""Requests to Bedrock as AWS looks at them: signed, or with a key."""

import json

import pytest

from apis import APIS, AWS, ChatClient
from sigv4 import verify

MODELS = ["amazon.nova-lite", "anthropic.claude-3-sonnet-20240229-v1:0", "us.meta.llama3-1-70b-instruct-v1:0",
          "arn:aws:bedrock:eu-central-1:123456789012:inference-profile/eu.x-v1:0"]


LONG_TOKEN = "IQoJb3JpZ2luX2VjE/" + "".join(f"{i}+/" for i in range(1000)) + "=="  # of STS they have kilobytes


def fault_of_signature(asked):
    path, _, query = asked.target.partition("?")
    return verify(asked.method, path, query, asked.headers, asked.body, AWS["secret_key"], AWS["region"], "bedrock")


@pytest.fixture(scope="module")
def upstream(shared_rig):
    return shared_rig.upstream()


@pytest.fixture(scope="module", params=[None, "the-session-token/+=", LONG_TOKEN],
                ids=["for good", "for a while", "of kilobytes"])
def options(request):
    return {**APIS["bedrock"].options, **({"session_token": request.param} if request.param else {})}


@pytest.fixture(scope="module")
def proxy(shared_rig, upstream, options):
    def of(name):
        return {"url": upstream.origin, **{k: v for k, v in {**options, **APIS[name].options}.items() if v is not None}}
    return shared_rig.proxy(upstreams={"bedrock": of("bedrock"), "bedrock_invoke": of("bedrock_invoke")},
                            secrets=(AWS["secret_key"], "the-session-token", LONG_TOKEN[:40]))


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("api", ["bedrock", "bedrock_invoke"])
def test_a_request_is_signed(proxy, upstream, options, api, model):
    upstream.script = APIS[api].play("text")
    r = proxy.post("/v1/chat/completions", {**ChatClient.body(), "model": f"{api}/{model}"})
    ChatClient.read_stream(r.all_events()).check("text")
    asked = upstream.requests[-1]
    assert asked.target.endswith("/converse-stream" if api == "bedrock" else "/invoke-with-response-stream")
    assert fault_of_signature(asked) is None
    assert asked.header("x-amz-security-token") == options.get("session_token")


def test_a_key_needs_no_signature(rig, upstream):
    p = rig.proxy(upstreams={"b": {"api": "bedrock", "url": upstream.origin, "key": "bk-of-the-test"}})
    upstream.script = APIS["bedrock"].play("text")
    r = p.post("/v1/chat/completions", {**ChatClient.body(), "model": "amazon.nova-lite"})
    ChatClient.read_stream(r.all_events()).check("text")
    assert upstream.requests[-1].header("authorization") == "Bearer bk-of-the-test"
    assert upstream.requests[-1].header("x-amz-date") is None


@pytest.mark.parametrize("change", [
    lambda url: url.replace("127.0.0.1", "LocalHost"), lambda url: url.replace("127.0.0.1", "127.1"),
    lambda url: url + "/a%2fb", lambda url: url + "/a/../b", lambda url: url + "/a//b", lambda url: url + "/a'(b)*,;=@",
], ids=["capitals", "short address", "encoded", "dots", "empty", "characters"])
def test_what_goes_out_is_what_was_signed_whatever_the_base(rig, upstream, change):
    url = change(upstream.origin)
    p = rig.proxy(upstreams={"b": {**APIS["bedrock"].options, "url": url}}, models={"*": "b"})
    upstream.script = APIS["bedrock"].play("text")
    r = p.post("/v1/chat/completions", {**ChatClient.body(), "model": MODELS[1]})
    ChatClient.read_stream(r.all_events()).check("text")
    asked = upstream.requests[-1]
    assert fault_of_signature(asked) is None
    assert "http://" + asked.header("host") + asked.target.partition("/model/")[0] == url
    assert len(asked.values("host")) == 1


@pytest.mark.parametrize("status", [400, 403, 500])
@pytest.mark.parametrize("before", [0, 160, 185, 4070], ids=["whole", "cut in words", "cut early", "cut in a message"])
def test_what_signs_is_told_to_nobody_when_the_upstream_repeats_it(rig, upstream, status, before):
    """Error messages are cut: the cut may go through a secret."""
    signers = {"access_key": AWS["access_key"], "secret_key": AWS["secret_key"], "session_token": LONG_TOKEN}
    starts = [value[:12] for value in signers.values()]
    p = rig.proxy(upstreams={"b": {**APIS["bedrock"].options, "url": upstream.origin, **signers}}, models={"*": "b"},
                  secrets=starts)
    for secret in signers.values():
        for text in ("x" * before + secret, json.dumps({"message": "x" * before + secret})):
            upstream.script = lambda request, reply, text=text: reply.whole(text.encode(), status=status)
            r = p.post("/v1/chat/completions", {**ChatClient.body(), "model": MODELS[0]})
            answer = r.read().decode()
            assert json.loads(answer)["error"]["message"]
            assert not any(start in answer for start in starts)
