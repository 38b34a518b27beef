"""Who collects for checkouts: what is unsafe is refused, by table and key."""

from datetime import timedelta

import pytest

from fsm.charge.policy import ChargePolicy
from fsm.engine.backoff import Backoff
from handlers.ports.clock import send_within
from tests.providers.config.test_config import problems, provider, read

TIMEOUT = 'timeout = "10s"'
SECOND = timedelta(seconds=1)


def acme(more="charge = {}"):
    return provider(TIMEOUT, more)


def checkout(*names):
    listed = ", ".join(f'"{name}"' for name in names)
    return f"\n[checkout]\npayment = [{listed}]\n"


def test_who_collects_is_read_in_order():
    zeta = acme().replace("[providers.acme]", "\n[providers.zeta]")
    config = read(acme() + zeta + checkout("zeta", "acme"))

    assert config.checkout.paid_by == {"payment": ("zeta", "acme")}


def test_where_nobody_is_named_the_service_is_asked():
    assert read(acme()).checkout.paid_by == {}


def test_a_table_becomes_a_policy():
    keys = 'key_lifetime = "24h", absent_after = "1m", deadline = "1h"'
    retry = 'retry = { first = "1s", factor = 3.0, max = "50s", attempts = 7 }'
    table = read(acme(f"charge = {{ {keys}, {retry} }}")).providers["acme"]

    assert table.charge_policy == ChargePolicy(
        retry=Backoff(first=SECOND, factor=3.0, longest=50 * SECOND),
        attempts=7,
        deadline=3600 * SECOND,
        # The last repeat is sent a timeout before the key's end.
        key_lifetime=timedelta(hours=24) - 10 * SECOND,
        absent_after=60 * SECOND,
    )


def test_what_is_not_promised_is_not_relied_on():
    policy = read(acme()).providers["acme"].charge_policy

    assert policy == ChargePolicy(key_lifetime=timedelta(0), absent_after=None)
    assert read(provider()).providers["acme"].charge_policy is None


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ([], "payment: must not be empty: left out, [services.payment] is asked"),
        (
            ["acmee"],
            "payment[0]: 'acmee' has no table [providers.acmee]; there are: acme",
        ),
        (["acme", "acme"], "payment[1]: 'acme' is there twice: each is tried once"),
        ([f"p{n}" for n in range(65)], "payment: must not name more than 64"),
    ],
)
def test_who_cannot_collect_is_refused_by_name(names, told):
    first, *_ = problems(acme() + checkout(*names))

    assert first.startswith(f"[checkout] {told}")


def test_who_collects_nothing_is_refused_by_name():
    (problem,) = problems(provider() + checkout("acme"))

    assert problem == (
        "[checkout] payment[0]: 'acme' collects nothing: give [providers.acme] a "
        "charge, as charge = {}"
    )


def test_a_provider_whose_table_is_refused_is_not_blamed_twice():
    (problem,) = problems(provider('timeout = "soon"') + checkout("acme"))

    assert problem.startswith("[providers.acme] timeout: ")


@pytest.mark.parametrize(
    ("keys", "key"),
    [
        ('absent_after = "15s"', "absent_after: must be longer than timeout"),
        ('absent_after = "10m"', "absent_after: must be shorter than the tries"),
        (
            'absent_after = "1m", deadline = "1m"',
            "absent_after: must be shorter than charge.deadline",
        ),
        ('key_lifetime = "2m"', "key_lifetime: must be longer than all tries"),
        ('key_lifetime = "0s"', "key_lifetime: "),
        ('absent_after = "0s"', "absent_after: "),
        ('deadline = "10s"', "deadline: must be longer than timeout"),
        (
            'deadline = "15s", retry = { first = "20s" }',
            "deadline: must be longer than charge.retry.first",
        ),
        ('deadline = "soon"', "deadline: "),
        (
            'retry = { first = "31s" }',
            "retry.first: must not be longer than charge.retry.max",
        ),
        ("retry = { attempts = 0 }", "retry.attempts: "),
        ("retry = { factor = 0.5 }", "retry.factor: "),
        ('retry = { max = "0s" }', "retry.max: "),
        ("retry = { often = 1 }", "retry.often: unknown key"),
        ("asks = false", "asks: unknown key"),
    ],
)
def test_what_would_charge_twice_or_hang_is_refused_by_key(keys, key):
    first, *_ = problems(acme(f"charge = {{ {keys} }}"))

    assert first.startswith(f"[providers.acme] charge.{key}")


def test_a_charge_is_under_way_for_as_long_as_the_message_may_be_worked_on():
    keys = 'charge = { absent_after = "16s" }'

    assert read(acme(keys))
    (problem,) = problems(acme(keys), ack_wait=timedelta(minutes=1))

    assert problem.startswith("[providers.acme] charge.absent_after: must be longer")
    assert send_within(timedelta(minutes=1)) == 10 * SECOND


def test_a_charge_that_outlives_its_message_is_refused():
    (problem,) = problems(provider('timeout = "30s"', "charge = {}"))

    assert problem.startswith("[providers.acme] timeout: must be shorter than PAYMENT")
