"""The README says what is so: its status, its picture, its figures, its commands."""

import re
import shutil
import subprocess
import tomllib
from datetime import timedelta

import pytest

from ops.bench import report
from providers.config import parse_config
from tests.docs.pages import DOCS, README, ROOT, commands_of, links_of

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = PYPROJECT["project"]
TEXT = README.read_text()
COMPOSE = "test_compose.py::test_it_comes_up_moves_money_and_stops"
DESK = "test_desk.py::test_what_the_readme_has_to_copy_works_as_it_stands"
HERE = "test_readme.py::test_make_runs_what_its_target_says"

RUN_BY = {
    "make demo": "test_demo.py::"
    "test_the_demo_comes_to_its_end_with_its_checks_decided_and_adds_up",
    "make dev": HERE,
    ". ./desk.env": DESK,
    "curl -sS $PAYMENT_API_URL/v1/withdrawals": DESK,
    "payment-service simulator upstream": DESK,
    "payment-service order show mine-2": DESK,
    "payment-service simulator scripts": DESK,
    "make test": HERE,
    "docker compose up --build --scale worker=4": COMPOSE,
    "curl -X POST localhost:8000/v1/withdrawals": COMPOSE,
    'curl "localhost:8000/v1/orders/w-1001?wait=20s"': COMPOSE,
}
"""The tests that run what the README shows, by how it begins."""


def test_the_status_is_that_of_the_project():
    pythons = [
        each.rpartition(" ")[2]
        for each in PROJECT["classifiers"]
        if each.startswith("Programming Language :: Python :: 3.")
    ]

    assert f"{PROJECT['license']} · Python {', '.join(pythons)} · Linux" in TEXT
    assert f"· {PROJECT['version']}, **not released yet**" in TEXT


def test_the_storeys_are_those_that_imports_are_held_to():
    drawn = TEXT.partition("```text\npayment_service")[2].partition("```")[0]
    storeys = [line.split()[0] for line in f"payment_service{drawn}".splitlines()]

    assert storeys == PYPROJECT["tool"]["importlinter"]["contracts"][0]["layers"]


def test_every_command_is_run_by_a_test():
    left = dict(RUN_BY)
    for command in commands_of(README):
        [begins] = [each for each in RUN_BY if command.startswith(each)]
        file, _, name = left.pop(begins).partition("::")
        [found] = (ROOT / "tests").rglob(file)
        assert re.search(rf"^(async )?def {name}\(", found.read_text(), re.MULTILINE)

    assert left == {}


@pytest.mark.parametrize(
    ("target", "runs"),
    [
        ("demo", "payment-service demo"),
        ("dev", "payment-service dev --env-file desk.env"),
        ("test", "pytest"),
    ],
)
def test_make_runs_what_its_target_says(target, runs):
    told = subprocess.run(
        [shutil.which("make") or "make", "--dry-run", "--always-make", target],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )

    assert runs in told.stdout


def test_the_table_of_a_provider_is_one_that_is_taken():
    [text] = re.findall(r"^```toml\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    environment = {"ACME_TOKEN": "t0k3n", "ACME_WHSEC": secret}

    config = parse_config(text, ack_wait=timedelta(seconds=30), environment=environment)

    assert [*config.providers] == ["acme"]


@pytest.mark.parametrize("page", [README, DOCS / "performance.md"])
def test_the_figures_are_those_on_disk(page):
    text = page.read_text()

    assert report.filled(text, page) == text, "run `make bench-report`"


def test_what_chaos_showed_is_what_the_page_has():
    [faults, orders] = re.findall(
        r"(\d+) faults on real processes: (\d+) orders", TEXT
    )[0]
    page = (DOCS / "proof.md").read_text()

    assert f"- {faults} faults of " in page
    assert f"- {orders} orders accepted" in page
    assert "0 lost, 0 paid twice, 0 orphaned holds, 0 stuck" in page


def test_the_words_for_who_starts_lead_on():
    links = links_of(README)

    for link in ("CONTRIBUTING.md#without-make", "docs/operating.md#starting-it"):
        assert link in links
