"""CONTRIBUTING is followed word by word: a new partner works, nothing else changed."""

import asyncio
import os
import subprocess
import sys
import tomllib
from datetime import timedelta

import pytest

from handlers.ports.partners import Eligible, PartnerCall
from providers.config import parse_config
from providers.http.outbound import Outbound
from providers.registry import build_partners
from providers.testing.simulator import SimulatedPartner, Simulator
from tests.docs.pages import ROOT, commands_of, words_of

PAGE = ROOT / "CONTRIBUTING.md"
NAME = "acme"


def shown():
    """Return the commands of the section, as the page shows them."""
    commands = [words_of(each) for each in commands_of(PAGE)]
    return [w for w in commands if "partner" in w or w == ["pytest", NAME]]


def run(folder, words, **env):
    """Run a command of the page in a folder, with the project's own programs."""
    program, *arguments = words
    module = {"payment-service": "payment_service"}.get(program, program)
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **env},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def git(folder, *words):
    done = subprocess.run(
        ["git", "-c", "user.name=x", "-c", "user.email=x@example.com", *words],  # noqa: S607
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


@pytest.fixture
def tree(tmp_path):
    """Give a tree under version control, with a file that must not change."""
    (tmp_path / "payment.toml").write_text("# what is there already\n")
    (tmp_path / ".gitignore").write_text("__pycache__/\n.pytest_cache/\n")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "before")
    return tmp_path


def test_the_page_shows_three_commands():
    assert [words[:3] for words in shown()] == [
        ["payment-service", "partner", "new"],
        ["payment-service", "partner", "check"],
        ["pytest", NAME],
    ]


def changed(tree):
    """Return what is new or another than before, file by file."""
    told = git(tree, "status", "--porcelain", "--untracked-files=all")
    return {line[3:] for line in told.splitlines()}


@pytest.mark.slow
def test_one_table_with_its_test_is_all_that_a_new_partner_is(tree):
    for words in shown():
        done = run(tree, words)
        assert done.returncode == 0, (words, done.stdout, done.stderr)

    assert changed(tree) == {
        f"{NAME}/{each}" for each in ("README.md", "payment.toml", f"test_{NAME}.py")
    }


@pytest.mark.slow
def test_one_file_with_its_test_is_all_that_a_new_adapter_is(tree):
    first, *others = shown()
    for words in ([*first, "--style", "python"], *others):
        done = run(tree, words, PYTHONPATH=f"{tree / NAME}{os.pathsep}{ROOT}")
        assert done.returncode == 0, (words, done.stdout, done.stderr)

    code = {f"{NAME}/{each}.py" for each in (NAME, f"{NAME}_double", f"test_{NAME}")}
    others = ("README.md", "payment.toml", "pyproject.toml")
    assert changed(tree) == code | {f"{NAME}/{each}" for each in others}


async def _asked(table):
    """Ask a partner of this table about a card, by the service's own wiring."""
    simulator = Simulator([], partners=[SimulatedPartner(name=NAME)])
    await simulator.start()
    table = table.replace("https://acme.example/api", simulator.base_url(NAME))
    config = parse_config(
        table, ack_wait=timedelta(seconds=30), environment={"ACME_TOKEN": "t0k3n"}
    )
    order = {"customer_id": "c-1", "card": {"token": "tok_1"}}
    call = PartnerCall(task_id="t-1", key="t-1:1", n=1, order=order)
    try:
        async with Outbound() as outbound:
            partner = build_partners(config, outbound).get(NAME)
            assert partner is not None
            return await partner.check_eligibility(call)
    finally:
        await simulator.stop()


def test_the_new_table_is_one_that_the_service_takes_and_asks_by(tree):
    run(tree, shown()[0])
    text = (tree / NAME / "payment.toml").read_text()

    assert [*tomllib.loads(text)["partners"]] == [NAME]
    assert asyncio.run(_asked(text)) == Eligible()
