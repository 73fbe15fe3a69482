"""Fixtures: upstreams and proxies that are stopped, and looked at, when their test has ended."""

import ssl
import sys

import pytest

sys.dont_write_bytecode = True

from rig import Certificates, Proxy, config_for  # noqa: E402
from upstream import Upstream  # noqa: E402


class Rig:
    """Makes upstreams and proxies, and ends them."""

    def __init__(self, directories):
        self._directories = directories
        self._upstreams, self._proxies = [], []

    def upstream(self, *args, **more):
        u = Upstream(*args, **more)
        self._upstreams.append(u)
        return u

    def proxy(self, upstream=None, *, args=None, env=None, secrets=(), **config):
        """A proxy for this upstream; keywords are sections of its configuration."""
        return self.start(config_for(upstream, **config), args=args, env=env, secrets=secrets)

    def start(self, config=None, **more):
        p = Proxy(self._directories.mktemp("proxy"), config, **more)
        self._proxies.append(p)
        return p

    def forget(self, proxy):
        """It was killed by the test: nothing of its end is looked at."""
        self._proxies.remove(proxy)

    def end(self):
        failures = []
        for p in self._proxies:
            try:
                p.stop()
            except AssertionError as failure:
                failures.append(failure)
        for u in self._upstreams:
            u.stop()
        if failures:
            raise failures[0]


@pytest.fixture
def rig(tmp_path_factory):
    r = Rig(tmp_path_factory)
    yield r
    r.end()


@pytest.fixture(scope="module")
def shared_rig(tmp_path_factory):
    """For what all tests of a file use."""
    r = Rig(tmp_path_factory)
    yield r
    r.end()


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    return Certificates(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="session")
def server_tls(certificates):
    """For a TLS upstream."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.server, certificates.server_key)
    return context
