"""The compose file is read as compose does; what is not understood is named."""

import pytest

from tests.containers.compose import services
from tests.containers.dockerfile import NotUnderstoodError
from tests.containers.stage import ROOT

FILE = ROOT / "docker-compose.yml"
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
