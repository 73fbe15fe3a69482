"""The writer of event streams writes the bytes of the vectors."""

import base64
import json
from pathlib import Path

import pytest
from eventstream import message

CONVERSE = Path(__file__).parents[1] / "vectors" / "dialects" / "bedrock_converse.json"
BODIES = {case["name"]: base64.b64decode(case["body"]) for case in json.loads(CONVERSE.read_text())["cases"]}
START = b'{"p":"abcdefghijkl","role":"assistant"}'
HEADERS = {":event-type": "messageStart", ":content-type": "application/json", ":message-type": "event"}


def test_a_message_is_that_of_the_vectors():
    assert BODIES["bedrock_converse-text"].startswith(message(HEADERS, START))


@pytest.mark.parametrize("corrupt, differ", [("prelude", 8), ("message", 4), (20, 1)])
def test_a_corrupt_one_differs_only_there(corrupt, differ):
    good, bad = message(HEADERS, START), message(HEADERS, START, corrupt)
    assert len(good) == len(bad)
    assert 0 < sum(a != b for a, b in zip(good, bad)) <= differ
