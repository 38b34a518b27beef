"""Any name is shown in any encoding, and no reader who leaves changes the exit code."""

import asyncio
import json
import os
import pty
import subprocess
from contextlib import closing, suppress
from functools import cache
from pathlib import Path

import pytest

from payment_service.storage.database import Database
from payment_service.storage.store import PostgresStore
from tests.cli.stage import SECONDS_MAX, SECRET, TABLE
from tests.forks import PACKAGES, ForkServer, forks, heard_at_the_start
from tests.storage.builders import a_letter, a_new_order

NAME = "Zoë-Łódź-顧客-🙂"
REASON = "für Zoë 🙂"
# Interpreters that hear of an encoding when they start are started once.
pytestmark = pytest.mark.together("encodings")
SHOWN = r"Zo\xeb-\u0141\xf3d\u017a-\u9867\u5ba2-\U0001f642"
POSIX = {
    "LANG": "C",
    "LC_ALL": "C",
    "PYTHONUTF8": "0",
    "PYTHONCOERCECLOCALE": "0",
}
NARROW = {
    "ascii": {"PYTHONIOENCODING": "ascii:strict"},
    "cp1252": {"PYTHONIOENCODING": "cp1252"},
    "C": POSIX,
}


@pytest.fixture
def foreign(at_database, database_url):
    """Put an order and a dead letter with foreign names into the database."""

    async def fill():
        database = Database(database_url)
        await database.open()
        store = PostgresStore(database)
        named = {"merchant_id": NAME, "order_id": NAME}
        await store.submit(a_new_order("acme", **named))
        await store.dead_letter(a_letter(error=NAME), [])
        await database.close()

    asyncio.run(fill())
    table = TABLE.format(name="acme", url="http://127.0.0.1:1")
    (at_database.folder / "payment.toml").write_text(table)
    at_database.env |= {"SECRET_OF_PROVIDERS": SECRET}
    return at_database


@cache
def started(heard):
    """Return what forks commands from an interpreter that was started with these."""
    if forks().serves(dict(heard)):
        return forks()
    return ForkServer("payment_service", *PACKAGES, env=dict(heard))


def raw(shell, *args, stdout=None, **env):
    """Run a command; return its code and its bytes, whatever their encoding."""
    env = {name: os.fsdecode(value) for name, value in shell.environment(**env).items()}
    server = started(frozenset(heard_at_the_start(env).items()))
    done = server.run(
        [*map(os.fsdecode, args)],
        cwd=shell.folder,
        env=env,
        timeout=SECONDS_MAX,
        stdout=stdout,
    )
    assert b"Traceback" not in done.stderr, done.stderr
    assert b"Exception ignored" not in done.stderr, done.stderr
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("encoding", NARROW)
def test_every_name_is_shown_in_any_encoding(foreign, encoding):
    code, out, err = raw(foreign, "order", "list", **NARROW[encoding])

    codec = "ascii" if encoding == "C" else encoding
    assert (code, err) == (0, b"")
    assert r"\u0141" in out.decode(codec) or codec == "cp1252"
    assert r"\u9867\u5ba2-\U0001f642" in out.decode(codec)
    assert (SHOWN in out.decode(codec)) == (codec == "ascii")


@pytest.mark.parametrize("encoding", NARROW)
def test_json_is_the_same_in_any_encoding(foreign, encoding):
    code, out, _ = raw(foreign, "order", "list", "--json", **NARROW[encoding])

    assert code == 0
    (order,) = json.loads(out.decode("ascii"))["orders"]
    assert order["merchant_id"] == NAME


def test_json_is_plain_utf8_where_it_can_be(foreign):
    _, out, _ = raw(foreign, "order", "list", "--json", PYTHONIOENCODING="UTF8")

    assert NAME in out.decode()


COMMANDS = [
    ("order show {name}", 0),
    ("order show {name} --json", 0),
    ("dlq list", 0),
    ("provider pause acme --reason {reason}", 0),
    ("order show no-{name}", 1),
    ("order list --state {name}", 2),
    ("provider pause {name} --reason x", 1),
    ("{name}", 2),
    ("doctor", 2),
    ("spec fsm", 0),
    ("spec openapi", 0),
    ("--help", 0),
]


@pytest.mark.parametrize(("command", "code"), COMMANDS)
def test_every_command_goes_on_in_a_narrow_encoding(foreign, command, code):
    args = [
        word.format(name=NAME, reason=REASON.replace(" ", "_"))
        for word in command.split()
    ]
    answered, out, err = raw(foreign, *args, **POSIX)

    assert (answered, out.isascii(), err.isascii()) == (code, True, True), (out, err)
    if "--json" in args:
        assert json.loads(out)


def test_what_was_typed_in_a_narrow_locale_is_read_as_it_was_meant(foreign):
    raw(foreign, "provider", "pause", "acme", "--reason", REASON, **POSIX)

    history = foreign("provider", "history", "acme", "--json").json
    assert history["history"][0]["reason"] == REASON


def test_an_argument_that_is_no_text_is_told(shell):
    code, _, err = raw(shell, "order", "show", b"w-\xff")

    assert code == 2
    assert rb"the argument 'w-\\udcff' is not UTF-8" in err


def test_the_name_of_a_file_may_be_no_text(shell):
    code, out, err = raw(shell, "doctor", "--json", PAYMENT_CONFIG=b"\xff.toml")

    assert (code, err) == (2, b"")
    assert "?.toml: cannot be read" in json.dumps(json.loads(out))


@pytest.mark.parametrize("command", ["order list", "order show {name}", "doctor"])
def test_tables_are_drawn_on_a_narrow_terminal(foreign, command):
    code, out = on_terminal(foreign, command.format(name=NAME), **NARROW["ascii"])

    assert code == (2 if command == "doctor" else 0)
    assert "Traceback" not in out.decode("ascii")


def on_terminal(shell, command, **env):
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        shell.argv(*command.split()),
        cwd=shell.folder,
        env=shell.environment(TERM="xterm", COLUMNS="200", **env),
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        seen = b""
        # The terminal is gone with its last user.
        with suppress(OSError):
            while piece := os.read(ours, 65536):
                seen += piece
        os.close(ours)
    return process.returncode, seen


# Who reads, and who does not.

ANSWERS = [
    ("spec openapi", 0),
    ("order list --json", 0),
    ("doctor", 2),
    ("order show nobody", 1),
]


@pytest.mark.parametrize(("command", "code"), ANSWERS)
def test_a_reader_who_leaves_changes_nothing(foreign, command, code):
    ours, theirs = os.pipe()
    os.close(ours)
    with closing(os.fdopen(theirs, "wb")) as nobody:
        answered, _, _ = raw(foreign, *command.split(), stdout=nobody.fileno())

    assert answered == code


@pytest.mark.parametrize(("command", "code"), ANSWERS)
def test_a_full_disk_is_told_and_is_no_success(foreign, command, code):
    with Path("/dev/full").open("wb") as full:
        answered, _, err = raw(foreign, *command.split(), stdout=full.fileno())

    assert answered == (code or 1)
    told = b"the output cannot be written: No space left on device"
    assert (told in err) == (command != "order show nobody")


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_stream_that_is_closed_changes_nothing(foreign, closed):
    words = " ".join(foreign.argv("order", "show", "nobody"))
    done = subprocess.run(
        ["/bin/sh", "-c", f"{words} {closed}"],
        cwd=foreign.folder,
        env=foreign.environment(),
        capture_output=True,
        timeout=SECONDS_MAX,
        check=False,
    )

    assert done.returncode == 1
    assert b"Traceback" not in done.stderr
