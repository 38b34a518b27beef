"""The service never meets its playground; what needs it says where that is."""

import pkgutil
import signal

import pytest

from payment_service.settings import ROLES
from tests.cli.stage import ROOT, SECONDS_MAX, TABLE, Answer, Shell
from tests.cli.test_run import ready, started

__all__ = ["ready"]

WORLD = ("providers.testing", "payment_service.playground")
NEEDING_ITS_EXTRA = (("demo",), ("dev",), ("simulator",), ("core-simulator",))
NEEDING_IT = (
    *NEEDING_ITS_EXTRA,
    ("provider", "check", "acme", "--config", "payment.toml"),
    ("provider", "new", "x"),
    ("provider", "scenarios"),
    ("service", "check", "fraud"),
    ("service", "scenarios"),
    ("core", "check", "http://127.0.0.1:1"),
    ("core", "scenarios"),
)
# Written into `sitecustomize`: it comes before whatever the program imports itself.
WITHOUT = """
import sys

class Refusing:
    def find_spec(self, name, path=None, target=None):
        if any(name == each or name.startswith(each + ".") for each in {names!r}):
            with open({asked!r}, "a") as file:
                print(name, file=file)
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Refusing())
"""
IMPORTED_BY_COMMANDS = (
    "conformance",
    "core_conformance",
    "partner_conformance",
    "scaffold",
    "service_conformance",
    "simulator",
)


class Without:
    """A place from which a process finds none of some modules, and is overheard."""

    def __init__(self, folder, *names):
        self._asked = folder / "asked"
        code = WITHOUT.format(names=names, asked=str(self._asked))
        (folder / "sitecustomize.py").write_text(code)
        self.env = {"PYTHONPATH": f"{folder}:{ROOT}"}

    def asked(self):
        return self._asked.read_text().split() if self._asked.exists() else []


def fresh(shell, *args, **env):
    """Run a command in an interpreter that has imported nothing yet."""
    done = shell.started(*args, **env)
    return Answer(done.returncode, done.stdout.decode(), done.stderr.decode())


@pytest.fixture
def shell(tmp_path):
    (tmp_path / "payment.toml").write_text(
        TABLE.format(name="acme", url="http://127.0.0.1:1")
    )
    return Shell(tmp_path, env={"SECRET_OF_PROVIDERS": "whsec_bm9uZQ=="})


@pytest.mark.parametrize("role", ROLES)
def test_no_role_asks_for_the_world_that_tests_play(ready, tmp_path, role):
    without = Without(tmp_path, *WORLD, "aiohttp")
    process = ready.start("run", "--roles", role, **without.env)
    try:
        started(process)
    finally:
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=SECONDS_MAX)

    assert process.returncode == 0, (out, err)
    # The client of NATS uses it for WebSockets where it is.
    assert {*without.asked()} <= {"aiohttp"}


def test_no_module_but_those_of_its_commands_asks_for_it(shell, tmp_path):
    names = [
        module.name
        for top in ("fsm", "handlers", "providers", "payment_service")
        for module in pkgutil.walk_packages([str(ROOT / top)], f"{top}.")
        if not module.name.startswith(WORLD)
        and module.name.rpartition(".")[2] not in (*IMPORTED_BY_COMMANDS, "__main__")
    ]
    without = Without(tmp_path, *WORLD)
    argv, shell.argv = shell.argv, lambda *args: [argv()[0], "-c", *args]

    done = fresh(shell, "\n".join(f"import {name}" for name in names), **without.env)

    assert done.code == 0, done.err
    assert len(names) > 200
    assert without.asked() == []


@pytest.mark.parametrize("command", NEEDING_IT)
def test_where_it_was_left_out_a_command_names_where_it_is(shell, tmp_path, command):
    answer = fresh(shell, *command, **Without(tmp_path, *WORLD).env)

    assert answer.code == 2
    assert answer.out == ""
    assert answer.err.count("\n") == 1
    assert "not part of this image" in answer.err
    assert "payment-service[playground" in answer.err
    assert ("target `playground`" in answer.err) == (
        command not in [("demo",), ("dev",)]
    )


@pytest.mark.parametrize("command", NEEDING_ITS_EXTRA)
def test_where_its_extra_was_not_installed_a_command_names_it(shell, tmp_path, command):
    answer = fresh(shell, *command, **Without(tmp_path, "aiohttp").env)

    assert answer.code == 2
    assert answer.err.count("\n") == 1
    assert "need aiohttp: install payment-service[playground" in answer.err


def test_a_provider_of_the_simulators_names_where_it_is(ready, tmp_path):
    without = Without(tmp_path, *WORLD)
    (ready.folder / "payment.toml").write_text(
        '[providers.acme]\nadapter = "simulator"\nbase_url = "http://127.0.0.1:1"\n'
        'sla = "1s"\n'
    )

    answer = fresh(ready, "run", **without.env)

    assert answer.code == 2, answer
    assert "[providers.acme] adapter: the simulator and the kit are" in answer.err
    assert "target `playground`" in answer.err
