"""Settings stop the start with one line that names each problem, and no secret."""

import hashlib
import traceback
from datetime import date, timedelta

import pytest

from fsm.domain.keys import ApiKey, KeyRole, parse_api_keys
from payment_service.settings import (
    ROLES,
    Settings,
    SettingsError,
    environment,
    proxies,
)
from tests.wires.certificates import authority

DATABASE = "postgresql://me:hunter22@one:5432,two:5432/payments?sslmode=require"
HASH = hashlib.sha256(b"a key").hexdigest()
WHOLE = {
    "PAYMENT_DATABASE_URL": DATABASE,
    "PAYMENT_NATS_URL": "nats://one:4222, nats://two:4222",
    "PAYMENT_CORE_URL": "https://core.example/api/",
    "PAYMENT_CORE_TOKEN": "hunter22",
}


@pytest.fixture(autouse=True)
def bare(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name in environment(None):
        if name.startswith(("PAYMENT_", "SSL_CERT_")) or "_PROXY" in name.upper():
            monkeypatch.delenv(name)


@pytest.fixture
def read(monkeypatch):
    def read(roles=(), needs=(), **given):
        for name, value in given.items():
            monkeypatch.setenv(name, value)
        return Settings.read(roles=roles, needs=needs)

    return read


def test_nothing_is_needed_where_nothing_runs(read):
    settings = read()

    assert settings.database_url is None
    assert settings.nats_urls == []


def test_the_defaults_are_those_of_the_contract(read):
    settings = read()

    assert (settings.http_host, settings.http_port) == ("127.0.0.1", 8000)
    assert (settings.metrics_port, settings.stream_replicas) == (9100, 1)
    assert (settings.ack_wait, settings.max_deliver) == (timedelta(seconds=30), 8)
    assert settings.core_timeout == timedelta(seconds=5)
    assert settings.nats_silence == timedelta(seconds=60)
    assert settings.sweep_interval == timedelta(seconds=10)
    assert settings.sweep_grace == timedelta(seconds=30)
    assert (settings.subject_prefix, settings.api_keys) == ("", ())
    assert (settings.public_url, settings.four_eyes_from) == (None, None)
    assert (str(settings.config), settings.schedules) == ("payment.toml", True)


@pytest.mark.parametrize("role", ROLES)
def test_every_role_needs_the_database_and_nats_and_the_worker_core(read, role):
    with pytest.raises(SettingsError) as refused:
        read(roles=[role])

    named = {problem.split()[0] for problem in refused.value.problems}
    core = {"PAYMENT_CORE_URL", "PAYMENT_CORE_TOKEN"} if role == "worker" else set()
    assert named == {"PAYMENT_DATABASE_URL", "PAYMENT_NATS_URL"} | core


def test_a_command_names_what_it_needs(read):
    with pytest.raises(SettingsError, match="PAYMENT_DATABASE_URL is missing: set it"):
        read(needs=["database_url"])


def test_a_whole_environment_is_read(read):
    settings = read(roles=ROLES, **WHOLE)

    assert settings.database_url.get_secret_value() == DATABASE
    assert settings.nats_urls == ["nats://one:4222", "nats://two:4222"]
    assert settings.core_url == "https://core.example/api"
    assert "hunter22" not in repr(settings)


def test_subjects_of_answers_are_patterns(read):
    settings = read(PAYMENT_REPLY_SUBJECTS="upstream.answers.>, shop.*.heard")

    assert settings.reply_subjects == ("upstream.answers.>", "shop.*.heard")


@pytest.mark.parametrize(
    "subjects", [">", "*", "*.answers", "$JS.API.>", "a b", "a.", ","]
)
def test_an_answer_never_goes_to_all_that_there_is(read, subjects):
    with pytest.raises(SettingsError, match="PAYMENT_REPLY_SUBJECTS must be one or"):
        read(PAYMENT_REPLY_SUBJECTS=subjects)


def test_settings_do_not_change(read):
    with pytest.raises(ValueError, match="frozen"):
        read().http_port = 1


def test_an_empty_variable_is_as_good_as_none(read):
    assert read(PAYMENT_PUBLIC_URL="", PAYMENT_ACK_WAIT="").public_url is None


def test_the_environment_stands_above_the_file(read, tmp_path):
    (tmp_path / ".env").write_text("PAYMENT_HTTP_PORT=1\nPAYMENT_METRICS_PORT=2\nX=3\n")

    settings = read(PAYMENT_HTTP_PORT="9")

    assert (settings.http_port, settings.metrics_port) == (9, 2)
    assert (environment()["PAYMENT_HTTP_PORT"], environment()["X"]) == ("9", "3")


@pytest.mark.parametrize(
    "address",
    [
        "postgres://me@one/payments",
        "postgresql://me:a%2Fb%40c%25@[::1]:5432/payments",
        "postgresql:///payments?host=/run/postgresql&user=me",
        "postgresql://one:1,two:2/payments?target_session_attrs=any",
        "postgresql://one/payments?sslmode=verify-full&sslrootcert=/ca.pem",
        "postgresql://?service=payments",
    ],
)
def test_every_form_of_address_that_libpq_reads_is_taken(read, address):
    read(PAYMENT_DATABASE_URL=address)


BAD = [
    ("PAYMENT_DATABASE_URL", "mysql://hunter22"),
    ("PAYMENT_DATABASE_URL", "postgresql+psycopg://hunter22"),
    ("PAYMENT_DATABASE_URL", "hunter22"),
    ("PAYMENT_DATABASE_URL", "postgresql://me:hunter22%zz@one/payments"),
    ("PAYMENT_DATABASE_URL", "postgresql://me:hunter22@x@one/payments"),
    ("PAYMENT_DATABASE_URL", "postgresql://me:hunter22/x@one/payments"),
    ("PAYMENT_DATABASE_URL", "postgresql://me:12/hunter22@one/payments"),
    ("PAYMENT_DATABASE_URL", "postgresql://me:x@one/payments?hunter22=1"),
    ("PAYMENT_DATABASE_PREPARE", "hunter22"),
    ("PAYMENT_NATS_URL", "http://hunter22"),
    ("PAYMENT_NATS_URL", "nats://one:4222,hunter22"),
    ("PAYMENT_NATS_URL", "nats://one:4222,"),
    ("PAYMENT_CORE_URL", "hunter22"),
    ("PAYMENT_CORE_URL", "ftp://hunter22"),
    ("PAYMENT_CORE_URL", "https://me:hunter22@core.example"),
    ("PAYMENT_CORE_URL", "https://core.example?hunter22"),
    ("PAYMENT_CORE_URL", "https://core.example:99999"),
    ("PAYMENT_CORE_URL", "https://"),
    ("PAYMENT_CORE_TOKEN", "hunter22\r\nX-Other: 1"),
    ("PAYMENT_CORE_TIMEOUT", "hunter22"),
    ("PAYMENT_CORE_TIMEOUT", "5"),
    ("PAYMENT_CORE_TIMEOUT", "0s"),
    ("PAYMENT_CORE_TIMEOUT", "30s"),
    ("PAYMENT_NATS_SILENCE", "9s"),
    ("PAYMENT_HTTP_PORT", "hunter22"),
    ("PAYMENT_HTTP_PORT", "70000"),
    ("PAYMENT_METRICS_PORT", "-1"),
    ("PAYMENT_PUBLIC_URL", "hunter22"),
    ("PAYMENT_API_KEYS", "hunter22"),
    ("PAYMENT_API_KEYS", "a:viewer:hunter22"),
    ("PAYMENT_API_KEYS", f"a:hunter22:{HASH}"),
    ("PAYMENT_API_KEYS", f"hunter22/:viewer:{HASH}"),
    ("PAYMENT_API_KEYS", f"a:viewer:{HASH},b:viewer:{HASH}"),
    ("PAYMENT_API_KEYS", f"a:viewer:{HASH},a:viewer:{'0' * 64}"),
    ("PAYMENT_AUDIT_KEYS", "hunter22"),
    ("PAYMENT_AUDIT_KEYS", "k:hunter22"),
    ("PAYMENT_AUDIT_KEYS", f"k:{HASH[:62]}"),
    ("PAYMENT_AUDIT_KEYS", f"hunter22/:{HASH}"),
    ("PAYMENT_AUDIT_KEYS", f"k:{HASH},k:{HASH}"),
    ("PAYMENT_AUDIT_KEYS", f"open:{HASH}"),
    ("PAYMENT_AUDIT_KEYS", f"open,k:{HASH}"),
    ("PAYMENT_AUDIT_EXPORT_KEY", "hunter22"),
    ("PAYMENT_ANCHOR_STREAM", "hunter22.*"),
    ("PAYMENT_ANCHOR_STREAM", "hunter22 x"),
    ("PAYMENT_ANCHOR_NATS_URL", "hunter22"),
    ("PAYMENT_ANCHOR_INTERVAL", "0s"),
    ("PAYMENT_FOUR_EYES_FROM", "0"),
    ("PAYMENT_SUBJECT_PREFIX", "hunter22.x"),
    ("PAYMENT_SUBJECT_PREFIX", "hunter22*"),
    ("PAYMENT_STREAM_REPLICAS", "0"),
    ("PAYMENT_ACK_WAIT", "hunter22"),
    ("PAYMENT_MAX_DELIVER", "0"),
    ("PAYMENT_SWEEP_INTERVAL", "0s"),
    ("PAYMENT_SCHEDULES", "hunter22"),
    ("PAYMENT_LOG_LEVEL", "hunter22"),
    ("PAYMENT_TRACE_SAMPLE", "2"),
    ("PAYMENT_OTLP_ENDPOINT", "hunter22"),
]


@pytest.mark.parametrize(("name", "value"), BAD)
def test_a_bad_value_is_named_and_not_shown(read, name, value):
    with pytest.raises(SettingsError) as refused:
        read(**{name: value})

    (line,) = str(refused.value).splitlines()
    assert line.startswith(f"{name} ")
    assert "hunter22" not in line
    assert "hunter22" not in "".join(traceback.format_exception(refused.value))


def test_all_problems_stand_on_one_line(read):
    with pytest.raises(SettingsError) as refused:
        read(PAYMENT_HTTP_PORT="x", PAYMENT_ACK_WAIT="x", PAYMENT_LOG_LEVEL="x")

    assert len(refused.value.problems) == 3
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "PAYMENT_CORE_CA: cannot be read: No such file or directory"),
        ("hunter22", "PAYMENT_CORE_CA: must have a certificate in PEM form"),
    ],
)
def test_an_authority_for_core_that_is_none_is_named(read, tmp_path, content, said):
    if content is not None:
        (tmp_path / "ca.pem").write_text(content)

    with pytest.raises(SettingsError) as refused:
        read(PAYMENT_CORE_CA="ca.pem", PAYMENT_CORE_URL="https://core.example")

    assert refused.value.problems == (said,)


