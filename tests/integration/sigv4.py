"""Checks AWS's Signature Version 4 of a request as it came in, the way a service other than S3 does.

    verify(method, raw_path, query, headers, body, secret, region, service) -> None, or what is wrong

raw_path and query are those of the request line, still encoded. The path is encoded once more for the canonical
request: a %3A on the line is %253A there.
"""

import hashlib
import hmac
import re
from urllib.parse import quote, unquote

AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/]+)/(?P<date>\d{8})/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request, ?"
    r"SignedHeaders=(?P<signed>[a-z0-9;-]+), ?Signature=(?P<signature>[0-9a-f]{64})")


def _text(value):
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _joined(headers):
    """Names in small letters; values of equal names joined, with single spaces."""
    joined = {}
    for name, value in headers:
        name, value = _text(name).lower(), " ".join(_text(value).split())
        joined[name] = f"{joined[name]},{value}" if name in joined else value
    return joined


def _canonical_query(query):
    pairs = [pair.partition("=")[::2] for pair in query.split("&") if pair]
    encoded = sorted((quote(unquote(k), safe="-_.~"), quote(unquote(v), safe="-_.~")) for k, v in pairs)
    return "&".join(f"{k}={v}" for k, v in encoded)


def canonical_request(method, raw_path, query, headers, signed, body):
    given = _joined(headers)
    lines = [method, quote(raw_path or "/", safe="/-_.~"), _canonical_query(query)]
    lines += [f"{name}:{given[name]}" for name in signed]
    return "\n".join([*lines, "", ";".join(signed), hashlib.sha256(body).hexdigest()])


def signature(canonical, secret, time, region, service):
    scope = f"{time[:8]}/{region}/{service}/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", time, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = ("AWS4" + secret).encode()
    for step in [*scope.split("/"), text]:
        key = hmac.new(key, step.encode(), hashlib.sha256).digest()
    return key.hex()


def _fault_of_headers(given, signed, body):
    missing = [name for name in given if (name == "host" or name.startswith("x-amz-")) and name not in signed]
    if "host" not in given or missing:
        return f"not signed: {', '.join(missing or ['host'])}"
    if signed != sorted(signed) or any(name not in given for name in signed):
        return f"SignedHeaders {signed} are not headers of the request in order"
    digest = given.get("x-amz-content-sha256", hashlib.sha256(body).hexdigest())
    return None if digest == hashlib.sha256(body).hexdigest() else "x-amz-content-sha256 is not that of the body"


def verify(method, raw_path, query, headers, body, secret, region, service):
    given = _joined(headers)
    match = AUTHORIZATION.fullmatch(given.get("authorization", ""))
    if not match:
        return f"no signature in {given.get('authorization')!r}"
    time = given.get("x-amz-date", "")
    if not re.fullmatch(r"\d{8}T\d{6}Z", time) or time[:8] != match["date"]:
        return f"x-amz-date {time!r} does not go with the credential of {match['date']}"
    if (match["region"], match["service"]) != (region, service):
        return f"signed for {match['region']}/{match['service']}, not {region}/{service}"
    signed = match["signed"].split(";")
    fault = _fault_of_headers(given, signed, body)
    if fault:
        return fault
    canonical = canonical_request(method, raw_path, query, headers, signed, body)
    if signature(canonical, secret, time, region, service) != match["signature"]:
        return f"another signature than that of\n{canonical}"
    return None
