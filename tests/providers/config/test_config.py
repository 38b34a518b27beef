"""The configuration file: what is unsafe is refused, by table and key, all at once."""

import json
import re
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import get_args

import pytest

from fsm.domain.durations import format_duration
from fsm.domain.rates import Rate
from fsm.engine.backoff import Backoff
from fsm.flows import CHECKOUT
from fsm.payout.policy import ProviderPolicy, policy_for
from fsm.service.policy import Default, ServicePolicy
from handlers.checkout.load import PLAN
from providers.config import ConfigError, WebhookTable, parse_config, read_config
from providers.config.health import BreakerTable, HealthTable, LimitsTable
from providers.config.services import CAN_BE_UNDONE, LOADS, NO_RETURN, STEPS
from providers.config.tables import HmacTable, PublicKeyTable
from providers.signatures import SCHEMES, SignatureForm
from providers.signatures.public_keys import ALGORITHMS
from tests.fuzz.routes import PaypalKey

PAGE = Path(__file__).parents[3] / "docs/configuration.md"

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ENVIRONMENT = {"ACME_TOKEN": "t0k3n", "ACME_WHSEC": SECRET, "ACME_WHSEC_OLD": SECRET}
MINUTE = timedelta(minutes=1)
CONTRACT = """
[providers.acme]
adapter = "rest"
base_url = "https://acme.example/api"
headers = { Authorization = "Bearer ${ACME_TOKEN}" }
timeout = "10s"
max_in_flight = 50
status = true
idempotent_create = true
key_lifetime = "24h"
not_found = "ambiguous"
not_found_grace = "2m"
rejection_codes = []
sla = "15m"
on_sla = "poll"
webhook = { scheme = "standard", secrets = ["${ACME_WHSEC}", "${ACME_WHSEC_OLD}"], tolerance = "5m", rate = "100/s" }
poll    = { first = "30s", factor = 2.0, max = "5m", deadline = "30m" }
recheck = { first = "5s", factor = 2.0, max = "5m", attempts = 8 }
breaker = { window = "1m", failure_rate = 0.7, min_calls = 20, open = "30s" }

[services.fraud]
base_url = "http://fraud.internal"
timeout = "5s"
retry = { first = "500ms", factor = 2.0, max = "30s", attempts = 10 }

[partners.rbc]
base_url = "https://rbc.example/dashpass"
countries = ["CA"]
bins = ["4510", "451400-451499"]
multi_match = "provisional"
fallback = { first = "6h", factor = 2.0, max = "24h", deadline = "5d" }
"""  # noqa: E501 - as in the contract


def read(text, ack_wait=timedelta(seconds=30), environment=ENVIRONMENT):
    return parse_config(text, ack_wait=ack_wait, environment=environment)


def provider(*lines):
    table = '[providers.acme]\nadapter = "rest"\nbase_url = "https://acme.example"\n'
    return table + "\n".join(lines)


def problems(text, **options):
    with pytest.raises(ConfigError) as refused:
        read(text, **options)
    return str(refused.value).splitlines()


def test_the_example_of_the_contract_is_read():
    config = read(CONTRACT)

    acme = config.providers["acme"]
    assert acme.headers["Authorization"].get_secret_value() == "Bearer t0k3n"
    assert [s.get_secret_value() for s in acme.webhook.secrets] == [SECRET, SECRET]
    assert acme.webhook.rate == Rate(100, timedelta(seconds=1))
    assert acme.timeout == timedelta(seconds=10)
    assert config.services["fraud"].retry.attempts == 10
    assert config.partners["rbc"].bins == ("4510", "451400-451499")


def test_the_plan_says_what_the_table_says():
    assert read(CONTRACT).providers["acme"].policy == ProviderPolicy(
        idempotent_create=True,
        key_lifetime=timedelta(hours=24),
        not_found_definite=False,
        not_found_grace=2 * MINUTE,
        sla=15 * MINUTE,
        polls=True,
        poll=Backoff(first=MINUTE / 2, factor=2.0, longest=5 * MINUTE),
        poll_deadline=30 * MINUTE,
        recheck=Backoff(first=MINUTE / 12, factor=2.0, longest=5 * MINUTE),
        recheck_attempts=8,
    )


def test_what_is_not_said_is_safe():
    assert read(provider()).providers["acme"].policy == ProviderPolicy()


def test_a_simulator_needs_no_other_key():
    assert (
        read('[providers.x]\nadapter = "simulator"').providers["x"].policy
        == ProviderPolicy()
    )


