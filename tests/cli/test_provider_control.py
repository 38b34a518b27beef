"""Pausing, resuming and listing providers at the command line."""

import pytest

from tests.cli.stage import Here

TABLE = """
[providers.acme]
adapter = "rest"
base_url = "https://acme.example"
limits = { rate = "20/s", in_flight = 9 }
maintenance = [{ weekly = "Sun 02:00-04:00", tz = "Europe/Riga" }]

[providers.zeta]
adapter = "rest"
base_url = "https://zeta.example"
"""


@pytest.fixture
def shell(tmp_path):
    """Run commands in this process: how they start is tested elsewhere."""
    return Here(tmp_path)


@pytest.fixture
def there(at_database):
    """Run commands with two providers and a database."""
    (at_database.folder / "payment.toml").write_text(TABLE)
    return at_database


def states(shell):
    shown = shell("provider", "list", "--json").json["providers"]
    return {each["name"]: (each["state"], each["because"]) for each in shown}


def test_a_provider_is_paused_shown_and_resumed(there):
    paused = there("provider", "pause", "zeta", "--reason", "they said so")
    assert (paused.code, paused.err) == (0, "")
    assert "zeta is paused until it is resumed" in paused.out
    state, because = states(there)["zeta"]
    assert state == "paused"
    assert because.startswith("paused by user:")
    assert because.endswith(": they said so")

    resumed = there("provider", "resume", "zeta", "--reason", "they are back")

    assert "zeta is resumed" in resumed.out
    assert states(there)["zeta"] == ("ready", None)
    assert "was not paused" in there("provider", "resume", "zeta").out
    told = there("provider", "history", "zeta", "--json").json["history"]
    assert [each["state"] for each in told] == ["ready", "paused"]
    assert [each["reason"] for each in told] == ["they are back", "they said so"]


def test_a_pause_may_have_an_end(there):
    answer = there(
        "provider", "pause", "acme", "--reason", "r", "--for", "2h", "--json"
    )

    assert answer.json["status"] == "paused"
    assert answer.json["until"].endswith("Z")
    assert f"until {answer.json['until'][:4]}" in states(there)["acme"][1]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("pause", "acme", "--reason", ""), 2, "--reason"),
        (("pause", "acme", "--reason", "r", "--for", "soon"), 2, "--for"),
        (("pause", "acme", "--reason", "r", "--for", "0s"), 2, "--for"),
        (("pause", "nobody", "--reason", "r"), 1, "no provider 'nobody'"),
        (("resume", "nobody"), 1, "it has acme, zeta"),
        (("history", "nobody"), 1, "no provider"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_line(there, arguments, code, said):
    answer = there("provider", *arguments)

    assert (answer.code, answer.out) == (code, "")
    assert said in answer.err
    assert answer.err.count("\n") == 1


def test_without_a_database_the_providers_are_listed_all_the_same(shell):
    (shell.folder / "payment.toml").write_text(TABLE)

    listed = shell("provider", "list")
    away = shell(
        "provider", "list", PAYMENT_DATABASE_URL="postgresql://x@127.0.0.1:1/none"
    )

    assert listed.code == away.code == 0
    assert "acme" in listed.out
    assert "How they do is not known: " in away.out


def test_the_plan_tells_in_words_when_there_is_new_work(shell):
    (shell.folder / "payment.toml").write_text(TABLE)

    shown = shell("provider", "list", "--json").json["providers"]

    plan = " ".join(shown[0]["policy"])
    assert "All replicas together send 20 in 1s creates at most." in plan
    assert "9 of them under way" in plan
    assert "no new work Sun 02:00-04:00 (Europe/Riga)" in plan
