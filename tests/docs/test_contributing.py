"""CONTRIBUTING.md, SECURITY.md and the templates say what there is."""

import re
import subprocess
import sys

import pytest
import yaml

from tests.docs.pages import ROOT, commands_of, words_of

PAGE = ROOT / "CONTRIBUTING.md"
TEMPLATES = sorted((ROOT / ".github/ISSUE_TEMPLATE").glob("*.md"))


def shown(first, *others):
    """Return the words of each command of the page that begins like that."""
    commands = [
        words_of(part) for each in commands_of(PAGE) for part in each.split("&&")
    ]
    return [words for words in commands if words[: 1 + len(others)] == [first, *others]]


def test_what_make_does_is_done_without_it():
    """The installer is asked what it would do: nothing, where all is there."""
    installs = shown(".venv/bin/uv", "pip", "install")

    assert len(installs) == 2
    for words in installs:
        done = subprocess.run(
            [sys.executable, "-m", "uv", *words[1:], "--dry-run", "--offline"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr


def test_without_make_the_same_is_run():
    makefile = (ROOT / "Makefile").read_text()

    for program in ("ruff", "mypy", "lint-imports", "pytest"):
        assert shown(f".venv/bin/{program}")
        assert f"$(BIN)/{program}" in makefile


def test_the_folders_of_the_short_loop_are_there():
    for words in shown(".venv/bin/pytest"):
        for word in words[1:]:
            if word.startswith("tests/"):
                assert (ROOT / word).exists(), word


def test_every_top_folder_has_a_line():
    told = re.findall(r"^(\w+)/ {2,}\S", PAGE.read_text(), re.MULTILINE)
    there = [
        path.name
        for path in ROOT.iterdir()
        if path.is_dir() and not path.name.startswith((".", "_", "build", "dist"))
    ]

    assert sorted(told) == sorted(there)


def test_the_pythons_are_those_of_the_project():
    pyproject = (ROOT / "pyproject.toml").read_text()
    versions = re.findall(r"Python :: (3\.\d+)", pyproject)

    *first, last = versions
    assert f"Python {', '.join(first)} or {last}" in PAGE.read_text()


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda each: each.stem)
def test_a_template_has_a_head(template):
    _, head, body = template.read_text().split("---\n", 2)

    assert yaml.safe_load(head).keys() == {"name", "about", "labels"}
    assert "**" in body


def test_whoever_reports_a_weakness_is_led_away_from_the_public():
    assert "SECURITY.md" in TEMPLATES[0].read_text()
    assert "in private" in (ROOT / "SECURITY.md").read_text()
    assert "(SECURITY.md)" in PAGE.read_text()
