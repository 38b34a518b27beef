"""`partner list`, `check`, `new`: what a table comes to, tried, and begun."""

import re
import tomllib

import pytest

from providers.testing.conformance.partners import PARTNER_SCENARIOS
from tests.cli.skeletons import check_it_is_its_own, run
from tests.cli.stage import ROOT

NAME = "borealis"
TABLE = """
[partners.northbank]
base_url = "https://northbank.example/api"
headers = { Authorization = "Bearer ${NORTH_TOKEN}" }
countries = ["CA"]
bins = ["4510", "451400-451499"]
multi_match = "provisional"

[providers.acme]
adapter = "rest"
base_url = "https://acme.example"
headers = { Authorization = "Bearer ${NOT_SET_HERE}" }
"""


@pytest.fixture
def configured(shell):
    path = shell.folder / "payment.toml"
    path.write_text(TABLE)
    shell.env["NORTH_TOKEN"] = "t0k3n-of-ours"
    return shell


@pytest.fixture(params=["toml", "python"])
def written(request, shell):
    """Give a new folder of each style."""
    answer = shell("partner", "new", NAME, "--style", request.param)
    assert answer.code == 0, answer
    return shell.folder / NAME


def test_a_good_table_passes_and_needs_no_secret(configured):
    answer = configured("partner", "check", "northbank", "--scenario", "said-eligible")

    assert answer.code == 0, answer
    assert "ok     said-eligible" in answer.out
    assert "1 scenarios, 8 cases: 1 passed, 0 failed" in answer.out


def test_a_table_that_is_unsafe_is_told(configured):
    path = configured.folder / "payment.toml"
    path.write_text(TABLE.replace('"CA"', '"XX"'))

    answer = configured("partner", "check", "northbank")

    assert answer.code == 2
    assert "[partners.northbank] countries[0]: XX is no country" in answer.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("zeta",), "has no table [partners.zeta]"),
        (("northbank", "--scenario", "nonsense"), "see partner scenarios"),
    ],
)
def test_wrong_usage_is_told(configured, arguments, said):
    answer = configured("partner", "check", *arguments)

    assert answer.code == 2
    assert said in answer.err


def test_the_scenarios_are_told_with_what_each_proves(shell):
    told = shell("partner", "scenarios", "--json").json["scenarios"]

    assert [each["scenario"] for each in told] == [s.name for s in PARTNER_SCENARIOS]


def test_the_partners_are_listed_with_what_is_done_about_a_card(configured):
    configured.env["NOT_SET_HERE"] = "x"

    (told,) = configured("partner", "list", "--json").json["partners"]
    table = configured("partner", "list")

    assert (told["name"], told["countries"], told["deadline"]) == (
        "northbank",
        "CA",
        "5d",
    )
    assert "granted, and confirmed or revoked later" in " ".join(told["policy"])
    assert "northbank" in table.out
    assert "t0k3n-of-ours" not in table.out


def test_nothing_of_the_skeleton_is_left_and_it_lints(written):
    check_it_is_its_own(written)


def test_an_adapter_is_typed(shell):
    shell("partner", "new", NAME, "--style", "python")
    config = str(ROOT / "pyproject.toml")

    check = ("mypy", "--config-file", config, "--cache-dir", "c", ".")
    done = run(shell.folder / NAME, *check, seconds=120)

    assert done.returncode == 0, done.stdout


def test_a_new_partner_passes_its_tests_as_it_stands(written):
    done = run(written, "pytest", "-q", seconds=120)

    assert done.returncode == 0, done.stdout
    assert re.search(r"1\d passed, 1\d skipped", done.stdout)


def test_what_is_suggested_in_a_new_table_is_taken(shell):
    """The comments are a table of their own, without the signs before them."""
    shell("partner", "new", NAME)
    path = shell.folder / NAME / "payment.toml"
    text = path.read_text()
    path.write_text(re.sub(r"^# (?=\[|\w+ = )", "", text, flags=re.MULTILINE))
    assert set(tomllib.loads(path.read_text())["partners"][NAME]) >= {
        "eligibility",
        "revocation",
        "file",
    }

    answer = shell("partner", "check", NAME, "--config", f"{NAME}/payment.toml")

    assert answer.code == 0, answer.out


def test_a_new_adapter_passes_the_check_that_its_readme_names(shell):
    shell("partner", "new", NAME, "--style", "python")
    folder = shell.folder / NAME

    answer = shell(
        "partner", "check", NAME, "--config", f"{NAME}/payment.toml",
        PYTHONPATH=f"{folder}:{ROOT}",
    )  # fmt: skip

    assert answer.code == 0, answer
    command = f"PYTHONPATH=. payment-service partner check {NAME}"
    assert command in (folder / "README.md").read_text()


@pytest.mark.parametrize("name", ["Acme", "a-b", "1a", "", "../x"])
def test_a_name_that_is_none_is_refused(shell, name):
    answer = shell("partner", "new", "--", name)

    assert (answer.code, answer.err.count("\n")) == (2, 1)
    assert list(shell.folder.iterdir()) == []


def test_what_is_there_is_never_changed(shell):
    shell("partner", "new", NAME)
    path = shell.folder / NAME / "payment.toml"
    path.write_text("mine")

    answer = shell("partner", "new", NAME, "--style", "python")

    assert answer.code == 2
    assert "is there already" in answer.err
    assert path.read_text() == "mine"