@pytest.mark.parametrize(
    ("lines", "sla", "polls"),
    [
        (['sla = "none"'], None, True),
        (['sla = "1m"', 'on_sla = "manual"'], MINUTE, False),
        (["status = false", "idempotent_create = true"], 15 * MINUTE, False),
        (["status = false", 'on_sla = "manual"'], 15 * MINUTE, False),
    ],
)
def test_what_follows_the_sla(lines, sla, polls):
    plan = read(provider(*lines)).providers["acme"].policy

    assert (plan.sla, plan.polls) == (sla, polls)


def test_nothing_secret_is_shown():
    shown = repr(read(CONTRACT))

    assert "t0k3n" not in shown
    assert SECRET not in shown


def webhook(**changes):
    keys = {"scheme": '"standard"', "secrets": f'["{SECRET}"]', **changes}
    return f"webhook = {{ {', '.join(f'{k} = {v}' for k, v in keys.items())} }}"


SOON, LATER = "2026-01-31T00:00:00Z", "2026-02-28T00:00:00Z"
HMAC = '{ header = "X-Sig", event_id_header = "X-Id" }'
HEX_SECRETS = f'["{"0f" * 32}"]'


def secret(more):
    return webhook(secrets=f'[{{ value = "{SECRET}", {more} }}]')


def hmac(**changes):
    keys = {"header": '"X-Sig"', "event_id_header": '"X-Id"', **changes}
    table = ", ".join(f"{name} = {value}" for name, value in keys.items())
    return webhook(scheme='"hmac"', hmac=f"{{ {table} }}")


UNSAFE = [
    (['timeout = "30s"'], "timeout"),
    (['timeout = "1m"'], "timeout"),
    (['timeout = "10s"', 'not_found_grace = "9s"'], "not_found_grace"),
    (["status = false", "idempotent_create = false"], "status"),
    (["status = false"], "status"),
    (["status = false", "idempotent_create = true", 'on_sla = "poll"'], "on_sla"),
    (['key_lifetime = "0s"'], "key_lifetime"),
    (
        ['timeout = "10s"', "idempotent_create = true", 'key_lifetime = "10s"'],
        "key_lifetime",
    ),
    (['poll = { first = "31m" }'], "poll.first"),
    (['poll = { first = "2s", deadline = "1s" }'], "poll.first"),
    (['poll = { first = "0s" }'], "poll.first"),
    (["poll = { factor = 0.5 }"], "poll.factor"),
    (["poll = { factor = nan }"], "poll.factor"),
    (["recheck = { factor = inf }"], "recheck.factor"),
    (["recheck = { attempts = 0 }"], "recheck.attempts"),
    (["recheck = { attempts = 1.5 }"], "recheck.attempts"),
    (["breaker = { failure_rate = 1.5 }"], "breaker.failure_rate"),
    (["breaker = { min_calls = 0 }"], "breaker.min_calls"),
    (['base_url = "ftp://acme.example"'], "base_url"),
    (['base_url = "https://me:t0k3n@acme.example"'], "base_url"),
    (['timeout = "soon"'], "timeout"),
    (["timeout = 10"], "timeout"),
    (['status = "yes"'], "status"),
    (["max_in_flight = 0"], "max_in_flight"),
    (['not_found = "maybe"'], "not_found"),
    (['on_sla = "hope"'], "on_sla"),
    (['sla = "never"'], "sla"),
    (["rejection_codes = [1]"], "rejection_codes[0]"),
    (['colour = "red"'], "colour"),
    (['name = "other"'], "name"),
    (["poll = { often = true }"], "poll.often"),
    (["options = { a = 1 }"], "options"),
    (['headers = { "Idempotency-Key" = "x" }'], "headers"),
    (['headers = { "A B" = "x" }'], "headers"),
    (['headers = { A = "x\\r\\nB: y" }'], "headers"),
    ([webhook(tolerance='"61m"')], "webhook.tolerance"),
    ([webhook(rate='"fast"')], "webhook.rate"),
    ([webhook(scheme='"none"')], "webhook.scheme"),
    (["webhook = {}"], "webhook.secrets"),
    ([webhook(secrets="[]")], "webhook.secrets"),
    ([webhook(secrets='[""]')], "webhook.secrets"),
    ([webhook(secrets='["whsec_"]')], "webhook.secrets"),
    ([webhook(secrets='["whsec_c2hvcnQ="]')], "webhook.secrets"),
    ([webhook(secrets='["whsec_not base64 at all!"]')], "webhook.secrets"),
    ([webhook(secrets=f'["{SECRET[6:]}"]')], "webhook.secrets"),
    ([webhook(secrets=f'["{SECRET}", "whsec_"]')], "webhook.secrets"),
    ([webhook(scheme='"stripe"', secrets='["fifteen bytes.."]')], "webhook.secrets"),
    ([webhook(scheme='"hmac-sha256"', secrets='["short"]')], "webhook.secrets"),
    ([webhook(secrets="[1]")], "webhook.secrets[0]"),
    ([webhook(secrets="[{}]")], "webhook.secrets[0].value"),
    ([secret('colour = "red"')], "webhook.secrets[0].colour"),
    ([secret('not_before = "tomorrow"')], "webhook.secrets[0].not_before"),
    ([secret("not_before = 2026-01-31T00:00:00")], "webhook.secrets[0].not_before"),
    ([secret('not_after = "2026-01-31"')], "webhook.secrets[0].not_after"),
    (
        [secret(f'not_before = "{LATER}", not_after = "{SOON}"')],
        "webhook.secrets[0].not_after",
    ),
    ([webhook(scheme='"checkout"', secrets='["short"]')], "webhook.secrets"),
    ([webhook(scheme='"adyen-platform"')], "webhook.secrets"),
    ([webhook(scheme='"checkout"', tolerance='"5m"')], "webhook.tolerance"),
    ([webhook(scheme='"adyen"', secrets=HEX_SECRETS)], "webhook.scheme"),
    ([webhook(scheme='"hmac"')], "webhook.hmac"),
    ([webhook(hmac=HMAC)], "webhook.hmac"),
    ([hmac(header='"a b"')], "webhook.hmac.header"),
    ([hmac(event_id_header='"x:"')], "webhook.hmac.event_id_header"),
    ([hmac(event_id_pointer='"/id"')], "webhook.hmac.event_id_header"),
    ([hmac(template='"{ts}"')], "webhook.hmac.template"),
    ([hmac(timestamp_header='"X-Ts"')], "webhook.hmac.template"),
    ([hmac(digest='"sha1"')], "webhook.hmac.digest"),
    ([hmac(digest='"md5"')], "webhook.hmac.digest"),
    ([hmac(encoding='"base32"')], "webhook.hmac.encoding"),
    ([hmac(key_encoding='"rot13"')], "webhook.hmac.key_encoding"),
    ([hmac(timestamp_unit='"ns"')], "webhook.hmac.timestamp_unit"),
    ([hmac(timestamp_item='""')], "webhook.hmac.timestamp_item"),
    ([hmac(tolerance_future='"2h"')], "webhook.hmac.tolerance_future"),
    ([hmac(colour='"red"')], "webhook.hmac.colour"),
]


