"""Wrong usage and settings are one line and exit code 2; nothing prints a secret."""

import json
from importlib.metadata import version

import pytest

from tests.cli.stage import Here, Shell

CANARY = "hunter2-canary"
URL = f"postgresql://someone:{CANARY}@127.0.0.1:1/none"
NEEDING_THE_DATABASE = (
    ("migrate",),
    ("order", "list"),
    ("order", "show", "w-1"),
    ("dlq", "list"),
    ("dlq", "show", "x"),
    ("dlq", "replay", "--all"),
    ("dlq", "discard", "x", "--reason", "y"),
    ("verify",),
)


@pytest.fixture
def shell(tmp_path):
    """Run commands in this process: how they start is tested elsewhere."""
    return Here(tmp_path)


def one_line(answer, code):
    assert answer.code == code, answer
    assert answer.out == ""
    assert answer.err.startswith("payment-service: ")
    assert answer.err.count("\n") == 1
    assert CANARY not in answer.err
    return answer.err


def test_help_lists_the_commands(shell):
    answer = shell("--help")

    assert answer.code == 0
    for name in ("demo", "migrate", "run", "doctor", "order", "dlq", "verify", "spec"):
        assert f"  {name} " in answer.out


def test_the_version_is_told(shell):
    answer = shell("--version")

    assert answer.code == 0
    assert answer.out == f"payment-service {version('payment-service')}\n"


@pytest.mark.parametrize("command", NEEDING_THE_DATABASE)
def test_a_missing_setting_is_named(shell, command):
    assert "PAYMENT_DATABASE_URL is missing" in one_line(shell(*command), 2)


@pytest.mark.parametrize("command", NEEDING_THE_DATABASE)
def test_a_database_that_is_away_is_told_without_its_password(shell, command):
    told = one_line(shell(*command, PAYMENT_DATABASE_URL=URL), 1)

    assert "cannot connect to PostgreSQL" in told


@pytest.mark.parametrize(
    "command", [("order", "list"), ("dlq", "list"), ("dlq", "replay", "--all")]
)
def test_a_database_without_tables_asks_for_a_migration(
    shell, empty_database_url, command
):
    told = one_line(shell(*command, PAYMENT_DATABASE_URL=empty_database_url), 1)

    assert "run `payment-service migrate`" in told


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("nonsense",), "nonsense"),
        (("order", "show"), "--help"),
        (("order", "list", "--limit", "0"), "--limit"),
        (("order", "list", "--state", "OPEN"), "--state"),
        (("order", "list", "--task-state", "OPEN"), "--task-state"),
        (("order", "list", "--kind", "gift"), "--kind"),
        (("order", "list", "--from", "yesterday"), "--from"),
        (("dlq", "replay"), "--all"),
        (("dlq", "replay", "x", "--all"), "--all"),
        (("dlq", "replay", "x", "--subject", "y"), "--subject"),
        (("dlq", "discard", "x"), "--reason"),
        (("run", "--roles", "api,cook"), "cook"),
        (("run", "--roles", ""), "--roles"),
        (("simulator", "--config", "missing.toml"), "missing.toml"),
    ],
)
def test_wrong_usage_is_told(shell, command, said):
    assert said in one_line(shell(*command), 2)


def test_run_names_every_missing_setting(shell):
    told = one_line(shell("run"), 2)

    for name in ("DATABASE_URL", "NATS_URL", "CORE_URL", "CORE_TOKEN"):
        assert f"PAYMENT_{name} is missing" in told


def test_run_names_every_malformed_setting(shell):
    wrong = {
        "PAYMENT_DATABASE_URL": f"mysql://{CANARY}",
        "PAYMENT_NATS_URL": f"http://{CANARY}",
        "PAYMENT_CORE_TOKEN": f"{CANARY} with space",
        "PAYMENT_HTTP_PORT": "many",
    }

    told = one_line(shell("run", **wrong), 2)

    assert all(name in told for name in wrong)


def test_a_broken_configuration_is_refused(shell):
    (shell.folder / "payment.toml").write_text("[providers.acme]\nadapter = 'rest'\n")

    told = one_line(shell("provider", "list"), 2)

    assert "[providers.acme] base_url: is missing" in told


def test_the_env_file_is_read(shell):
    (shell.folder / ".env").write_text(f"PAYMENT_DATABASE_URL={URL}\n")

    assert "cannot connect" in one_line(shell("order", "list"), 1)


def test_providers_are_listed_with_their_plans(shell):
    (shell.folder / "payment.toml").write_text(
        '[providers.acme]\nadapter = "rest"\nbase_url = "https://acme.example"\n'
        f'headers = {{ Authorization = "Bearer {CANARY}" }}\n'
    )

    answer = shell("provider", "list", "--json")
    plain = shell("provider", "list")

    acme = answer.json["providers"][0]
    assert acme["name"] == "acme"
    assert "The create is never repeated once it may have left." in acme["policy"]
    assert "https://acme.example" in plain.out
    assert CANARY not in answer.out + plain.out


@pytest.mark.parametrize("document", ["asyncapi", "openapi", "fsm", "streams"])
def test_a_document_is_always_the_same(shell, document):
    process = Shell(shell.folder)
    first, second = process("spec", document), process("spec", document)

    assert first.code == 0
    assert first.out == second.out


def test_the_documents_speak_of_the_contract(shell):
    assert "/v1/providers/{name}/pause" in shell("spec", "openapi").json["paths"]
    assert shell("spec", "asyncapi").json["asyncapi"].startswith("3.")
    assert "MANUAL_CHECK" in shell("spec", "fsm").out
    streams = shell("spec", "streams", PAYMENT_SUBJECT_PREFIX="pay").json
    assert (len(streams["streams"]), len(streams["consumers"])) == (4, 3)
    rights = streams["permissions"]["publish"]
    assert "$JS.API.CONSUMER.MSG.NEXT.pay_ORDER_TASKS.payment-tasks" in rights


def test_migrate_brings_a_database_to_the_newest_schema(shell, empty_database_url):
    shell.env["PAYMENT_DATABASE_URL"] = empty_database_url

    script = shell("migrate", "--sql")
    first = shell("migrate", "--json")
    again = shell("migrate")

    assert "CREATE TABLE order_queues" in script.out
    assert first.json["from"] is None
    assert first.json["to"] in again.out
    assert "nothing to do" in again.out
    assert shell("order", "list", "--json").json == {"orders": [], "next_cursor": None}
    assert "CREATE TABLE order_queues" not in shell("migrate", "--sql").out


@pytest.mark.parametrize("command", ["simulator", "core-simulator"])
def test_a_simulator_says_where_it_listens(shell, command):
    process = shell.start(command)
    try:
        ready = json.loads(process.stdout.readline())
    finally:
        process.terminate()
    _, said = process.communicate(timeout=10)

    assert ready["port"] > 0
    assert process.returncode == 0
    assert said == ""
