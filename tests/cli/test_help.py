"""Help is held over all commands: examples that parse, choices, names, sections."""

import contextlib
import io
import json
import shlex
import subprocess
import sys
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
import typer

from fsm.domain.keys import KeyRole
from fsm.engine.words import CaseKind, CaseState, Kind, OrderState, State
from payment_service.cli import main
from payment_service.cli.commands import app
from payment_service.cli.commands.helping import examples_of
from payment_service.cli.commands.key import Role
from payment_service.cli.decisions import CheckRuling
from payment_service.cli.errors import KINDS
from payment_service.cli.program import EXIT_CODES
from tests.cli.stage import Here

PROGRAM = typer.main.get_command(app)
ROOT = Path(__file__).parents[2]
WIDTH = 80
WORDS = {
    "order list --state": OrderState,
    "order list --task-state": State,
    "order list --kind": Kind,
    "case list --state": CaseState,
    "case list --kind": CaseKind,
    "key new --role": KeyRole,
    "task resolve DECISION": CheckRuling,
}


def walked(command, path=()):
    """Give every command below one, groups too, with the words that call it."""
    yield " ".join(path), command
    for name, each in getattr(command, "commands", {}).items():
        yield from walked(each, (*path, name))


EVERY = dict(walked(PROGRAM))
LEAVES = {name: each for name, each in EVERY.items() if not hasattr(each, "commands")}


@pytest.fixture
def shell(tmp_path):
    return Here(tmp_path, {"COLUMNS": str(WIDTH)})


@cache
def helped(name):
    """Return what `-h` says of a command on a terminal of 80 cells."""
    out = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out):
        patch.setenv("COLUMNS", str(WIDTH))
        assert main([*name.split(), "-h"]) == 0
    return out.getvalue()


def parsed(line):
    """Have the parser take a line as it would be typed; return the command's words.

    :raises typer.TyperException: it is none that the program takes.
    """
    words, command, context = shlex.split(line, comments=True), PROGRAM, None
    words = words[: words.index(">")] if ">" in words else words
    path = []
    while hasattr(command, "commands") and words and words[0] in command.commands:
        context = typer.Context(command, info_name=command.name, parent=context)
        path.append(words[0])
        command = command.commands[words.pop(0)]
    if hasattr(command, "commands") and words and not words[0].startswith("-"):
        raise typer.BadParameter(f"no command {words[0]}")
    command.make_context(path[-1], words, parent=context)
    return " ".join(path)


@pytest.mark.parametrize("name", EVERY)
def test_every_help_has_an_example_and_fits_a_terminal(name):
    shown = helped(name)

    assert "\nExample" in shown
    assert max(map(len, shown.splitlines())) <= WIDTH
    assert shown.isascii()


@pytest.mark.parametrize("name", ["", "order", "order show"])
def test_help_is_asked_for_by_a_letter_or_a_word(shell, name):
    assert shell(*name.split(), "--help").out == helped(name)


@pytest.mark.parametrize("name", LEAVES)
def test_every_example_is_one_of_its_command_and_can_be_typed(name):
    for line in examples_of(LEAVES[name]):
        assert parsed(line) == name, line


def test_the_first_examples_can_be_typed():
    with pytest.raises(typer.Exit):
        parsed("order show --help")
    for line in examples_of(PROGRAM):
        assert "--help" in line or parsed(line) in LEAVES, line


@pytest.mark.parametrize(
    "line",
    ["order shew w-1", "order show w-1 --frob", "order show", "order list --limit 0"],
)
def test_a_line_that_nobody_can_type_is_no_example(line):
    with pytest.raises(typer.TyperException):
        parsed(line)


def choices(param):
    """Return the words of a closed vocabulary that an option or argument takes."""
    found: Any = param.type_descriptor.annotation
    is_enum = isinstance(found, type) and issubclass(found, StrEnum)
    if is_enum or get_origin(found) is Literal:
        return {*map(str, found if is_enum else get_args(found))}
    return set()


@pytest.mark.parametrize("name", LEAVES)
def test_every_choice_is_shown(name):
    shown = " ".join(helped(name).split())

    for param in LEAVES[name].params:
        for word in choices(param):
            assert word in shown, (param.name, word)


@pytest.mark.parametrize("place", WORDS)
def test_a_closed_vocabulary_is_a_choice(place):
    command, _, name = place.rpartition(" ")
    (param,) = (p for p in LEAVES[command].params if name in {*p.opts, p.metavar})

    assert choices(param) == {*map(str, WORDS[place])}


def test_the_roles_are_those_of_keys():
    assert {*get_args(Role)} == {*KeyRole}


