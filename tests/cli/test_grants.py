"""`migrate --grants`, and the commands of docs/database.md, as they are written."""

import os
import re
import secrets
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from payment_service.playground.embedded import EmbeddedPostgres
from payment_service.playground.embedded.postgres import FAST, installed_programs
from tests.cli.stage import ROOT
from tests.playground.embedded.processes import memory_folder

PAGE = ROOT / "docs/database.md"
COMMAND = re.compile(r"^\$ (.*?)(?: {2,}#.*| +#.*)?$", re.MULTILINE)
ROLES = ("OWNER", "SERVICE", "READER")


def states(answer):
    return {(f["area"], f["what"]): f["state"] for f in answer.json["findings"]}


@pytest.fixture
def server():
    """Run a server of its own: the page's names of roles are nobody else's there."""
    with EmbeddedPostgres(settings=FAST, within=memory_folder()) as server:
        yield server


def test_the_commands_of_the_page_do_what_it_says(shell, server):
    commands = COMMAND.findall(PAGE.read_text())
    (shell.folder / "payment.toml").write_text("")
    rest = server.url.rpartition("@")[2]
    env = {
        "ADMIN_URL": server.url,
        **{f"{r}_PASSWORD": f"{r}-secret" for r in ROLES},
        **{
            f"{r}_URL": f"postgresql://payment_{r.lower()}:{r}-secret@{rest}"
            for r in ROLES
        },
    }
    tools = (Path(sys.executable).parent, installed_programs())
    path = os.pathsep.join([*map(str, tools), os.environ["PATH"]])

    said = [
        subprocess.run(
            ["/bin/sh", "-euc", command],
            env=shell.environment(**env, PATH=path),
            cwd=shell.folder,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for command in commands
    ]

    assert len(said) == 8
    assert "Schema: none → 0001" in said[5]
    assert "ok     database      powers: this user may do what it needs" in said[6]


@pytest.fixture
def renamed(postgres_server):
    """Give options that name three roles of the test's own."""
    mark = secrets.token_hex(6)
    names = [f"{what}_{mark}" for what in ("owner", "service", "reader")]
    yield [f"--{name.partition('_')[0]}={name}" for name in names]
    with psycopg.connect(postgres_server.url, autocommit=True) as connection:
        for name in names:
            drop = sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(name))
            connection.execute(drop)


def test_without_a_database_the_sql_is_printed_all_the_same(shell):
    answer = shell("migrate", "--grants", "--service", "some body's")

    assert answer.code == 0
    assert "set_config('payment.service', 'some body''s', true)" in answer.out


def test_the_sql_is_for_the_schema_to_which_the_address_leads(shell, database_url):
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA pay")
    url = f"{database_url}?options=-csearch_path%3Dpay"

    answer = shell("migrate", "--grants", "--json", PAYMENT_DATABASE_URL=url)

    assert answer.json["schema"] == "pay"
    assert answer.json["sql"].endswith("COMMIT;\n")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--apply"], "--apply goes with --grants"),
        (["--grants", "--sql"], "--sql without"),
        (["--grants", "--owner", "public"], "--owner: public is no role's name"),
        (["--grants", "--owner", "x" * 64], "--owner: a name has 1 to 63 bytes"),
        (["--grants", "--apply", "--schema", "pay"], "leads to schema public"),
    ],
)
def test_wrong_options_are_told(at_database, options, told):
    answer = at_database("migrate", *options)

    assert (answer.code, answer.err.count("\n")) == (2, 1)
    assert told in answer.err


def test_who_may_not_grant_is_told_and_nothing_is_changed(shell, granted, renamed):
    url = granted.owner
    answer = shell("migrate", "--grants", "--apply", *renamed, PAYMENT_DATABASE_URL=url)

    assert (answer.code, answer.err.count("\n")) == (1, 1)
    assert "nothing was granted: permission denied to create role" in answer.err
    assert "let a superuser run it" in answer.err


def test_the_doctor_says_who_could_change_the_books(
    shell, granted, database_url, nats_server
):
    (shell.folder / "payment.toml").write_text("")
    shell.env["PAYMENT_NATS_URL"] = nats_server.url

    seen = {
        url: states(shell("doctor", "--json", PAYMENT_DATABASE_URL=url))
        for url in (granted.service, granted.owner, database_url)
    }

    powers = [found["database", "powers"] for found in seen.values()]
    assert powers == ["ok", "advice", "advice"]
    served = seen[granted.service]
    wrong = {
        what
        for (area, what), state in served.items()
        if area in {"database", "work"} and state != "ok"
    }
    # The tests' server is made to be fast.
    assert wrong <= {"fsync", "full_page_writes", "partitions"}


def test_the_reader_is_told_what_he_may_not_see(shell, granted):
    shell.env["PAYMENT_DATABASE_URL"] = granted.reader

    cases, verified = shell("case", "list"), shell("verify")

    assert cases.code == 0
    assert (verified.code, verified.err.count("\n")) == (1, 1)
    assert "permission denied for table order_queues" in verified.err


@pytest.mark.usefixtures("orders")
def test_who_serves_verifies_and_migrates_to_where_it_is(shell, granted):
    shell.env["PAYMENT_DATABASE_URL"] = granted.service

    assert shell("verify").code == 0
    assert "nothing to do" in shell("migrate").out