def test_an_authority_for_core_vouches_over_tls_only(read, tmp_path):
    ca = str(authority(tmp_path, "Core Root").pem)

    assert read(PAYMENT_CORE_CA=ca, PAYMENT_CORE_URL="https://core.example")
    with pytest.raises(SettingsError, match="PAYMENT_CORE_CA needs"):
        read(PAYMENT_CORE_CA=ca, PAYMENT_CORE_URL="http://core.example")


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
@pytest.mark.parametrize("value", ["", "nowhere"])
def test_where_openssl_would_trust_nobody_it_is_named(monkeypatch, name, value):
    monkeypatch.setenv(name, value)

    with pytest.raises(SettingsError, match=f"^{name}: cannot be read: "):
        proxies()


def test_authorities_of_the_environment_may_be_a_file_and_a_folder(
    monkeypatch, tmp_path
):
    ca = authority(tmp_path, "Acme Root").pem
    monkeypatch.setenv("SSL_CERT_FILE", str(ca))
    monkeypatch.setenv("SSL_CERT_DIR", f"/:{tmp_path}")

    assert proxies().find("https", "acme.example", 443) is None


def test_a_proxy_may_stand_in_the_file(tmp_path):
    (tmp_path / ".env").write_text("HTTPS_PROXY=http://me:hunter22@proxy:3128\n")

    assert str(proxies().find("https", "acme.example", 443)) == "http://proxy:3128"