def test_arguments_and_options_have_one_form_of_names():
    for name, command in LEAVES.items():
        for param in command.params:
            if param.param_type_name == "argument":
                assert param.metavar.rstrip(".").isupper(), (name, param.name)
                assert param.metavar not in {"ID", "TEXT"}, (name, param.name)
            elif not param.is_flag and param.name != "help":
                assert (param.metavar or "").isupper(), (name, param.name)


def test_what_plays_the_other_side_stands_apart():
    production, _, playing = helped("").partition("\nTrying it out:\n")

    assert "\n  simulator " in playing
    assert "\n  demo " in "\n" + playing
    assert "simulat" not in production
    assert "core-simulator" not in playing


def test_the_exit_codes_are_told_where_they_are_promised():
    page = (ROOT / "docs/contract.md").read_text()
    shown = " ".join(helped("").partition("Exit codes:")[2].split())

    for code, means in EXIT_CODES:
        assert f"{code} {means}" in shown
        assert f"| {code} | {means} |" in page
    for kind in KINDS:
        assert f"`{kind}`" in page


# What is told of a failure to programs.

FAILURES = [
    ("order list --json --frob", "usage", "--frob", 2),
    ("order list --json --state OPEN", "usage", "--state", 2),
    ("order show --json", "usage", "ORDER_ID", 2),
    ("order shew --json", "usage", "order", 2),
    ("order list --from yesterday --json", "usage", "--from", 2),
    ("order list --json", "settings", "PAYMENT_DATABASE_URL", 2),
    ("provider list --json", "settings", "PAYMENT_CONFIG", 2),
    ("key list --json", "usage", "key list", 2),
]


@pytest.mark.parametrize(("line", "kind", "where", "code"), FAILURES)
def test_a_failure_under_json_is_an_object_on_standard_error(
    shell, line, kind, where, code
):
    plain = shell(*line.replace(" --json", "").split())
    said = shell(*line.split())

    assert said.out == ""
    error = json.loads(said.err)["error"]
    assert (error["code"], error["where"], error["exit_code"]) == (kind, where, code)
    assert {*error} == {"code", "what", "where", "mend", "exit_code"}
    assert said.code == plain.code == code
    assert error["what"].split("(")[0].strip() in plain.err


def test_a_database_that_is_away_is_told_to_programs(shell):
    url = "postgresql://someone:hunter2-canary@127.0.0.1:1/none"
    said = shell("order", "list", "--json", PAYMENT_DATABASE_URL=url)

    error = json.loads(said.err)["error"]
    assert (said.code, said.out, error["code"]) == (1, "", "unreachable")
    assert "hunter2" not in said.err


# What a shell completes.

COMPLETED = [
    ("payment-service ord", {"order"}),
    ("payment-service order sh", {"show"}),
    ("payment-service order list --sta", {"--state"}),
    ("payment-service order list --state R", {"REVERSING"}),
    ("payment-service order list --state c", {"COMPLETED", "CANCELLED"}),
    ("payment-service key new --role up", {"upstream"}),
    ("payment-service task resolve x ", {"positive", "negative"}),
    ("payment-service simulator ", {"core", "providers", "scripts", "upstream"}),
]
ASKING = """
set -e
source <(payment-service completion bash)
test "$(complete -p payment-service)" = \
    "complete -o default -F _payment_service_completion payment-service"
while IFS= read -r line; do
    COMP_WORDS=($line)
    [[ "$line" == *" " ]] && COMP_WORDS+=("")
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    COMPREPLY=()
    _payment_service_completion payment-service
    echo "${COMPREPLY[*]}"
done
"""


def test_a_real_bash_completes_commands_options_and_choices(tmp_path):
    program = Path(sys.executable).with_name("payment-service")
    done = subprocess.run(
        ["/bin/bash", "--norc", "-c", ASKING],
        input="".join(f"{line}\n" for line, _ in COMPLETED),
        env={"PATH": f"{program.parent}:/usr/bin:/bin", "HOME": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    found = [{*line.split()} for line in done.stdout.split("\n")]
    for (line, words), answer in zip(COMPLETED, found, strict=False):
        assert answer == words, line


@pytest.mark.parametrize(
    ("name", "begins"),
    [("bash", "_payment"), ("zsh", "#compdef payment-service"), ("fish", "complete")],
)
def test_each_shell_has_its_script(shell, name, begins):
    said = shell("completion", name)

    assert said.code == 0
    assert said.out.strip().startswith(begins)
    assert "_PAYMENT_SERVICE_COMPLETE=complete_" + name in said.out
