"""docker-compose.yml, played: it comes up, moves money and stops, as its words say."""

import itertools
import json
import re
import subprocess
import time
from pathlib import Path

import pytest
import yaml

from payment_service.settings import ROLES
from tests.containers import images
from tests.containers.images import Played
from tests.containers.project import Project
from tests.containers.stage import ROOT

pytestmark = [pytest.mark.containers, pytest.mark.timeout(500)]

FILE = ROOT / "docker-compose.yml"
KEY_LINES = re.compile(r"^#   ((?:KEY=|export ).*)$", re.MULTILINE)
SCALE = re.compile(r"^#   docker compose up .* worker=(\d+)$", re.MULTILINE)
CURL_BODY = re.compile(
    r"^\$ curl -X POST \S+/v1/withdrawals [^{]*'(\{[^']*)'$", re.MULTILINE
)
WEBHOOKS_OF_ZETA = re.compile(
    r'^webhooks_total\{outcome="(\w+)",provider="zeta"\} [1-9]', re.MULTILINE
)
PUBLIC = "http://127.0.0.1:8000"
STOP_SECONDS_MAX = 10.0
SWIFT = "tok_sim:acme=decline,zeta=accept_then_succeed"


@pytest.fixture
def stand_ins(image, playground, base):
    """Return what plays each image; Prometheus is read and done for by the test."""
    return {
        "payment-service": Played(image),
        "payment-service-playground": Played(playground),
        "postgres:18.4": images.postgres(base, 18),
        "nats:2.15.1-alpine": images.nats(base),
        "prom/prometheus:v3.5.0": None,
    }


def test_it_comes_up_moves_money_and_stops(stand_ins, tmp_path):
    key, shell = _as_the_file_says()
    with Project(FILE, shell, stand_ins) as project:
        project.up(tmp_path, worker=_scale_of_the_file())
        project.await_health()

        _money_moves(project, key)
        _anchors_go_out(project)
        _commands_run(project)
        _prometheus_finds_all(project)

        ended_early = [c for c in project.containers if c.running.code not in (None, 0)]
        assert [c.running.said for c in ended_early] == []
        seen = [_network(c) for c in project.containers if c.running.code is None]
        codes = project.down()
        assert codes.pop("prometheus") == []
        assert {code for each in codes.values() for code in each} == {0}, codes
        slowest = max(c.running.stopped_within for c in project.containers)
        assert slowest < STOP_SECONDS_MAX
        assert not _networks_in_use() & set(seen)
        for container in project.containers:
            assert "Traceback" not in container.running.said, container.running.said


def _anchors_go_out(project):
    file, deadline = project.volume("anchors") / "anchors.jsonl", time.monotonic() + 60
    while not file.exists() or not file.read_bytes():
        assert time.monotonic() < deadline, "no anchor went out"
        time.sleep(0.1)
    assert json.loads(file.read_bytes().splitlines()[0])["n"] == 1


def _as_the_file_says():
    """Follow the comment of the file; return the key and what the shell exports."""
    lines = KEY_LINES.findall(FILE.read_text())
    assert len(lines) == 2
    script = "\n".join([*lines, 'echo "$KEY"', 'echo "$PAYMENT_API_KEYS"'])
    done = subprocess.run(
        ["sh", "-euc", script], capture_output=True, text=True, check=True
    )
    key, keys = done.stdout.split()
    return key, {"PAYMENT_API_KEYS": keys}


def _scale_of_the_file():
    [number] = SCALE.findall(FILE.read_text())
    return int(number)


def _money_moves(project, key):
    body = _body_of_the_readme()
    known = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    unknown = project.ask("POST", f"{PUBLIC}/v1/withdrawals", json.dumps(body))
    assert unknown.status == 401

    _submit(project, known, body)
    destination = {**body["destination"], "token": SWIFT}
    sure = {**body, "order_id": "w-sure", "destination": destination}
    _submit(project, known, sure)

    order = project.ask("GET", f"{PUBLIC}/v1/orders/w-sure?wait=60s", **known).json
    assert order["state"] == "COMPLETED", order
    states = {task["provider"]: task["state"] for task in order["tasks"]}
    assert states == {"acme": "SKIPPED", "zeta": "SUCCEEDED"}
    metrics = project.ask("GET", f"{PUBLIC}/metrics").body
    became = {*WEBHOOKS_OF_ZETA.findall(metrics)}
    assert {"stored"} <= became <= {"stored", "seen"}, became


def _body_of_the_readme():
    [body] = CURL_BODY.findall((ROOT / "README.md").read_text())
    return json.loads(body)


def _submit(project, known, body):
    answer = project.ask("POST", f"{PUBLIC}/v1/withdrawals", json.dumps(body), **known)
    assert answer.json["status"] == "accepted", answer


def _commands_run(project):
    [api] = project.of("api")
    for command in (("doctor",), ("verify", "--core", "--providers"), ("migrate",)):
        done = api.running.execute("payment-service", *command)
        assert done.returncode == 0, done.stdout


def _prometheus_finds_all(project):
    """Ask all that Prometheus would find for metrics, from where it would be."""
    settings = yaml.safe_load((ROOT / "ops/prometheus/prometheus.yml").read_text())
    asked = set()
    for job in settings["scrape_configs"]:
        for finding in job.get("dns_sd_configs", ()):
            assert finding["type"] == "A"
            for replica in itertools.chain(*map(project.of, finding["names"])):
                url = f"http://{replica.address}:{finding['port']}/metrics"
                assert "# TYPE" in project.ask("GET", url).body
                asked.add(replica)
    assert asked == {*itertools.chain(*map(project.of, ROLES))}


def _network(container):
    return Path(f"/proc/{container.running.pid}/ns/net").readlink()


def _networks_in_use():
    return {
        link.readlink()
        for link in Path("/proc").glob("[0-9]*/ns/net")
        if link.is_symlink()
    }
