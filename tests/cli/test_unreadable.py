"""A file that a setting names and that cannot be read is named with the setting."""

import os
import socket
import stat
import threading

import pytest
import typer

from payment_service.cli import main
from payment_service.cli.commands import app
from payment_service.settings import Settings, SettingsError, environment
from providers.config import ConfigError, read_config
from tests.cli.stage import SECRET, TABLE

DATABASE = "postgresql://me:hunter22@127.0.0.1:1/x"
ID = "0195f1de-0000-7000-8000-000000000000"
# Every command, as it is called; who reads no settings and no configuration is None.
SETTINGS = "settings"
CONFIG = "configuration"
COMMANDS = {
    "demo": None,
    "dev --config nowhere.toml": None,
    "migrate": SETTINGS,
    "run": CONFIG,
    "doctor": CONFIG,
    "verify --providers": CONFIG,
    "audit export --from 2026-01-01 --to 2026-01-02": SETTINGS,
    f"order show {ID}": SETTINGS,
    "order list": SETTINGS,
    f"order cancel {ID} --reason x": SETTINGS,
    f"order erase {ID} --reason x": SETTINGS,
    "customer show c-1": SETTINGS,
    "customer erase c-1 --reason x": SETTINGS,
    f"task cancel {ID} --reason x": SETTINGS,
    f"task withdraw {ID} --reason x": SETTINGS,
    f"task resolve {ID} positive --reason x": SETTINGS,
    "case list": SETTINGS,
    f"case show {ID}": SETTINGS,
    f"case assign {ID} --owner me": SETTINGS,
    f"case settle {ID} --reason x": SETTINGS,
    f"case close {ID} --reason x": SETTINGS,
    f"case withdraw {ID} --reason x": SETTINGS,
    "dlq list": SETTINGS,
    f"dlq show {ID}": SETTINGS,
    f"dlq replay {ID}": SETTINGS,
    f"dlq discard {ID} --reason x": SETTINGS,
    "provider list": CONFIG,
    "provider pause acme --reason x": CONFIG,
    "provider resume acme": CONFIG,
    "provider history acme": SETTINGS,
    "provider check acme": CONFIG,
    "service check fraud": CONFIG,
    "service scenarios": None,
    "core check http://127.0.0.1:1": SETTINGS,
    "core scenarios": None,
    "trail": SETTINGS,
    "provider new acme": None,
    "provider scenarios": None,
    "partner list": CONFIG,
    "partner check acme": CONFIG,
    "partner new acme": None,
    "partner scenarios": None,
    "key new ann --role admin": SETTINGS,
    "key list": SETTINGS,
    "key agree ann": SETTINGS,
    "key revoke ann --reason x": SETTINGS,
    "four-eyes show": SETTINGS,
    "four-eyes set 5 --reason x": SETTINGS,
    "spec asyncapi": None,
    "spec openapi": None,
    "spec core": None,
    "spec fsm": None,
    "spec streams": SETTINGS,
    "simulator providers": None,
    "simulator core": None,
    "simulator scripts": None,
    "simulator upstream -": SETTINGS,
    "completion bash": None,
    "core-simulator": None,
}


def leaves(command, path=()):
    for name, each in getattr(command, "commands", {}).items():
        yield from leaves(each, (*path, name))
    if not hasattr(command, "commands"):
        yield " ".join(path)


def test_every_command_is_looked_at():
    known = {*leaves(typer.main.get_command(app))}

    assert {
        name for name in known if not any(c.startswith(name) for c in COMMANDS)
    } == (set())


@pytest.fixture(autouse=True)
def folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.startswith("PAYMENT_"):
            monkeypatch.delenv(name)
    return tmp_path


@pytest.fixture
def said(capsys):
    """Run a command here; return its code and its whole output."""

    def said(command):
        code = main(command.split())
        told = capsys.readouterr()
        return code, told.out + told.err

    return said


def a_folder(path):
    path.mkdir()


def a_pipe(path):
    os.mkfifo(path)


def a_socket(path):
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(path))


def holding(content):
    return lambda path: path.write_bytes(content)


def a_loop(path):
    path.symlink_to(path)