def test_a_proxy_that_is_none_is_named_and_not_shown(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "socks5://me:hunter22@proxy:1080")

    with pytest.raises(SettingsError, match=r"^HTTPS_PROXY: ") as refused:
        proxies()

    assert "hunter22" not in str(refused.value)


@pytest.mark.parametrize(("text", "on"), [("on", True), ("off", False)])
def test_schedules_are_on_or_off(read, text, on):
    assert read(PAYMENT_SCHEDULES=text).schedules is on


def test_api_keys_are_names_roles_and_hashes(read):
    keys = read(PAYMENT_API_KEYS=f"ann:admin:{HASH}, up:upstream:{'A' * 64},").api_keys

    assert keys[0] == ApiKey("ann", KeyRole.ADMIN, bytes.fromhex(HASH))
    assert keys[1].role is KeyRole.UPSTREAM
    assert HASH not in repr(keys)


def test_an_api_key_says_whose_it_is_for_whom_and_until_when(read):
    told = (
        f"anna-2:support:{HASH}:expires=2026-12-31:person=anna,"
        f"shop:upstream:{'A' * 64}:merchants=m-1+m=2"
    )
    anna, shop = read(PAYMENT_API_KEYS=told).api_keys

    assert (anna.person, anna.expires, anna.merchants) == (
        "anna",
        date(2026, 12, 31),
        None,
    )
    assert (shop.person, shop.expires, shop.merchants) == (None, None, {"m-1", "m=2"})


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (":person=", "person that is not"),
        (":person=ann secret", "person that is not"),
        (":person=Änna", "person that is not"),
        (":person=ann:person=bob", "attribute twice"),
        (":secret=x", "attribute that is none of person"),
        (":merchants", "attribute that is none of person"),
        (":", "attribute that is none of person"),
        (":merchants=m-secret", "binds a role other than upstream"),
        (":expires=tomorrow-secret", "not a date like"),
        (":expires=2026-02-30", "not a date that exists"),
        (":expires=20261231", "not a date like"),
    ],
)
def test_a_bad_attribute_is_named_by_its_entry_and_never_shown(read, more, said):
    told = f"one:viewer:{'B' * 64},two:support:{HASH}{more}"

    with pytest.raises(SettingsError, match=f"entry 2 .*{said}") as refused:
        read(PAYMENT_API_KEYS=told)

    assert "secret" not in str(refused.value)
    assert HASH not in str(refused.value)


