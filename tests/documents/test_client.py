"""A client that is generated from the OpenAPI document drives the service."""

import importlib
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from payment_service.cli import spec
from tests.api.promised import document
from tests.documents.tools import leave_out
from tests.service.stage import KEYS, SERVICES, staged
from tests.service.test_contradictions import deliver, saying

ROOT = Path(__file__).parents[2]
MAKER = ROOT / ".venv/client/bin/openapi-python-client"
DRIVER = Path(__file__).parent / "upstream.py"
NAME = "payment_service_client"
SECONDS_MAX = 240  # a deadline that only ends what would hang
MONEY = b'"amount": 12550, "currency": "EUR"'


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    """Return the folder with a client, made as anybody would make it."""
    if not MAKER.exists():
        leave_out("the generator is not installed: `make documents` does so")
    folder = tmp_path_factory.mktemp("client")
    (folder / "openapi.json").write_text(json.dumps(document()))
    (folder / "config.yaml").write_text("post_hooks: []\n")
    done = run(
        *(MAKER, "generate", "--path", folder / "openapi.json", "--meta", "none"),
        *("--output-path", folder / NAME, "--config", folder / "config.yaml"),
        *("--fail-on-warning",),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def run(*command, **more):
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
        **more,
    )


@pytest.fixture
def upstream(client, monkeypatch):
    """Return the driver, which imports the client."""
    monkeypatch.syspath_prepend(client)
    yield importlib.import_module("tests.documents.upstream")
    for name in [n for n in sys.modules if n.split(".")[0] == NAME]:
        del sys.modules[name]
    del sys.modules["tests.documents.upstream"]


@pytest.fixture
async def stage(granted, nats_server, subject_prefix):
    async with staged(
        *(granted.service, nats_server.url, subject_prefix),
        sla="50s",
        services=dict.fromkeys(SERVICES, ""),
        partners={"northbank": ""},
    ) as running:
        yield running


async def test_it_does_a_day_of_an_upstream_system(upstream, stage):
    async def paid(task_id):
        status, told = await deliver(stage, "evt-1", saying(task_id, MONEY))
        assert status == 202, told

    assert await upstream.a_day(stage.url, KEYS["upstream"], paid) == ["w-3"]


def test_what_is_written_on_it_is_typed(client):
    done = run(
        *(sys.executable, "-m", "mypy", "--strict", "--no-error-summary"),
        *("--cache-dir", client / ".cache", "--config-file", "/dev/null", DRIVER),
        env={"MYPYPATH": str(client)},
        cwd=client,
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


def test_its_names_read_as_if_a_person_had_chosen_them(client):
    models = {path.stem for path in (client / NAME / "models").glob("*.py")}
    calls = {path.stem for path in (client / NAME / "api").glob("*/*.py")}

    assert len(models) > 80
    assert len(calls) > 35
    odd = r"type_\d|response|shape|v1_|_(get|post|delete)$|additional"
    assert {name for name in models | calls if re.search(odd, name)} == set()


def test_the_command_prints_the_document_that_it_is_made_of(capsys):
    assert spec.openapi() == 0
    assert json.loads(capsys.readouterr().out) == document()
