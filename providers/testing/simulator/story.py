"""A dozen providers that each approve 10-20 % of the orders, and so tell story A.

An order's destination token decides, by hashes, what each provider would do with it:

- `HOPELESS` of the orders no provider pays: a closed account, a blocked customer. This
  shared fate is why a cascade of eight to twelve lands at 50-60 % and not at 85 %.
- To the others each provider says yes by its own chance, `approval / (1 - HOPELESS)`,
  so that over all orders it approves just its `approval`.
- `STUCK` of the orders have a flaw that makes about one provider in four never come to
  an end with them, which is what brings 3-5 % of the orders before a person.

Nothing depends on the order of the calls, on the time or on the ids of a run.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from providers.testing.simulator.library import SCRIPTS
from providers.testing.simulator.script import (
    Behaviour,
    PayoutState,
    ReceivedCreate,
    Script,
    draw,
    pick,
)
from providers.testing.simulator.server import SimulatedProvider

HOPELESS: Final = 0.40
STUCK: Final = 0.06
STUCK_AT_A_PROVIDER: Final = 0.25
PACES: Final = (0.5, 1.5)
# Times below are real ones; by this factor 15 minutes take 3 seconds.
STORY_SCALE: Final = 1 / 300
WEBHOOK_QUICK_SECONDS: Final = 20.0
WEBHOOK_SLOW_SECONDS: Final = 900.0
SETTLED_SECONDS: Final = 600.0

_CODES: Final = (
    "do_not_honor",
    "limit_exceeded",
    "card_not_supported",
    "country_blocked",
    "issuer_unavailable",
)


def _after(script: str, seconds: float) -> Script:
    known = SCRIPTS[script]
    return replace(known, steps=(replace(known.steps[0], after=seconds),))


def _named(scripts: Mapping[str, Script]) -> tuple[Script, ...]:
    return tuple(replace(script, name=name) for name, script in scripts.items())


# How a yes comes: at once, by webhook, found by asking, or after a lost answer.
_YES: Final = _named(
    {
        "paid_at_once": SCRIPTS["succeed"],
        "paid_quickly": _after("accept_then_succeed", WEBHOOK_QUICK_SECONDS),
        "paid_slowly": _after("accept_then_succeed", WEBHOOK_SLOW_SECONDS),
        "paid_silently": _after("silence_succeed", SETTLED_SECONDS),
        "paid_answer_lost": SCRIPTS["commit_hang"],
        "paid_502": SCRIPTS["commit_502"],
    }
)
# How a no comes: the same ways.
_NO: Final = _named(
    {
        "declined": SCRIPTS["decline"],
        "failed_quickly": _after("accept_then_fail", WEBHOOK_QUICK_SECONDS),
        "failed_slowly": _after("accept_then_fail", WEBHOOK_SLOW_SECONDS),
        "failed_silently": _after("silence_fail", SETTLED_SECONDS),
        "declined_answer_lost": SCRIPTS["decline_hang"],
    }
)
# How nothing ever comes; the second has paid, and only its statement says so.
_NEVER: Final = (
    (replace(SCRIPTS["accept_silence"], name="silent_for_ever"), 0.7),
    (SCRIPTS["paid_unseen"], 0.3),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One provider: how often it says yes, and its ways of answering, by weight."""

    name: str
    approval: float
    yes: Sequence[float]  # in the order of _YES
    no: Sequence[float]  # in the order of _NO


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What becomes of an order with a provider: `paid` says whether money leaves.

    A success that is told is `paid and resolved`; what is not resolved needs a person.
    """

    provider: str
    paid: bool
    resolved: bool
    script: Script


# Cheapest first, as a cascade would have them.
_TABLE: Final = (
    ("acme", 0.15, (30, 40, 10, 10, 6, 4), (70, 14, 3, 8, 5)),
    ("borealis", 0.12, (10, 50, 20, 12, 4, 4), (55, 22, 6, 12, 5)),
    ("cobalt", 0.18, (60, 25, 5, 4, 4, 2), (82, 8, 2, 4, 4)),
    ("delta", 0.14, (5, 45, 25, 15, 5, 5), (50, 25, 8, 12, 5)),
    ("ember", 0.16, (40, 30, 10, 8, 8, 4), (74, 10, 3, 6, 7)),
    ("fjord", 0.12, (20, 50, 12, 10, 4, 4), (66, 18, 4, 8, 4)),
    ("granite", 0.19, (50, 30, 8, 6, 3, 3), (80, 10, 2, 5, 3)),
    ("harbor", 0.13, (15, 45, 18, 14, 4, 4), (60, 20, 5, 10, 5)),
    ("indigo", 0.17, (45, 32, 8, 7, 5, 3), (76, 12, 3, 5, 4)),
    ("juniper", 0.15, (25, 45, 12, 10, 4, 4), (68, 16, 4, 8, 4)),
    ("kestrel", 0.12, (10, 40, 25, 17, 4, 4), (52, 24, 8, 12, 4)),
    ("lagoon", 0.16, (35, 38, 10, 9, 4, 4), (72, 14, 4, 6, 4)),
)
PROFILES: Final[Mapping[str, Profile]] = {
    name: Profile(name=name, approval=approval, yes=yes, no=no)
    for name, approval, yes, no in _TABLE
}


def outcome(provider: str, token: str, seed: int) -> Outcome:
    """Return what the provider does with any order for this destination token."""
    profile = PROFILES[provider]

    def chance(*what: str) -> float:
        return draw(seed, token, *what)

    manner = chance(provider, "manner")
    if chance("flaw") < STUCK and chance(provider, "stuck") < STUCK_AT_A_PROVIDER:
        script, resolved = pick(_NEVER, manner), False
    elif chance("fate") >= HOPELESS and (
        chance(provider, "answer") < profile.approval / (1 - HOPELESS)
    ):
        script, resolved = _one_of(_YES, profile.yes, manner), True
    else:
        no = _one_of(_NO, profile.no, manner)
        code = _CODES[int(chance(provider, "code") * len(_CODES))]
        script, resolved = replace(no, code=code), True
    slowest, span = PACES[1], PACES[1] - PACES[0]
    pace = slowest - span * chance(provider, "pace")
    return Outcome(
        provider=provider,
        paid=_pays(script),
        resolved=resolved,
        script=replace(script, pace=pace),
    )


def behaviour(seed: int) -> Behaviour:
    def choose(order: ReceivedCreate) -> Script:
        return outcome(order.provider, order.destination, seed).script

    return choose


def providers(
    seed: int, *, secrets: Mapping[str, str] | None = None, callback_url: str = ""
) -> list[SimulatedProvider]:
    """Return the dozen for a `Simulator`; `secrets` has one webhook secret for each.

    `callback_url` is for orders that bring none, with `{provider}` for the name.
    """
    known = secrets or {}
    return [
        SimulatedProvider(
            name=name,
            behaviour=behaviour(seed),
            secrets=(known[name],) if name in known else (),
            callback_url=callback_url.format(provider=name),
        )
        for name in PROFILES
    ]


def cascade(names: Sequence[str], token: str, seed: int) -> Outcome:
    """Return how a cascade over these providers ends: paid, refused, or stuck."""
    last = outcome(names[0], token, seed)
    for provider in names[1:]:
        if last.paid or not last.resolved:
            break
        last = outcome(provider, token, seed)
    return last


def _one_of(scripts: Sequence[Script], weights: Sequence[float], at: float) -> Script:
    return pick(zip(scripts, weights, strict=True), at)


def _pays(script: Script) -> bool:
    return PayoutState.SUCCEEDED in (
        script.state,
        *(step.becomes for step in script.steps),
    )
