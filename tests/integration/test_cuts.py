"""The property of the stream log: whatever is cut, and whenever, whoever comes back gets the rest, nothing lost, nothing
twice, in order; and the upstream is asked once."""

import json

import pytest

from load import FastUpstream, Tool
from rig import SANITIZED

MANY = {"limits": {"connections": 12000, "per_address": 12000}}


@pytest.fixture
def fast_upstream():
    u = FastUpstream()
    yield u
    u.kill()


def play(p, *args, timeout=400):
    """Lets the viewers play against p: their report."""
    viewers = Tool("load/cuts", "--port", p.address[1], *args)
    try:
        report, status = viewers.end(timeout)
    finally:
        viewers.kill()
    wrong = {name: report[name] for name in ("lost", "doubled", "disordered", "gaps", "errors") if report[name]}
    assert not wrong and status == 0, f"{wrong}, first: {report['first_failure']}"
    return report


def test_cut_at_random_viewers_get_everything_once_and_in_order(rig, fast_upstream):
    cuts = 5_000 if SANITIZED else 100_000
    p = rig.proxy(fast_upstream, workers=3, log={"level": "warn"}, **MANY,
                  streams={"memory": "1GiB", "keep": "5m" if SANITIZED else "30s"})
    report = play(p, "--cuts", cuts, "--live", 40 if SANITIZED else 150)
    print(json.dumps(report))
    assert report["cuts"] == cuts
    assert min(report["cut_by"].values()) > cuts // 3
    assert min(report["ways"].values()) > cuts // 1000, report["ways"]
    assert min(report["formats"].values()) > cuts // 20
    assert report["gone"] == report["viewers"], "each has heard at last that there is nothing more"
    assert p.metrics()["sluice_streams_live"] == 0
    assert fast_upstream.counts()["requests"] == report["streams"], "the upstream is asked once a stream"