ODD_FILES = [
    (a_folder, "Is a directory"),
    (a_socket, "No such device or address"),
    (a_loop, "Too many levels of symbolic links"),
    (holding(b"A=1\nB=Malm\xf6\n"), "line 2 is not UTF-8"),
    (holding("A=1\nB=2\n".encode("utf-16")), "line 1 is not UTF-8"),
    (holding(b"A=1\n\nB=\x00\n"), "there is a NUL in line 3"),
]


@pytest.mark.parametrize(("make", "why"), ODD_FILES)
def test_a_file_of_settings_that_is_none_is_told(folder, make, why):
    make(folder / ".env")

    with pytest.raises(SettingsError) as refused:
        Settings.read()

    assert refused.value.problems == (f".env: cannot be read: {why}",)


@pytest.mark.parametrize(("make", "why"), ODD_FILES)
def test_a_configuration_that_is_none_is_told_with_its_setting(
    folder, said, monkeypatch, make, why
):
    monkeypatch.setenv("PAYMENT_CONFIG", "odd.toml")
    make(folder / "odd.toml")

    told = f"payment-service: PAYMENT_CONFIG: odd.toml: cannot be read: {why}\n"
    assert said("provider pause acme --reason x") == (2, told)


@pytest.mark.parametrize("command", [c for c, kind in COMMANDS.items() if kind])
def test_every_command_tells_of_the_file_of_settings(folder, said, command):
    (folder / ".env").mkdir()

    code, told = said(command)

    assert code == 2
    assert ".env: cannot be read: Is a directory" in told


@pytest.mark.parametrize("command", [c for c, k in COMMANDS.items() if k is CONFIG])
def test_every_command_tells_of_its_configuration(folder, said, monkeypatch, command):
    monkeypatch.setenv("PAYMENT_CONFIG", "odd.toml")
    monkeypatch.setenv("PAYMENT_DATABASE_URL", DATABASE)
    monkeypatch.setenv("PAYMENT_NATS_URL", "nats://127.0.0.1:1")
    monkeypatch.setenv("PAYMENT_CORE_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("PAYMENT_CORE_TOKEN", "hunter22")
    (folder / "odd.toml").mkdir()

    code, told = said(command)

    assert code == 2
    assert "PAYMENT_CONFIG: odd.toml: cannot be read: Is a directory" in told
    assert "hunter22" not in told


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("[providers.a]\nx = \n", "is not TOML: Invalid value (at line 2, column 5)"),
        ("x = 1\nx = 2\n", "Cannot overwrite a value (at line 2, column 6)"),
        ("[a]\n[b]\n[a]\n", "Cannot declare ('a',) twice (at line 3, column 3)"),
        ("x = " + "[" * 20_000, "it is nested too deeply"),
        ("x = " + "9" * 5_000, "Exceeds the limit"),
        ("x = 2026-02-30", "Invalid date or datetime"),
    ],
)
def test_what_is_no_toml_is_told_with_its_line(folder, content, why):
    (folder / "odd.toml").write_text(content)

    with pytest.raises(ConfigError) as refused:
        read_config(folder / "odd.toml", ack_wait=Settings.read().ack_wait)

    (told,) = refused.value.problems
    assert told.startswith(f"PAYMENT_CONFIG: {folder / 'odd.toml'} is not TOML: ")
    assert why in told
    assert len(told) < 400


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_what_editors_add_is_read_past(folder, newline):
    lines = TABLE.format(name="acme", url="http://127.0.0.1:1").splitlines()
    mark = b"\xef\xbb\xbf"
    (folder / "payment.toml").write_bytes(mark + newline.join(lines).encode())
    env = f"PAYMENT_HTTP_PORT=9{newline}SECRET_OF_PROVIDERS={SECRET}{newline}"
    (folder / ".env").write_bytes(mark + env.encode())

    settings = Settings.read()
    config = read_config(
        settings.config, ack_wait=settings.ack_wait, environment=environment()
    )

    assert settings.http_port == 9
    assert list(config.providers) == ["acme"]


