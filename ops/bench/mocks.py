"""The other side of the calls: constant answers in our wire form, as cheap as can be.

nginx gives them where it is installed; a small Python server stands in where it is not,
and the results say so.
"""

import shutil
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from socket import create_connection
from typing import Final

from payment_service.playground.embedded.process import (
    Command,
    ServerProcess,
    free_port,
)

HOST: Final = "127.0.0.1"
READY_SECONDS_MAX: Final = 10.0
STOP_SECONDS_MAX: Final = 5.0
MISSING: Final = (
    "nginx is not installed (Debian: apt-get install nginx-light); "
    "a slower Python server answers in its place"
)
REPOSITORY: Final = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Answer:
    """What every request below a path is answered."""

    path: str
    status: int
    body: str


ANSWERS: Final = (
    Answer("/core/", 200, '{"status":"ok"}'),
    Answer("/declines/", 422, '{"status":"declined","code":"do_not_honor"}'),
    Answer("/approves/", 200, '{"status":"succeeded","provider_reference":"r-1"}'),
    Answer("/accepts/", 202, '{"status":"accepted","provider_reference":"r-1"}'),
    Answer("/partner/", 200, '{"result":"eligible"}'),
    Answer("/services/", 200, '{"result":{"id":"s-1"}}'),
)
NGINX: Final = """\
daemon off;
master_process off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/nginx.error.log crit;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  keepalive_requests 10000000;
  keepalive_timeout 600s;
  default_type application/json;
  client_body_temp_path {folder}/nginx-body;
  proxy_temp_path {folder}/nginx-proxy;
  fastcgi_temp_path {folder}/nginx-fastcgi;
  uwsgi_temp_path {folder}/nginx-uwsgi;
  scgi_temp_path {folder}/nginx-scgi;
  server {{
    listen {host}:{port} backlog=4096;
{locations}
  }}
}}
"""


@dataclass(frozen=True, slots=True)
class Mocks:
    """Where the other side answers, and what answers there."""

    url: str
    made_by: str
    pid: int


@contextmanager
def answering(folder: Path) -> Iterator[Mocks]:
    """Answer every call until the block is left."""
    program = nginx_program()
    port = free_port()
    argv = _python(port) if program is None else _nginx(program, folder, port)
    process = ServerProcess(
        Command(
            name="mocks",
            argv=argv,
            log=folder / "mocks.log",
            stop_signal=signal.SIGTERM,
        )
    )
    try:
        process.wait_until(lambda: _listens(port), seconds=READY_SECONDS_MAX)
        yield Mocks(
            url=f"http://{HOST}:{port}",
            made_by="Python" if program is None else "nginx",
            pid=process.pid,
        )
    finally:
        process.stop(seconds=STOP_SECONDS_MAX)


def nginx_program() -> str | None:
    """Return where nginx is; Debian keeps it off the path of users."""
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/sbin")


def _nginx(program: str, folder: Path, port: int) -> tuple[str, ...]:
    locations = "\n".join(
        f"    location {a.path} {{ return {a.status} '{a.body}'; }}" for a in ANSWERS
    )
    file = folder / "nginx.conf"
    file.write_text(
        NGINX.format(folder=folder, host=HOST, port=port, locations=locations)
    )
    return (program, "-e", str(folder / "nginx.error.log"), "-c", str(file))


def _python(port: int) -> tuple[str, ...]:
    path = f"PYTHONPATH={REPOSITORY}"
    module = "ops.bench.mock_server"
    return ("/usr/bin/env", path, sys.executable, "-m", module, str(port))


def _listens(port: int) -> bool:
    try:
        create_connection((HOST, port), timeout=1.0).close()
    except OSError:
        time.sleep(0.02)
        return False
    return True
