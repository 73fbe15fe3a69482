"""The programs of tests/load and tests/bench: clients by the thousand, and an upstream that keeps up with them. They
stand beside the program under test, built with the same sanitizers."""

import json
import os
import signal
import subprocess
import tempfile
import threading

from rig import BINARY, SANITIZER_REPORTS, environment

TESTS = os.path.join(os.path.dirname(BINARY), "tests")


def tool(name):
    path = os.path.join(TESTS, name)
    assert os.access(path, os.X_OK), f"{path} is not there: ninja -C {os.path.dirname(BINARY)} builds it"
    return path


class Tool:
    """A started one. Its output is lines of JSON."""

    def __init__(self, name, *args):
        self.name = name
        self._errors = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen([tool(name), *map(str, args)], env=environment(), stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=self._errors, text=True)

    @property
    def errors(self):
        self._errors.seek(0)
        return self._errors.read()

    def line(self):
        """The next line, read."""
        text = self.process.stdout.readline()
        assert text, f"{self.name} ended: {self.errors}"
        return json.loads(text)

    def end(self, timeout=300):
        """Waits for its end, but not for ever: what it reported last, and its exit status."""
        watchdog = threading.Timer(timeout, self.process.kill)
        watchdog.start()
        out = self.process.stdout.read()
        status = self.process.wait()
        watchdog.cancel()
        assert not any(report in self.errors for report in SANITIZER_REPORTS), self.errors
        assert out, f"{self.name} ended with {status} and without a report: {self.errors}"
        return json.loads(out.splitlines()[-1]), status

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self._errors.close()


class FastUpstream(Tool):
    """tests/bench/mock_upstream.c."""

    def __init__(self):
        super().__init__("bench/mock_upstream")
        self.url = f"http://127.0.0.1:{self.line()['port']}/v1"

    def counts(self):
        """Ends it: what it was asked."""
        self.process.send_signal(signal.SIGTERM)
        return self.end(20)[0]