@pytest.mark.parametrize(("lines", "key"), UNSAFE)
def test_what_is_unsafe_is_refused_by_table_and_key(lines, key):
    text = provider(*lines)
    if lines[0].startswith("base_url"):
        text = text.replace('base_url = "https://acme.example"\n', "")

    (problem,) = problems(text)

    assert problem.startswith(f"[providers.acme] {key}: ")
    assert "t0k3n" not in problem


def test_a_rest_provider_needs_an_address():
    assert problems('[providers.acme]\nadapter = "rest"') == [
        "[providers.acme] base_url: is missing"
    ]


def test_the_ack_wait_is_the_limit():
    assert read(provider('timeout = "29s"', 'not_found_grace = "29s"'))
    assert problems(provider('timeout = "9s"'), ack_wait=timedelta(seconds=9))


@pytest.mark.parametrize("name", ["A", "-a", '"a.b"', '"ä"', '""', "a" * 65])
def test_a_name_fits_into_urls_subjects_and_labels(name):
    (problem,) = problems(f'[providers.{name}]\nadapter = "simulator"')

    assert "the name must be" in problem


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[logging]\na = 1", "[logging]: unknown table"),
        ("providers = 1", "[providers]: must be a table of tables"),
        ("[providers]\nacme = 1", "[providers.acme]: must be a table"),
        ("[services.tea]", "[services.tea] name: "),
        ('[services.fraud]\nbase_url = "x"', "[services.fraud] base_url: "),
        (
            '[services.fraud]\nbase_url = "http://f"\ntimeout = "30s"',
            "[services.fraud] timeout: must be shorter than PAYMENT_ACK_WAIT (30s)",
        ),
    ],
)
def test_other_tables_are_checked_too(text, problem):
    assert problem in "\n".join(problems(text))


