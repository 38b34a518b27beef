"""The partner links of the demo: one partner answers at once, one by file after days.

A day of the second partner lasts about a second, and its file knows on the fourth.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import orjson

from providers.testing.simulator import Mix, Scripts, SimulatedPartner, Simulator, story
from providers.testing.simulator.core import SimulatedCore

SHARE: Final = 8
"""For every eighth withdrawal there is a card to be linked."""

DAY: Final = 24 * 3600.0
DAYS: Final = 4
_PACE: Final = 1.0 / (DAY * story.STORY_SCALE)


def _known_later(becomes: str) -> Mapping[str, object]:
    step = {"after": DAYS * DAY, "becomes": becomes}
    return {"base": "accept_silence", "steps": [step], "pace": _PACE}


OWN: Final = {
    "match_then_yes": _known_later("succeeded"),
    "match_then_no": _known_later("failed"),
}
MIXES: Final[Mapping[str, Mapping[str, float]]] = {
    "northbank": {"succeed": 0.8, "decline": 0.1, "commit_reset": 0.1},
    "southbank": {"match_then_yes": 0.5, "match_then_no": 0.3, "accept_silence": 0.2},
}
TABLE: Final = """\
[partners.{name}]
base_url = "{base_url}"
timeout = "500ms"
countries = ["CA"]
bins = ["4510"]
multi_match = "provisional"
retry = {{ first = "50ms", max = "500ms", attempts = 60 }}
fallback = {{ first = "250ms", factor = 2.0, max = "1s", deadline = "8s" }}
"""
FILE: Final = """\
[partners.southbank.file]
path = "/files/links.csv"
fresh = "200ms"
columns = { task_id = "reference", card_token = "card", result = "outcome" }
results = { eligible = "eligible", not_eligible = "not_eligible" }
"""


def partners(seed: int) -> list[SimulatedPartner]:
    """Return those whose cards are linked; the same seed gives the same fates."""
    scripts = Scripts(OWN)
    return [
        SimulatedPartner(
            name=name,
            behaviour=Mix(
                tuple((scripts.read(script), w) for script, w in weights.items()),
                seed,
                "destination",
            ),
            answers_again=name != "southbank",
        )
        for name, weights in MIXES.items()
    ]


def tables(simulator: Simulator) -> str:
    """Return the partners' part of the configuration file."""
    made = [
        TABLE.format(name=name, base_url=simulator.base_url(name)) for name in MIXES
    ]
    return "\n".join([*made, FILE])


def requests(withdrawals: int, seed: int) -> list[bytes]:
    """Return the links that come beside so many withdrawals."""
    return [_request(n, seed) for n in range(-(-withdrawals // SHARE))]


def _request(n: int, seed: int) -> bytes:
    names = tuple(MIXES)
    token = f"tok_demo_l{seed}_{n:05d}"
    return orjson.dumps(
        {
            "order_id": f"l-{n:05d}",
            "merchant_id": "m-demo",
            "customer_id": f"c-{n % 100:02d}",
            "partner": names[n % len(names)],
            "card": {"token": token, "bin": "451012", "country": "CA"},
            "metadata": {"channel": "demo"},
        }
    )


@dataclass(frozen=True, slots=True)
class LinkFigures:
    """What became of the links, and what core's book of members says."""

    sent: int
    linked: int
    not_eligible: int
    expired: int
    members: int
    revoked: int
    longest_seconds: float
    wrong: tuple[str, ...]

    def __str__(self) -> str:
        """Return it for people, in a sentence."""
        return (
            f"{self.sent} cards: {self.linked} linked, {self.not_eligible} not "
            f"eligible, {self.expired} expired, the slowest after "
            f"{self.longest_seconds:.1f} s, which are days; in core's book "
            f"{self.members} are members, {self.revoked} were revoked."
        )


LinkRow = tuple[str, str, float]
"""(task id, queue id, seconds from request to result) of a link, as it is stored."""


def figures(
    simulator: Simulator,
    core: SimulatedCore,
    sent: Sequence[bytes],
    rows: Sequence[LinkRow],
) -> LinkFigures:
    """Hold the links against core's book of members, and that against the partners'."""
    told = _results(core)
    results = {task_id: told.get(queue_id) for task_id, queue_id, _ in rows}
    memberships = core.book_of_members.states()
    wrong = [
        f"partners: {problem}"
        for problem in simulator.partners.book.against(memberships)
    ]
    if len(rows) != len(sent):
        wrong.append(f"{len(sent)} links sent, {len(rows)} are stored")
    ends, states = [*results.values()], [*memberships.values()]
    return LinkFigures(
        sent=len(sent),
        linked=ends.count("linked"),
        not_eligible=ends.count("not_eligible"),
        expired=ends.count("expired"),
        members=sum(state != "revoked" for state in states),
        revoked=states.count("revoked"),
        longest_seconds=max((seconds for _, _, seconds in rows), default=0.0),
        wrong=(*wrong, *_disagreements(results, memberships)),
    )


def _results(core: SimulatedCore) -> dict[str, str]:
    """Return what core was told that links came to, by queue."""
    bodies = [notification.body for notification in core.notifications.values()]
    return {
        str(body["queue_id"]): str(body["result"])
        for body in bodies
        if body.get("type") == "partner_link.completed"
    }


def _disagreements(
    results: Mapping[str, str | None], memberships: Mapping[str, str]
) -> Iterator[str]:
    for task_id, result in results.items():
        is_member = memberships.get(task_id, "revoked") != "revoked"
        if is_member is not (result == "linked"):
            told = "a member" if is_member else "no member"
            yield f"link {task_id}: {result}, and core has {told}"