@pytest.mark.parametrize(
    "merchants", ["", "m-1+", "+m-1", "m-1++m-2", "m-1 +m-2", "m\u2028x"]
)
def test_merchants_that_are_no_ids_are_refused(merchants):
    with pytest.raises(ValueError, match=r"entry 1 .*merchants that are not ids"):
        parse_api_keys(f"up:upstream:{HASH}:merchants={merchants}")


def test_names_that_differ_in_case_alone_are_the_same():
    with pytest.raises(ValueError, match="same name"):
        parse_api_keys(f"ann:viewer:{HASH},Ann:admin:{'B' * 64}")


def test_the_first_audit_key_signs_and_none_is_shown(read):
    keys = read(PAYMENT_AUDIT_KEYS=f"new:{HASH}, old:{'A' * 64}, open,").audit_keys

    assert (keys.signer, [*keys.keys], keys.secret) == (
        "new",
        ["new", "old", "open"],
        True,
    )
    assert HASH not in repr(keys)


def test_without_an_audit_key_anybody_could_sign(read):
    assert not read().audit_keys.secret


def test_no_keys_are_none():
    assert parse_api_keys("") == ()


@pytest.mark.parametrize(
    "url",
    [
        "nats://me:p%40s%2Fs@one:4222",
        "nats://token@one,tls://me:pw@[::1]:4222",
        "nats://one/",
    ],
)
def test_nats_is_found_with_a_name_and_a_password(read, url):
    assert read(PAYMENT_NATS_URL=url).nats_urls == url.split(",")


@pytest.mark.parametrize(
    "url",
    [
        "nats://me:hunter/22@one",
        "nats://me:hunter#22@one",
        "nats://me:hunter?22@one",
        "nats://me:hunter@22@one",
        "nats://one:0",
        "nats://one:x",
        "nats://:4222",
    ],
)
def test_a_password_that_would_be_misread_is_refused_and_not_shown(read, url):
    with pytest.raises(SettingsError, match="PAYMENT_NATS_URL must be") as refused:
        read(PAYMENT_NATS_URL=url)

    assert "hunter" not in str(refused.value)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"PAYMENT_NATS_INBOX_PREFIX": "_INBOX.>"}, "PAYMENT_NATS_INBOX_PREFIX"),
        ({"PAYMENT_NATS_DOMAIN": "a.b"}, "PAYMENT_NATS_DOMAIN"),
        ({"PAYMENT_NATS_KEY": "k.pem"}, "PAYMENT_NATS_CERT is missing"),
        (
            {"PAYMENT_NATS_NKEY": "a", "PAYMENT_NATS_CREDS": "b"},
            "PAYMENT_NATS_NKEY and PAYMENT_NATS_CREDS",
        ),
    ],
)
def test_who_we_are_to_nats_is_said_once(read, given, problem):
    with pytest.raises(SettingsError, match=problem):
        read(**given)