def service(name, *lines):
    return f'[services.{name}]\nbase_url = "http://s.internal"\n' + "\n".join(lines)


DEFAULT = 'default = { after = "10s", result = { decision = "allow" } }'


@pytest.mark.parametrize(
    ("name", "lines", "key"),
    [
        ("payment", [DEFAULT], "default: must not be there: payment has an undo"),
        ("delivery", [DEFAULT], "default: must not be there: delivery has an undo"),
        ("merchant", [DEFAULT], "default: must not be there: there is no return"),
        ("fraud", ['default = { after = "10s" }'], "default.result: is missing"),
        ("fraud", ["default = { result = {} }"], "default.after: is missing"),
        ("fraud", ['default = { after = "0s", result = {} }'], "default.after: "),
        ("fraud", ['default = { after = "1s", result = 1 }'], "default.result: "),
        (
            "fraud",
            ['default = { after = "1s", result = { at = 2026-01-01 } }'],
            "default.result.at: must be text",
        ),
        (
            "fraud",
            ['default = { after = "1s", result = { a = [{ n = nan }] } }'],
            "default.result.a[0].n: must be a finite",
        ),
        (
            "fraud",
            ['default = { after = "1s", result = { n = 9223372036854775808 } }'],
            "default.result.n: must fit",
        ),
        (
            "fraud",
            ['default = { after = "1s", result = { t = "\\u0000" } }'],
            "default.result.t: must have no NUL",
        ),
        (
            "fraud",
            [
                "default = { after = '1s', result = "
                + "{ a = " * 9
                + "1"
                + " }" * 9
                + " }"
            ],
            "default.result.a.a.a.a.a.a.a.a: must not be nested",
        ),
        ("fraud", [DEFAULT, 'deadline = "9s"'], "default.after: must not be longer"),
        ("fraud", ['deadline = "5s"'], "deadline: must be longer than timeout"),
        ("fraud", ['deadline = "0s"'], "deadline: "),
        (
            "fraud",
            ['retry = { first = "20s" }', 'deadline = "6s"'],
            "deadline: must be longer than retry.first",
        ),
        ("fraud", ['retry = { first = "31s" }'], "retry.first: must not be longer"),
        ("fraud", ["retry = { attempts = 0 }"], "retry.attempts: "),
        ("fraud", ["retry = { factor = 0.5 }"], "retry.factor: "),
        ("fraud", ["retry = { often = true }"], "retry.often: unknown key"),
        ("fraud", ['asks = "yes"'], "asks: "),
        ("fraud", ['timeout = "30s"'], "timeout: must be shorter than PAYMENT_ACK"),
        ("fraud", ['token = ""'], "token: must be printable"),
        ("fraud", ['token = "a\\r\\nb"'], "token: must be printable"),
        (
            "fraud",
            ['token = "t"', 'headers = { AUTHORIZATION = "x" }'],
            "headers: must not have an Authorization beside token",
        ),
        ("fraud", ['headers = { "Idempotency-Key" = "x" }'], "headers: "),
        ("fraud", ["undo = true"], "undo: unknown key"),
        ("items", ["asks = false"], "asks: has no meaning: items is loaded"),
        ("items", ['deadline = "1m"'], "deadline: has no meaning"),
        ("items", [DEFAULT], "default: has no meaning"),
        ("fruad", [], "name: must be a step (fraud, payment, delivery, merchant)"),
    ],
)
def test_an_unsafe_service_is_refused(name, lines, key):
    (problem,) = problems(service(name, *lines))

    assert problem.startswith(f"[services.{name}] {key}")


def test_a_service_does_a_step_of_a_flow_or_loads_what_is_planned():
    steps = {step.name: step for step in CHECKOUT.steps}

    assert {*STEPS} == {*steps}
    assert {name for name, step in steps.items() if step.undo} == CAN_BE_UNDONE
    assert {n for n, step in steps.items() if step.point_of_no_return} == NO_RETURN
    assert {*LOADS} == {fetch.name for fetch in PLAN}


def test_a_service_becomes_a_policy():
    text = service(
        "fraud",
        'retry = { first = "1s", factor = 3.0, max = "9s", attempts = 4 }',
        'deadline = "2m"',
        "asks = false",
        DEFAULT,
    )

    assert read(text).services["fraud"].policy == ServicePolicy(
        asks=False,
        retry=Backoff(first=MINUTE / 60, factor=3.0, longest=MINUTE * 9 / 60),
        attempts=4,
        deadline=2 * MINUTE,
        default=Default(after=MINUTE / 6, result={"decision": "allow"}),
    )
    assert read(service("payment")).services["payment"].policy == ServicePolicy()


