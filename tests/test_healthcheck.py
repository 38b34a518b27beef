"""The health check of the image asks the process itself, on whichever port it has."""

import os
import subprocess
import sys
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from payment_service.playground.embedded.process import free_port


@contextmanager
def answering(status, host="127.0.0.1"):
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status if self.path == "/healthz" else 404)
            self.end_headers()

        def log_message(self, *_):
            pass

    with HTTPServer((host, 0), Answer) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield str(server.server_port)
        server.shutdown()


def asked(**env):
    ports = {"PAYMENT_METRICS_PORT": free_port(), "PAYMENT_HTTP_PORT": free_port()}
    given = {**os.environ, **{n: str(v) for n, v in ports.items()}, **env}
    command = [sys.executable, "-m", "payment_service.healthcheck"]
    done = subprocess.run(command, env=given, capture_output=True, check=False)
    assert done.stderr == b""
    return done.returncode


@pytest.mark.parametrize("port", ["PAYMENT_METRICS_PORT", "PAYMENT_HTTP_PORT"])
@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1), (404, 1)])
def test_it_tells_what_the_process_answers(port, status, code):
    with answering(status) as where:
        assert asked(**{port: where}) == code


def test_what_is_no_port_is_not_asked():
    # Kubernetes sets this beside a Service that is named payment-metrics.
    links = {"PAYMENT_METRICS_PORT": "tcp://10.0.0.1:9100"}
    with answering(200) as where:
        assert asked(PAYMENT_HTTP_PORT=where, **links) == 0


def test_nobody_there_is_not_well():
    assert asked() == 1


def test_it_asks_where_the_process_listens():
    with answering(200, host="127.0.0.2") as where:
        assert asked(PAYMENT_HTTP_PORT=where) == 1
        assert asked(PAYMENT_HTTP_PORT=where, PAYMENT_HTTP_HOST="127.0.0.2") == 0


@pytest.mark.parametrize("host", ["", "0.0.0.0"])  # noqa: S104 - what an image sets
def test_every_address_has_one_to_ask(host):
    with answering(200) as where:
        assert asked(PAYMENT_HTTP_PORT=where, PAYMENT_HTTP_HOST=host) == 0


def test_it_goes_past_a_proxy():
    proxy = {"http_proxy": "http://127.0.0.1:1", "HTTP_PROXY": "http://127.0.0.1:1"}
    with answering(200) as where:
        assert asked(PAYMENT_HTTP_PORT=where, **proxy) == 0
