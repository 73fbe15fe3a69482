"""Requests to Bedrock as AWS looks at them: signed, or with a key."""

import pytest

from apis import APIS, AWS, ChatClient
from sigv4 import verify

MODELS = ["amazon.nova-lite", "anthropic.claude-3-sonnet-20240229-v1:0", "us.meta.llama3-1-70b-instruct-v1:0",
          "arn:aws:bedrock:eu-central-1:123456789012:inference-profile/eu.x-v1:0"]


@pytest.fixture(scope="module")
def upstream(shared_rig):
    return shared_rig.upstream()


@pytest.fixture(scope="module", params=[None, "the-session-token/+="], ids=["for good", "for a while"])
def options(request):
    return {**APIS["bedrock"].options, **({"session_token": request.param} if request.param else {})}


@pytest.fixture(scope="module")
def proxy(shared_rig, upstream, options):
    def of(name):
        return {"url": upstream.origin, **{k: v for k, v in {**options, **APIS[name].options}.items() if v is not None}}
    return shared_rig.proxy(upstreams={"bedrock": of("bedrock"), "bedrock_invoke": of("bedrock_invoke")},
                            secrets=(AWS["secret_key"], "the-session-token"))


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("api", ["bedrock", "bedrock_invoke"])
def test_a_request_is_signed(proxy, upstream, options, api, model):
    upstream.script = APIS[api].play("text")
    r = proxy.post("/v1/chat/completions", {**ChatClient.body(), "model": f"{api}/{model}"})
    ChatClient.read_stream(r.all_events()).check("text")
    asked = upstream.requests[-1]
    path, _, query = asked.target.partition("?")
    assert path.endswith("/converse-stream" if api == "bedrock" else "/invoke-with-response-stream")
    assert verify(asked.method, path, query, asked.headers, asked.body, AWS["secret_key"], AWS["region"], "bedrock") is None
    assert asked.header("x-amz-security-token") == options.get("session_token")


def test_a_key_needs_no_signature(rig, upstream):
    p = rig.proxy(upstreams={"b": {"api": "bedrock", "url": upstream.origin, "key": "bk-of-the-test"}})
    upstream.script = APIS["bedrock"].play("text")
    r = p.post("/v1/chat/completions", {**ChatClient.body(), "model": "amazon.nova-lite"})
    ChatClient.read_stream(r.all_events()).check("text")
    assert upstream.requests[-1].header("authorization") == "Bearer bk-of-the-test"
    assert upstream.requests[-1].header("x-amz-date") is None