def test_the_token_of_a_service_is_a_secret():
    table = read(service("fraud", 'token = "${ACME_TOKEN}"')).services["fraud"]

    assert table.sent_headers == {"Authorization": "Bearer t0k3n"}
    assert "t0k3n" not in repr(table)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("checkout = 1", "[checkout]: must be a table"),
        ("[checkout]\ncolour = 1", "[checkout] colour: unknown key"),
        ('[checkout]\npayment = "acme"', "[checkout] payment: "),
        (
            '[checkout]\npayment = ["acme"]',
            "[checkout] payment[0]: 'acme' has no table",
        ),
    ],
)
def test_the_table_of_the_checkout_is_checked(text, problem):
    (told,) = problems(text)

    assert told.startswith(problem)


def test_a_table_of_the_checkout_that_says_nothing_is_taken():
    assert read("[checkout]").checkout.payment == ()


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"countries": '["ca"]'}, "countries[0]"),
        ({"countries": "[]"}, "countries"),
        ({"bins": '["45a0"]'}, "bins[0]"),
        ({"bins": '["451499-451400"]'}, "bins[0]"),
        ({"bins": '["4514-451499"]'}, "bins[0]"),
        ({"multi_match": '"guess"'}, "multi_match"),
        ({"fallback": '{ first = "6d", max = "6d" }'}, "fallback.first"),
        ({"timeout": '"30s"'}, "timeout"),
    ],
)
def test_a_partner_is_checked(changes, key):
    keys = {"base_url": '"https://p"', "countries": '["CA"]', "bins": '["4510"]'}
    lines = [f"{name} = {value}" for name, value in (keys | changes).items()]

    (problem,) = problems("\n".join(["[partners.rbc]", *lines]))

    assert problem.startswith(f"[partners.rbc] {key}: ")


def test_a_missing_variable_is_named_with_table_and_key():
    first, second = problems(CONTRACT, environment={"ACME_WHSEC": SECRET})

    assert first.startswith("[providers.acme] headers.Authorization: ")
    assert second.startswith("[providers.acme] webhook.secrets[1]: ")
    assert second.endswith("the environment variable ACME_WHSEC_OLD is not set")


def test_what_a_missing_variable_spoils_is_told_once():
    text = provider().replace("https://acme.example", "${ACME_URL}")

    (problem,) = problems(text)

    assert problem.endswith("the environment variable ACME_URL is not set")


@pytest.mark.parametrize("text", ["${", "${}", "${A B}", "${ACME_TOKEN"])
def test_a_dollar_that_opens_nothing_is_refused(text):
    (problem,) = problems(provider(f'headers = {{ A = "{text}" }}'))

    assert problem == "[providers.acme] headers.A: has a ${ that is not ${NAME}"


def test_a_variable_is_not_expanded_again():
    config = read(
        provider('headers = { A = "${A}" }'), environment={"A": "${B}", "B": "x"}
    )

    assert config.providers["acme"].headers["A"].get_secret_value() == "${B}"


def test_an_empty_variable_is_an_empty_secret():
    environment = ENVIRONMENT | {"ACME_WHSEC_OLD": ""}

    (problem,) = problems(CONTRACT, environment=environment)

    assert problem.startswith("[providers.acme] webhook.secrets: ")


def test_all_problems_are_listed_one_a_line():
    text = provider('timeout = "3m"', 'poll = { first = "2h" }') + "\n[services.tea]"

    assert [line.partition(": ")[0] for line in problems(text)] == [
        "[providers.acme] timeout",
        "[providers.acme] not_found_grace",
        "[providers.acme] poll.first",
        "[services.tea] name",
        "[services.tea] base_url",
    ]


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"payment\.toml: cannot be read"):
        read_config(tmp_path / "payment.toml", ack_wait=MINUTE, environment={})


def test_a_file_that_is_not_toml_is_refused(tmp_path):
    (tmp_path / "a.toml").write_bytes(b"\xff")
    (tmp_path / "b.toml").write_text("[providers")

    for name in ("a.toml", "b.toml"):
        with pytest.raises(ConfigError, match=r"UTF-8|TOML"):
            read_config(tmp_path / name, ack_wait=MINUTE, environment={})


