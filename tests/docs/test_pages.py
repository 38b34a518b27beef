"""Every page leads somewhere: its links, its commands and its files are there."""

import re
from contextlib import suppress
from itertools import takewhile

import pytest
import typer

from payment_service.cli.commands import app
from tests.docs.pages import (
    DOCS,
    README,
    ROOT,
    anchors_of,
    commands_of,
    links_of,
    name_of,
    pages,
    words_of,
)

README_LINES_MAX = 200
ENDS = {";", ">", "|", "&&"}
PAGES = pages()
COMMANDS = [(page, command) for page in PAGES for command in commands_of(page)]
TARGETS = re.findall(
    r"^([a-z0-9-]+):(?!=)", (ROOT / "Makefile").read_text(), re.MULTILINE
)


def ours(command):
    """Return what stands behind `payment-service`, None where that is not run."""
    words = words_of(command.replace("; ", " ; "))
    names = [word.rpartition("/")[2] for word in words]
    if "payment-service" not in names:
        return None
    rest = words[names.index("payment-service") + 1 :]
    return list(takewhile(lambda word: word not in ENDS, rest))


def resolved(words):
    """Follow the words to a command; return it and its arguments."""
    command, rest = typer.main.get_command(app), [*words]
    while subcommands := getattr(command, "commands", None):
        if rest[0].startswith("-"):  # of the program itself, as --version
            break
        command = subcommands[rest.pop(0)]
    return command, rest


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_leads_somewhere(page):
    for link in links_of(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{name_of(page)}: {link}"
        if anchor:
            assert anchor in anchors_of(target), f"{name_of(page)}: {link}"


def test_every_command_that_is_shown_is_taken():
    shown = [words for _, command in COMMANDS if (words := ours(command)) is not None]

    assert len(shown) > 30
    for words in shown:
        command, arguments = resolved(words)
        with suppress(typer.Exit):  # of what tells something and is done
            command.make_context(" ".join(words), arguments)  # else it is unknown


def test_every_target_of_make_that_is_shown_is_there():
    shown = [words_of(command) for _, command in COMMANDS]
    asked = [words[1] for words in shown if words[0] == "make"]
    asked += [
        name
        for page in PAGES
        for name in re.findall(r"`make ([a-z0-9-]+)", page.read_text())
    ]

    assert asked
    assert {
        n for n in asked if n not in TARGETS and n.split("-")[0] != "chaos"
    } == set()


def test_the_readme_is_read_in_one_go():
    assert len(README.read_text().splitlines()) <= README_LINES_MAX


def test_the_readme_leads_to_every_page():
    linked = {README.parent / link.partition("#")[0] for link in links_of(README)}

    assert {page for page in DOCS.glob("*.md") if page not in linked} == set()


PATH = re.compile(
    r"`((?:\.ci|fsm|handlers|providers|payment_service|migrations|ops|tests|docs)"
    r"/[\w./-]+)`"
)


@pytest.mark.parametrize(
    "page", [p for p in PAGES if p.name != "CHANGELOG.md"], ids=name_of
)
def test_every_file_that_is_named_is_there(page):
    named = PATH.findall(page.read_text())

    assert [path for path in named if not (ROOT / path).exists()] == []
