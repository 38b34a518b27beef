"""The rooms of core and use cases have places: who has none, or looks up, fails."""

import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LINT = Path(sys.executable).with_name("lint-imports")
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"][
    "importlinter"
]["contracts"]


STOREYS = ("fsm", "handlers", "providers", "payment_service")


@pytest.fixture
def copy(tmp_path, request):
    """Give a copy of the two lower storeys, or of all, which the test may build on."""
    for package in getattr(request, "param", STOREYS[:2]):
        shutil.copytree(
            ROOT / package,
            tmp_path / package,
            ignore=shutil.ignore_patterns("__pycache__"),
        )
    return tmp_path


def rooms_of(package):
    (contract,) = [c for c in CONTRACTS if c.get("containers") == [package]]
    return contract


def linted(copy, package):
    """Return (exit code, what is said) of the contract about one storey's rooms."""
    return kept(copy, rooms_of(package), STOREYS[:2])


def kept(copy, contract, packages):
    told = {**contract, "name": "rooms"}
    fields = "\n".join(f"{name} = {json.dumps(told[name])}" for name in told)
    (copy / "pyproject.toml").write_text(
        f"[tool.importlinter]\nroot_packages = {json.dumps(packages)}\n"
        f"[[tool.importlinter.contracts]]\n{fields}\n"
    )
    done = subprocess.run(
        [LINT, "--no-cache", "--config", "pyproject.toml"],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": str(copy)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("package", ["fsm", "handlers"])
def test_a_room_without_a_place_fails(copy, package):
    (copy / package / "stranger.py").write_text('"""A module that nobody placed."""\n')

    code, said = linted(copy, package)

    assert (code, "stranger" in said) == (1, True), said


@pytest.mark.parametrize(
    ("package", "below", "above"),
    [
        ("fsm", "fsm/engine/backoff.py", "fsm.domain.ids"),
        ("fsm", "fsm/domain/ids.py", "fsm.payout.words"),
        ("fsm", "fsm/payout/words.py", "fsm.flows"),
        ("fsm", "fsm/flows.py", "fsm.invariants"),
        ("handlers", "handlers/commit.py", "handlers.withdrawal.terms"),
        ("handlers", "handlers/ports/clock.py", "handlers.work"),
        ("handlers", "handlers/relay.py", "handlers.sweep"),
    ],
)
def test_an_arrow_that_nobody_named_fails(copy, package, below, above):
    with (copy / below).open("a") as module:
        module.write(f"\nimport {above}  # noqa: E402\n")

    code, said = linted(copy, package)

    assert (code, above in said) == (1, True), said


@pytest.mark.parametrize("copy", [STOREYS], indirect=True)
@pytest.mark.parametrize(
    ("above", "use_case"),
    [
        ("cli/orders.py", "handlers.brand_new"),
        ("api/orders.py", "handlers.withdrawal.calls"),
        ("cli/shell.py", "handlers.people"),
    ],
)
def test_a_use_case_past_the_facade_fails_also_a_new_one(copy, above, use_case):
    (copy / "handlers" / "brand_new.py").write_text('"""A use case of tomorrow."""\n')
    (contract,) = [c for c in CONTRACTS if c["name"].startswith("People act")]
    with (copy / "payment_service" / above).open("a") as module:
        module.write(f"\nimport {use_case}  # noqa: E402\n")

    code, said = kept(copy, contract, STOREYS)

    assert (code, use_case in said) == (1, True), said


@pytest.mark.parametrize("package", ["fsm", "handlers"])
def test_every_room_has_its_place(copy, package):
    code, said = linted(copy, package)

    assert code == 0, said
    assert rooms_of(package)["exhaustive"] is True