def test_a_cascade_entry_changes_the_sla_alone():
    plan = ProviderPolicy(idempotent_create=True)

    assert policy_for(plan, None) is plan
    assert policy_for(plan, "none") == ProviderPolicy(idempotent_create=True, sla=None)
    assert policy_for(plan, "1m") == ProviderPolicy(idempotent_create=True, sla=MINUTE)
    assert policy_for(plan, "1m") is policy_for(plan, "1m")
    with pytest.raises(ValueError, match="not a duration"):
        policy_for(plan, "soon")


# Webhooks of other schemes


def verifier(*lines):
    return read(provider(*lines)).providers["acme"].webhook.verifier()


@pytest.mark.parametrize("moment", [f'"{SOON}"', SOON, '"2026-01-31T01:00:00+01:00"'])
def test_a_secret_may_have_a_window(moment):
    lines = secret(f'not_before = {moment}, not_after = "{LATER}"')
    (first,) = read(provider(lines)).providers["acme"].webhook.secrets

    assert first.not_before == datetime(2026, 1, 31, tzinfo=UTC)
    assert first.get_secret_value() == SECRET
    assert SECRET not in repr(first)


def test_a_missing_variable_in_a_table_of_a_secret_is_named():
    (problem,) = problems(provider(webhook(secrets='[{ value = "${NONE}" }]')))

    assert problem.startswith("[providers.acme] webhook.secrets[0].value: ")


@pytest.mark.parametrize(
    "lines",
    [
        webhook(scheme='"checkout"', secrets='["sixteen bytes.. "]'),
        webhook(scheme='"adyen-platform"', secrets=HEX_SECRETS),
        webhook(scheme='"hmac-sha256"', tolerance='"5m"'),
        hmac(),
        hmac(template='"{ts}.{body}"', timestamp_header='"X-Ts"', digest='"sha512"'),
    ],
)
def test_what_signs_the_whole_body_is_for_every_adapter(lines):
    assert verifier(lines)


def test_every_knob_of_the_scheme_can_be_turned_in_the_file():
    knobs = {field.name for field in fields(SignatureForm)}

    of_hmac, of_keys = set(HmacTable.model_fields), set(PublicKeyTable.model_fields)
    assert knobs - of_hmac == {"table", "exact", "algorithm"}
    assert knobs - of_keys == {"table", "exact", "digest", "key_encoding", "key_prefix"}
    assert of_hmac | of_keys - {"keys"} <= knobs


def test_every_scheme_can_be_named():
    named = WebhookTable.model_fields["scheme"].annotation

    assert get_args(named) == tuple(SCHEMES)


def test_the_page_names_every_scheme_and_every_kind_of_key():
    page = PAGE.read_text()
    kinds = {name for name in ALGORITHMS if "sha" not in name or "256" in name}

    for name in {*SCHEMES, *kinds}:
        assert f"`{name}`" in page, name


PIN = "https://api.paypal.com/v1/notifications/certs/CERT-1"


def paypal(**changes):
    keys = {
        "webhook_id": '"8PT597110X687430LKGECATA"',
        "certificates": f'{{ "{PIN}" = {json.dumps(PaypalKey.made().pem)} }}',
        **changes,
    }
    table = ", ".join(f"{name} = {value}" for name, value in keys.items() if value)
    hook = f'{{ scheme = "paypal", paypal = {{ {table} }} }}'
    return f'[providers.acme]\nadapter = "package:Class"\nwebhook = {hook}'


def test_the_certificates_of_paypal_are_pinned_in_the_file_or_beside_it(tmp_path):
    file = tmp_path / "paypal.pem"
    file.write_text(PaypalKey.made().pem)
    pinned = f'{{ "{PIN}" = "{file}" }}'

    for text in (paypal(), paypal(certificates=pinned)):
        assert read(text).providers["acme"].webhook.verifier()


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"webhook_id": None}, "paypal.webhook_id"),
        ({"webhook_id": '""'}, "paypal.webhook_id"),
        ({"certificates": None}, "paypal.certificates"),
        ({"certificates": "{}"}, "paypal.certificates"),
        ({"certificates": f'{{ "{PIN}" = "" }}'}, "paypal.certificates"),
        ({"certificates": f'{{ "{PIN}" = "none.pem" }}'}, "paypal.certificates"),
        ({"certificates": f'{{ "{PIN}" = "-----BEGIN" }}'}, "paypal.certificates"),
        ({"certificates": f'{{ "{PIN[:-1]}?" = "x" }}'}, "paypal.certificates"),
    ],
)
def test_paypal_without_pins_is_refused(changes, key):
    (problem,) = problems(paypal(**changes))

    assert problem.startswith(f"[providers.acme] webhook.{key}: ")


