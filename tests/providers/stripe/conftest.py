"""Stripe's server as others play it (localstripe): a process beside the tests."""

import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import orjson
import pytest

KEY = "sk_test_4eC39HqLyjWDarjtT1zdp7dc"
STARTING = 30.0
TRIES = 3
# It keeps its book here and nowhere else; from scratch it is only written.
LEFT = Path("/tmp/localstripe.pickle")  # noqa: S108


class LocalStripe:
    """What a test asks of it directly, as Stripe's dashboard and bank would act."""

    def __init__(self, url):
        self.url = url

    def call(self, method, path, body=None):
        """Send JSON, which it takes as well as forms, and return what it answers."""
        request = urllib.request.Request(  # noqa: S310 - on this machine
            self.url + path,
            data=None if body is None else orjson.dumps(body),
            method=method,
            headers={"Authorization": f"Bearer {KEY}"},
        )
        with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
            content = answer.read()
        return orjson.loads(content) if content else None

    def answers(self):
        try:
            self.call("GET", "/v1/balance")
        except (urllib.error.URLError, ConnectionError):
            return False
        return True

    def send_webhooks_to(self, url, secret):
        body = {"url": url, "secret": secret}
        # One name for all tests: a webhook of the last one goes nowhere.
        self.call("POST", "/_config/webhooks/service", body)

    def made(self, kind, reference):
        """Return what the service made under a reference."""
        rows = self.call("GET", f"/v1/{kind}?limit=1000")["data"]
        return [row for row in rows if row["metadata"].get("reference") == reference]


@pytest.fixture(scope="session")
def localstripe():
    for _ in range(TRIES):
        process, played = _started()
        try:
            if _is_up(process, played):
                yield played
                return
        finally:
            process.kill()
            process.wait()
            LEFT.unlink(missing_ok=True)
    pytest.fail("localstripe does not start")


def _started():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "localstripe", "--from-scratch", "--port", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return process, LocalStripe(f"http://127.0.0.1:{port}")


def _is_up(process, played):
    """Wait for it; False where its port was taken by somebody else meanwhile."""
    until = time.monotonic() + STARTING
    while time.monotonic() < until and process.poll() is None:
        if played.answers():
            return True
        time.sleep(0.05)
    return False
