"""The wire vectors that an OpenAI-compatible upstream may send; tests/vectors/README.md says how they are read."""

import base64
import json
import pathlib

DIRECTORY = pathlib.Path(__file__).resolve().parent.parent / "vectors"
# The dialects of the vectors that upstreams of another API than OpenAI's speak, and how such an upstream is configured.
OTHERS = {"openai_responses": "openai_responses", "anthropic": "anthropic", "gemini": "gemini", "ollama": "ollama",
          "cohere_v2": "cohere", "bedrock_converse": "bedrock", "bedrock_invoke_anthropic": "bedrock_invoke"}
COMPATIBLE = ("openai_chat", "openai_completions", "vllm", "llamacpp", "lmstudio", "deepseek", "openrouter",
              "mistral", "groq", "azure")


def _piece(piece):
    if "repeat" in piece:
        return piece["repeat"].encode() * piece["count"]
    if "base64" in piece:
        return base64.b64decode(piece["base64"])
    return piece["text"].encode()


def body_of(case):
    if "body_parts" in case:
        return b"".join(map(_piece, case["body_parts"]))
    if case.get("encoding") == "base64":
        return base64.b64decode(case["body"])
    return case["body"].encode()


def expected_text(value):
    if isinstance(value, dict):
        return b"".join(map(_piece, value["parts"])).decode()
    return value


def load(names=COMPATIBLE):
    files = [DIRECTORY / "dialects" / f"{name}.json" for name in names] + [DIRECTORY / "quirks.json", DIRECTORY / "more.json"]
    cases = [c for f in files for c in json.loads(f.read_text())["cases"]]
    return [c for c in cases if c["dialect"] in names]


def cases(name):
    return json.loads((DIRECTORY / name).read_text())["cases"]