def test_paypal_without_its_table_is_refused_and_is_not_for_our_own_adapters():
    bare = 'webhook = { scheme = "paypal" }'
    scheme, table = problems(provider(bare))

    assert scheme.startswith("[providers.acme] webhook.scheme: ")
    assert table == "[providers.acme] webhook.paypal: is missing"


HEALTH = {
    "breaker": BreakerTable(),
    "limits": LimitsTable(),
    "health": HealthTable(),
}


def in_words(value):
    if isinstance(value, timedelta):
        return format_duration(value)
    if isinstance(value, Rate):
        return f"{value.count}/s" if value.period == timedelta(seconds=1) else value
    return "none" if value in {None, ()} else str(value)


def test_the_page_shows_every_key_about_new_work_with_its_default():
    page = PAGE.read_text()
    table = page.partition("<!-- health:begin -->")[2].partition("<!-- health:end -->")[
        0
    ]
    shown: dict[str, str] = {}
    for line in table.strip().splitlines()[2:]:
        keys, _, default = (cell.strip() for cell in line.strip("| ").split(" | "))
        values = default.replace("`", "").split(", ")
        names = re.findall(r"`([a-z_.]+)`", keys)
        shown.update(zip(names, values * len(names), strict=False))

    known = {
        f"{table}.{key}": in_words(value)
        for table, made in HEALTH.items()
        for key, value in made
    }
    assert shown == {**known, "max_in_flight": "50", "maintenance": "none"}


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ("breaker = { probes = 0 }", "breaker.probes"),
        ('limits = { rate = "fast" }', "limits.rate"),
        ("limits = { in_flight = 0 }", "limits.in_flight"),
        ('health = { patience = "0s" }', "health.patience"),
        ('health = { hope = "1s" }', "health.hope"),
        ('maintenance = [{ weekly = "Sunday" }]', "maintenance[0].weekly"),
        (
            'maintenance = [{ weekly = "Sun 02:00-04:00", tz = "Europe/Nowhere" }]',
            "maintenance[0].tz",
        ),
    ],
)
def test_what_makes_no_sense_about_new_work_is_refused(line, key):
    text = (
        f'[providers.acme]\nadapter = "rest"\nbase_url = "https://a.example"\n{line}\n'
    )

    with pytest.raises(ConfigError) as refused:
        parse_config(text, ack_wait=timedelta(seconds=30), environment={})

    (problem,) = refused.value.problems
    assert problem.startswith(f"[providers.acme] {key}: ")


def test_what_is_said_about_new_work_becomes_the_terms_of_the_keeper():
    text = """
    [providers.acme]
    adapter = "rest"
    base_url = "https://a.example"
    timeout = "8s"
    limits = { rate = "600/m", in_flight = 7 }
    health = { patience = "1m", release = "5/s", retry_after_max = "2m" }
    maintenance = [{ weekly = "Sun 02:00-04:00", tz = "Europe/Riga" }]
    """
    config = parse_config(text, ack_wait=timedelta(seconds=30), environment={})

    terms = config.providers["acme"].terms

    assert terms.rate == Rate(600, MINUTE)
    assert (terms.in_flight, terms.in_flight_here, terms.release) == (7, 50, 5.0)
    assert (terms.patience, terms.silence_max) == (MINUTE, 2 * MINUTE)
    assert terms.breaker.hung_after == 4.0
    (window,) = terms.maintenance
    assert window.until(datetime(2026, 1, 4, 1, tzinfo=UTC)) is not None


# Public keys and tokens


EDWARDS = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"


def public_key(**changes):
    knobs = {
        "algorithm": '"ed25519"',
        "header": '"X-Signature"',
        "event_id_pointer": '"/id"',
        "keys": f'["{EDWARDS}"]',
        **changes,
    }
    table = ", ".join(f"{name} = {value}" for name, value in knobs.items())
    return f'webhook = {{ scheme = "public-key", public_key = {{ {table} }} }}'


@pytest.mark.parametrize(
    "keys",
    [
        f'["{EDWARDS}"]',
        '["${THEIR_KEY}"]',
        f'["{EDWARDS}", {{ value = "{EDWARDS}", not_after = "{LATER}" }}]',
    ],
)
def test_a_public_key_stands_in_the_file_or_in_the_environment(keys):
    text = provider(public_key(keys=keys))
    config = parse_config(text, ack_wait=MINUTE, environment={"THEIR_KEY": EDWARDS})

    webhook = config.providers["acme"].webhook
    assert isinstance(webhook, WebhookTable)
    assert webhook.verifier()


