"""`provider check` and the pytest plugin say the same of an adapter."""

import subprocess
import sys

import pytest

from providers.testing.conformance.charges import CHARGE_SCENARIOS
from providers.testing.conformance.scenarios import SCENARIOS
from tests.cli.stage import ROOT

ACME = """
[providers.acme]
adapter = "{adapter}"
base_url = "https://acme.example"
headers = {{ Authorization = "Bearer ${{ACME_TOKEN}}" }}
"""
PLANTED = "tests.providers.testing.conformance.planted:UnknownWordIsNo"


@pytest.fixture
def table(shell):
    """Write a configuration with one provider."""

    def write(adapter):
        path = shell.folder / "payment.toml"
        path.write_text(ACME.format(adapter=adapter))
        return path

    return write


def test_a_good_adapter_passes_without_any_setting(shell, table):
    table("rest")

    answer = shell("provider", "check", "acme", ACME_TOKEN="the-real-one")

    assert answer.code == 0, answer
    assert "ok     create-accepted " in answer.out
    assert answer.out.count("\n") == len(SCENARIOS) + 1
    assert "0 failed" in answer.out


@pytest.fixture
def collects(table):
    """Write a configuration with one provider that collects as well."""

    def write(adapter):
        path = table(adapter)
        path.write_text(f"{path.read_text()}charge = {{}}\n")
        return path

    return write


def test_one_that_collects_plays_the_scenarios_of_charges_too(shell, collects):
    collects("rest")

    answer = shell("provider", "check", "acme", "--json")

    played = [each["scenario"] for each in answer.json["scenarios"]]
    assert (answer.code, answer.json["ok"]) == (0, True)
    paid = [each.name for each in SCENARIOS]
    assert played == paid + [each.name for each in CHARGE_SCENARIOS]


def test_one_that_only_pays_out_has_no_scenarios_of_charges(shell, table):
    table("rest")

    answer = shell("provider", "check", "acme", "--scenario", "charge-done")

    assert (answer.code, "charge-done" in answer.err) == (2, True)


def test_one_that_has_a_charge_and_cannot_collect_is_told(shell, collects):
    collects(PLANTED)

    answer = shell("provider", "check", "acme", "--scenario", "charge-done")

    assert answer.code == 2
    assert "[providers.acme] adapter:" in answer.err
    assert "does not collect" in answer.err


def test_the_plugin_tries_it_by_the_scenarios_of_charges(shell, collects):
    path = collects("rest")
    suite = ROOT / "providers" / "testing" / "conformance" / "suite.py"

    done = pytest_run(
        shell, str(suite), "--provider-config", str(path), "-vv", "-k", "refund"
    )

    assert done.returncode == 0, done.stdout
    assert "acme-refund-done" in done.stdout


def test_a_bad_one_is_told_what_it_did(shell, table):
    path = table(PLANTED)

    answer = shell(
        "provider", "check", "acme", "--config", str(path),
        "--scenario", "create-unlisted-word", "--scenario", "create-accepted",
    )  # fmt: skip

    assert answer.code == 1
    assert "WRONG  create-unlisted-word" in answer.out
    assert "Declined(code='conformance_unlisted'" in answer.out
    assert "must be Unclear" in answer.out
    assert "2 scenarios" in answer.out


def test_programs_read_it_too(shell, table):
    table(PLANTED)

    answer = shell("provider", "check", "acme", "--json", "--scenario", "lost-refused")

    assert answer.json["ok"]
    assert answer.json["scenarios"][0]["scenario"] == "lost-refused"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("zeta",), "has no table [providers.zeta]"),
        (("acme", "--scenario", "nonsense"), "nonsense"),
        (("acme", "--config", "missing.toml"), "missing.toml: cannot be read"),
    ],
)
def test_wrong_usage_is_told(shell, table, arguments, said):
    table("rest")

    answer = shell("provider", "check", *arguments)

    assert (answer.code, answer.err.count("\n")) == (2, 1)
    assert said in answer.err


@pytest.mark.parametrize(
    ("adapter", "said"),
    [
        ("nobody.knows:It", "No module named 'nobody'"),
        ("providers.testing.simulator.adapter:simulated_provider", "has no double"),
    ],
)
def test_an_adapter_that_cannot_be_checked_is_told(shell, table, adapter, said):
    table(adapter)

    answer = shell("provider", "check", "acme")

    assert (answer.code, answer.err.count("\n")) == (2, 1)
    assert said in answer.err


def test_the_scenarios_are_listed(shell):
    plain, listed = (
        shell("provider", "scenarios"),
        shell("provider", "scenarios", "--json"),
    )

    both = len(SCENARIOS) + len(CHARGE_SCENARIOS)
    assert len(listed.json["scenarios"]) == both
    assert all(each.proves in plain.out for each in SCENARIOS)


def pytest_run(shell, *arguments):
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    command += ["-p", "providers.testing.conformance.plugin", *arguments]
    return subprocess.run(
        command,
        cwd=shell.folder,
        env=shell.environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )


@pytest.mark.parametrize(("adapter", "code"), [("rest", 0), (PLANTED, 1)])
def test_the_plugin_runs_the_scenarios_in_pytest(shell, table, adapter, code):
    path = table(adapter)
    suite = ROOT / "providers" / "testing" / "conformance" / "suite.py"

    done = pytest_run(
        shell, str(suite), "--provider-config", str(path), "-k", "unlisted or refused"
    )

    assert done.returncode == code, done.stdout
    assert ("acme-create-unlisted-word" in done.stdout) == bool(code)


def test_the_plugin_names_a_provider_that_is_not_there(shell, table):
    table("rest")
    suite = ROOT / "providers" / "testing" / "conformance" / "suite.py"

    done = pytest_run(shell, str(suite), "--rootdir", ".", "--provider", "zeta")

    assert done.returncode != 0
    assert "no [providers.zeta]" in done.stdout + done.stderr
