"""The source's habits: sizes, words, names and citations that lead somewhere."""

import tomllib

import pytest
import yaml

from tests import tidy


@pytest.mark.parametrize("measure", tidy.MEASURES, ids=lambda each: each.name)
def test_nothing_grows_over_the_limit(measure):
    """Make it two. What is over already may shrink, and may not grow."""
    assert measure.grown() == []


@pytest.mark.parametrize("measure", tidy.MEASURES, ids=lambda each: each.name)
def test_the_ratchet_only_shrinks(measure):
    """Run `python -m tests.tidy --shrink`."""
    assert measure.slack() == []


def test_no_banned_word():
    assert list(map(str, tidy.banned_words())) == []


def test_nothing_is_left_to_do():
    assert list(map(str, tidy.unfinished())) == []


def test_a_files_name_says_what_is_in_it():
    assert tidy.vague_names() == []


def test_citations_lead_somewhere():
    assert list(map(str, tidy.dangling())) == []


def test_links_lead_somewhere():
    assert list(map(str, tidy.dangling_links())) == []


def test_a_commit_is_held_to_what_every_run_is_held_to():
    hooks = yaml.safe_load((tidy.ROOT / ".pre-commit-config.yaml").read_text())
    asked = [hook["entry"] for repo in hooks["repos"] for hook in repo["hooks"]]
    makefile = (tidy.ROOT / "Makefile").read_text()

    unrouted = [
        entry
        for entry in asked
        if f"$(BIN)/{entry.removeprefix('.venv/bin/').partition(' --')[0]}"
        not in makefile
    ]

    assert len(asked) >= 6
    assert unrouted == []


def test_dependencies_are_declared_as_used():
    """What deptry is told to leave alone is there, and is for the reason given."""
    project = tomllib.loads((tidy.ROOT / "pyproject.toml").read_text())
    programs = project["tool"]["deptry"]["per_rule_ignores"]["DEP002"]
    embedded = " ".join(project["project"]["optional-dependencies"]["embedded"])

    assert all(name in embedded for name in programs)