def test_a_public_key_may_be_the_file_that_holds_it(tmp_path):
    file = tmp_path / "their.key"
    file.write_text(f"{EDWARDS}\n")

    assert verifier(public_key(keys=f'["{file}"]'))


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"keys": "[]"}, "public_key.keys: must have at least one key"),
        ({"keys": '["/no/such/file"]'}, "public_key.keys[0].value: cannot be read"),
        ({"algorithm": '"rsa-sha256"'}, "public_key.keys: must have RSA keys"),
        ({"algorithm": '"rsa-sha1"'}, "public_key.algorithm: must be one of rsa-"),
        ({"timestamp_unit": '"h"'}, "public_key.timestamp_unit: "),
        ({"secrets": '["k"]'}, "public_key.secrets: unknown key"),
    ],
)
def test_a_public_key_that_proves_nothing_is_refused(changes, problem):
    (told,) = problems(provider(public_key(**changes)))

    assert told.startswith(f"[providers.acme] webhook.{problem}")


def test_a_short_token_is_refused_and_not_shown():
    knobs = 'token = { header = "verif-hash", event_id_pointer = "/id" }'
    hook = f'webhook = {{ scheme = "token", secrets = ["hunter2 hunter2"], {knobs} }}'

    (told,) = problems(provider(hook))

    assert "no secret of less than 16 bytes" in told
    assert "hunter2" not in told


SIGNS = 'providers = ["acme"]\nsecrets = ["sixteen-bytes-or-more"]'


def forwarders(text, providers=CONTRACT):
    return parse_config(
        providers + text, ack_wait=MINUTE, environment=ENVIRONMENT
    ).forwarders


def test_a_forwarder_is_read_with_its_secrets():
    found = forwarders(
        '[forwarders.svc]\nproviders = ["acme"]\nsecrets = ["sixteen-bytes-or-more"]\n'
        'tolerance = "1m"\nmay = ["webhooks", "cancel"]\n'
    )["svc"]

    assert found.providers == ("acme",)
    assert found.may == ("webhooks", "cancel")
    assert "sixteen" not in repr(found)


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ("", "providers: is missing"),
        ('providers = ["acme"]', "secrets: is missing"),
        ('providers = ["acme"]\nsecrets = ["short"]', "less than 16 bytes"),
        ('providers = ["acme"]\nsecrets = [""]', "less than 16 bytes"),
        ('providers = ["nobody"]\ntrust = "nats"', "no [providers.nobody] is there"),
        ('providers = ["acme"]\ntrust = "everybody"', "trust: "),
        (
            'providers = ["acme"]\ntrust = "nats"\nsecrets = ["sixteen-bytes-or-more"]',
            'secrets: has no meaning beside trust = "nats"',
        ),
        (
            'providers = ["acme"]\ntrust = "nats"\ntolerance = "1m"',
            'tolerance: has no meaning beside trust = "nats"',
        ),
        (
            f'{SIGNS}\ntolerance = "2h"',
            "tolerance: must not be longer than 1h",
        ),
        ('may = []\ntrust = "nats"', "may: must not be empty"),
        ('may = ["pay"]\ntrust = "nats"', "may[0]: "),
        (
            'providers = ["acme"]\nmay = ["cancel"]\ntrust = "nats"',
            "providers: has no meaning",
        ),
        ('providers = ["acme"]\ntrust = "nats"\nfor = "all"', "for: unknown key"),
        (
            'providers = ["acme"]\nsecrets = ["${ACME_WHSEC}"]',
            "secrets: has one that [providers.acme] has too",
        ),
    ],
)
def test_an_unsafe_forwarder_is_refused(table, told):
    with pytest.raises(ConfigError) as refused:
        forwarders(f"[forwarders.svc]\n{table}\n")

    assert "[forwarders.svc]" in refused.value.problems[0]
    assert told in refused.value.problems[0]


def test_two_forwarders_do_not_share_a_secret():
    table = 'providers = ["acme"]\nsecrets = ["sixteen-bytes-or-more"]\n'
    with pytest.raises(ConfigError, match=r"one that \[forwarders.a\] has too"):
        forwarders(f"[forwarders.a]\n{table}[forwarders.b]\n{table}")