def test_a_pipe_that_somebody_writes_to_is_read(folder):
    os.mkfifo(folder / "payment.toml")
    text = TABLE.format(name="acme", url="http://127.0.0.1:1")
    writer = threading.Thread(target=(folder / "payment.toml").write_text, args=[text])
    writer.start()

    config = read_config(
        folder / "payment.toml",
        ack_wait=Settings.read().ack_wait,
        environment={"SECRET_OF_PROVIDERS": SECRET},
    )
    writer.join()

    assert list(config.providers) == ["acme"]


def test_a_pipe_that_nobody_writes_to_is_told(folder, monkeypatch):
    monkeypatch.setattr("providers.files.PIPE_SECONDS_MAX", 0.1)
    os.mkfifo(folder / "payment.toml")

    with pytest.raises(ConfigError, match="nobody wrote to it"):
        read_config(folder / "payment.toml", ack_wait=Settings.read().ack_wait)


def test_what_never_ends_is_told(folder):
    (folder / "payment.toml").symlink_to("/dev/zero")

    with pytest.raises(ConfigError, match="it is larger than 4 MiB"):
        read_config(folder / "payment.toml", ack_wait=Settings.read().ack_wait)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_we_may_not_read_is_told(folder):
    (folder / ".env").write_text("")
    (folder / ".env").chmod(stat.S_IWUSR)

    with pytest.raises(SettingsError, match=r"\.env: cannot be read: Permission"):
        Settings.read()


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("PAYMENT_HTTP_PORT", "must be NAME=value"),
        ("PAYMENT_HTTP_PORT 9", "must be NAME=value"),
        ("PAYMENT_CORE_TOKEN='hunter22", "must be NAME=value"),
        ("PAYMENT_HTTP_PORT: 9", "must be NAME=value"),
        ("PAYMENT_METRICS_PORT=8", "PAYMENT_METRICS_PORT is set in line 3 already"),
    ],
)
def test_a_line_that_sets_nothing_is_told_by_number(folder, line, why):
    lines = ("# ports", "", "PAYMENT_METRICS_PORT=7", "", line, "X=1")
    (folder / ".env").write_text("\n".join(lines))

    with pytest.raises(SettingsError) as refused:
        Settings.read()

    assert refused.value.problems == (f".env line 5: {why}",)


def test_good_lines_of_every_form_are_read(folder):
    lines = (
        "# a comment",
        "export PAYMENT_HTTP_PORT=9 # and why",
        'PAYMENT_CORE_TOKEN="a token"'.replace(" ", "-"),
        "payment_metrics_port = 8",
        "PAYMENT_SUBJECT_PREFIX=",
        "OTHER='two\nlines'",
        "PAYMENT_HTTP_PORT=9",
    )
    (folder / ".env").write_text("\n".join(lines))

    settings = Settings.read()

    assert (settings.http_port, settings.metrics_port) == (9, 8)
    assert environment()["OTHER"] == "two\nlines"


@pytest.mark.parametrize("name", ["CREDS", "NKEY", "CA"])
def test_a_file_for_nats_that_cannot_be_read_is_told(folder, monkeypatch, name):
    monkeypatch.setenv(f"PAYMENT_NATS_{name}", str(folder / "nowhere"))

    with pytest.raises(SettingsError) as refused:
        Settings.read()

    why = "cannot be read: No such file or directory"
    assert refused.value.problems == (f"PAYMENT_NATS_{name}: {why}",)


def test_a_misspelt_setting_is_told_by_the_doctor(folder, said, monkeypatch):
    monkeypatch.setenv("PAYMENT_DATABSE_URL", DATABASE)
    (folder / ".env").write_text("PAYMENT_ACME_TOKEN=x\nPAYMENT_OTHER=x\n")
    (folder / "payment.toml").write_text('x = "${PAYMENT_ACME_TOKEN}"')

    _, told = said("doctor")

    meant = "PAYMENT_DATABSE_URL: is no setting: is PAYMENT_DATABASE_URL meant?"
    assert meant in told
    assert "PAYMENT_OTHER: is no setting →" in told
    assert "PAYMENT_ACME_TOKEN" not in told
    assert "hunter22" not in told


def test_a_file_for_the_simulator_that_cannot_be_read_is_told(said):
    code, told = said("simulator --config nowhere.toml")

    assert code == 2
    assert "nowhere.toml" in told
    assert told.count("\n") == 1
