"""The small worlds that are searched: together they hold every kind of provider."""

from dataclasses import replace
from typing import Final

from fsm.payout.policy import AskedBy, ProviderPolicy
from tests.model.asking import GRACE
from tests.model.world import Setup

ASKED: Final = ProviderPolicy(not_found_grace=GRACE, recheck_attempts=2)
DEFINITE: Final = replace(ASKED, not_found_definite=True)
IDEMPOTENT: Final = replace(ASKED, idempotent_create=True)
BOTH: Final = replace(DEFINITE, idempotent_create=True)
MANUAL: Final = replace(ASKED, polls=False, recheck_attempts=1)
PATIENT: Final = replace(ASKED, sla=None, recheck_attempts=1)
SETTLING: Final = replace(ASKED, settles_returns=True, recheck_attempts=1)
UNASKED: Final = replace(IDEMPOTENT, asked_by=AskedBy.NOTHING)
FORGETFUL: Final = replace(UNASKED, key_lifetime=GRACE)
THEIRS: Final = replace(IDEMPOTENT, asked_by=AskedBy.THEIRS)
ALL_WEBHOOKS: Final = ("succeeded", "failed", "accepted")

SETUPS: Final = (
    Setup(name="definite", plan=DEFINITE, webhook=()),
    Setup(name="definite, webhooks", plan=DEFINITE, crashes=0, webhook=("failed",)),
    Setup(
        name="definite, all webhooks, in turn",
        plan=DEFINITE,
        overlaps=0,
        webhook=ALL_WEBHOOKS,
    ),
    Setup(name="idempotent", plan=IDEMPOTENT, providers=1),
    Setup(
        name="idempotent, webhooks", plan=IDEMPOTENT, crashes=0, providers=1, overlaps=2
    ),
    Setup(name="both", plan=BOTH, webhook=("succeeded",), crashes=0),
    Setup(name="only asked", plan=ASKED, webhook=()),
    Setup(name="a person after the SLA", plan=MANUAL, answers_status=False),
    Setup(name="no SLA", plan=PATIENT, crashes=0),
    Setup(
        name="cancelled in turn",
        plan=BOTH,
        overlaps=0,
        cancels=1,
        poor=True,
        refusals=1,
    ),
    Setup(name="cancelled", plan=BOTH, providers=1, crashes=0, cancels=1, webhook=()),
    Setup(name="paused", plan=DEFINITE, webhook=(), gates=True, crashes=0),
    Setup(
        name="paused, in turn",
        plan=BOTH,
        overlaps=0,
        webhook=(),
        gates=True,
        cancels=1,
        poor=True,
        refusals=1,
    ),
    Setup(
        name="returned",
        plan=SETTLING,
        providers=1,
        refusals=1,
        webhook=("succeeded", "returned"),
    ),
    Setup(
        name="a person errs",
        plan=ASKED,
        overlaps=0,
        misreads=2,
        refusals=1,
        webhook=(),
    ),
    Setup(
        name="a person errs, webhooks",
        plan=MANUAL,
        providers=1,
        misreads=1,
        webhook=ALL_WEBHOOKS,
    ),
    Setup(
        name="a person errs, the key lives",
        plan=BOTH,
        providers=1,
        crashes=0,
        cancels=1,
        misreads=1,
        webhook=("succeeded",),
    ),
    Setup(name="the repeat asks", plan=UNASKED, providers=1),
    Setup(name="the repeat asks, two providers", plan=UNASKED, crashes=0, webhook=()),
    Setup(
        name="the repeat asks, paused, cancelled",
        plan=UNASKED,
        providers=1,
        crashes=0,
        cancels=1,
        gates=True,
    ),
    Setup(name="the repeat asks, keys die", plan=FORGETFUL, providers=1),
    Setup(name="asked by the provider's id", plan=THEIRS, providers=1),
    Setup(name="the order cancelled", plan=MANUAL, crashes=0, cancels=1, webhook=()),
)

LARGE: Final = frozenset(
    {
        "definite, webhooks",
        "cancelled in turn",
        "a person errs, the key lives",
        "the repeat asks, two providers",
        "the repeat asks, paused, cancelled",
        "the repeat asks, keys die",
        "asked by the provider's id",
        "the order cancelled",
    }
)
"""The worlds that take two thirds of the time: `make model` searches them."""
