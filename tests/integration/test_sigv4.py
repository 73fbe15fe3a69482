"""The check of AWS's signatures, by the examples that AWS publishes."""

import pytest
from sigv4 import verify

SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
TIME = "20150830T123600Z"
FORM = ("Content-Type", "application/x-www-form-urlencoded")
FORM_UTF8 = ("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")

# name: service, method, path, query, more headers, body, signature
EXAMPLES = {
    "get-vanilla": ("service", "GET", "/", "", [], b"",
                    "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
    "get-vanilla-query-order": ("service", "GET", "/", "Param2=value2&Param1=value1", [], b"",
                                "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"),
    "post-vanilla": ("service", "POST", "/", "", [], b"",
                     "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
    "post-form": ("service", "POST", "/", "", [FORM], b"Param1=value1",
                  "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"),
    "list-users": ("iam", "GET", "/", "Action=ListUsers&Version=2010-05-08", [FORM_UTF8], b"",
                   "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"),
}


def arguments(name, **changed):
    service, method, path, query, more, body, signature = EXAMPLES[name]
    host = "iam.amazonaws.com" if service == "iam" else "example.amazonaws.com"
    headers = [*more, ("Host", host), ("X-Amz-Date", TIME)]
    signed = ";".join(sorted(key.lower() for key, _ in headers))
    credential = f"AKIDEXAMPLE/20150830/us-east-1/{service}/aws4_request"
    headers.append(("Authorization", f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={signed}, "
                                     f"Signature={signature}"))
    return {"method": method, "raw_path": path, "query": query, "headers": headers, "body": body,
            "secret": SECRET, "region": "us-east-1", "service": service, **changed}


@pytest.mark.parametrize("name", EXAMPLES)
def test_published_examples_are_good(name):
    assert verify(**arguments(name)) is None


@pytest.mark.parametrize("changed", [
    {"method": "PUT"}, {"raw_path": "/x"}, {"query": "a=b"}, {"body": b"x"}, {"secret": "x"}, {"region": "x"},
    {"service": "x"}, {"headers": []},
    {"headers": [*arguments("get-vanilla")["headers"], ("X-Amz-Security-Token", "not signed")]},
])
def test_whatever_is_changed_is_noticed(changed):
    assert verify(**arguments("get-vanilla", **changed))


def test_bytes_and_spaces_in_headers_are_the_same_as_text():
    headers = [(name.encode(), f" {value} ".encode()) for name, value in arguments("get-vanilla")["headers"]]
    assert verify(**arguments("get-vanilla", headers=headers)) is None
