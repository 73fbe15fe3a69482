"""The property of the stream log: whatever is cut, and whenever, whoever comes back gets the rest, nothing lost,
nothing twice, in order; and the upstream is asked once."""

import subprocess
import time
from contextlib import suppress

import pytest

from load import FastUpstream, Tool
from rig import SANITIZED

pytestmark = pytest.mark.alone

MANY = {"limits": {"connections": 12000, "per_address": 12000}}


@pytest.fixture
def fast_upstream():
    u = FastUpstream()
    yield u
    u.kill()


def play(p, *args, timeout=400, meanwhile=None):
    """Lets the viewers play against p: their report. `meanwhile` is called every half second."""
    viewers = Tool("load/cuts", "--port", p.address[1], *args)
    try:
        while meanwhile and viewers.process.poll() is None:
            meanwhile()
            with suppress(subprocess.TimeoutExpired):
                viewers.process.wait(0.5)
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
    assert report["cuts"] == cuts
    assert min(report["cut_by"].values()) > cuts // 3
    assert min(report["ways"].values()) > cuts // 1000, report["ways"]
    assert min(report["formats"].values()) > cuts // 20
    assert report["gone"] == report["viewers"], "each has heard at last that there is nothing more"
    assert p.metrics()["sluice_streams_live"] == 0
    assert fast_upstream.counts()["requests"] == report["streams"], "the upstream is asked once a stream"


def test_twenty_seconds_of_streams_with_some_that_come_and_go_leave_everything_flat(rig, fast_upstream):
    streams, rate, seconds = 100, 20, 20
    p = rig.proxy(fast_upstream, workers=2, log={"level": "warn"}, **MANY)
    samples = []

    def sample():
        samples.append((time.monotonic(), p.open_files, p.rss - p.metrics()["sluice_log_bytes"]))

    report = play(p, "--streams", streams, "--live", streams, "--viewers", 1, "--rate", rate, "--tokens",
                  rate * seconds, "--leavers", 10, "--cuts", 10**9, meanwhile=sample)
    assert report["streams"] == report["gone"] == streams and report["cuts"] > 50
    began = samples[0][0]
    steady = [s for s in samples if 5 < s[0] - began < seconds - 2]
    files = [s[1] for s in steady]
    # One that has left and one that comes stand beside each other for a moment.
    assert max(files) - min(files) <= 2 * streams // 10 + 4, files
    slope = (steady[-1][2] - steady[0][2]) / (steady[-1][0] - steady[0][0])
    assert SANITIZED or slope < 40 << 10, f"{slope:.0f} bytes a second beside the logs"
    assert fast_upstream.counts()["requests"] == streams
