"""The report of a run: was every promise kept, and how long did recovery take."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from tests.chaos.books import Order
from tests.chaos.play import Incident, Played

WRONG_SHOWN: Final = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """How one kind of fault was got over.

    ``flow_seconds`` is the longest from its end until any order reached its outcome;
    the others are how much later than that end, and than their providers took by
    themselves, the orders reached theirs that no other fault hit after it.
    """

    fault: str
    injected: int
    really: int
    orders_hit: int
    last_for: int
    flow_seconds: float
    p50_seconds: float
    p99_seconds: float
    max_seconds: float


@dataclass(frozen=True, slots=True)
class Report:
    """All of it; ``wrong`` empty means that every promise was kept."""

    played: Played
    recoveries: Sequence[Recovery]

    @property
    def wrong(self) -> list[str]:
        """What is wrong, the run itself included."""
        none = [
            f"the fault {r.fault} was injected and never happened"
            for r in self.recoveries
            if not r.really
        ]
        return [*self.played.verdict.wrong, *none]

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        played, verdict = self.played, self.played.verdict
        figures = asdict(verdict)
        for name in ("orders", "wrong"):
            del figures[name]
        return {
            "kept": not self.wrong,
            "wrong": self.wrong,
            "seed": played.script.seed,
            "seconds": played.script.seconds,
            "rest_seconds": played.rest_seconds,
            "restarts": [*played.restarts],
            "logs": played.folder,
            "faults": [asdict(recovery) for recovery in self.recoveries],
            **figures,
        }

    def as_text(self) -> str:
        """Return it as people read it."""
        return "\n".join([*self._head(), *self._faults(), *self._books(), *self._end()])

    def _head(self) -> list[str]:
        p, v = self.played, self.played.verdict
        layout = p.script.layout
        really = sum(r.really for r in self.recoveries)
        setting = (
            f"{p.script.seconds:.0f} s of load at {p.script.rate:g} orders a second, "
            f"seed {p.script.seed}; {layout.workers} workers, {layout.apis} APIs, "
            f"{layout.relays} relay, {layout.sweepers} sweeper; AckWait "
            f"{layout.seconds('ACK_WAIT'):g} s, sweep every "
            f"{layout.seconds('SWEEP_INTERVAL'):g} s after "
            f"{layout.seconds('SWEEP_GRACE'):g} s of grace."
        )
        faults = (
            f"- **{really} faults** of {len(self.recoveries)} kinds really happened; "
            f"{len(p.restarts)} times a process ended by itself and was started again."
        )
        orders = (
            f"- **{v.answered} orders accepted, {v.completed} completed, {v.failed} "
            f"failed; {len(v.lost)} lost, {len(v.paid_twice)} paid twice, {v.holds} "
            f"orphaned holds, {len(v.stuck)} stuck**; {v.repeats} requests had to be "
            "repeated."
        )
        carts = f"- **{v.checkouts}**."
        rest = f"- All was at rest {p.rest_seconds:.1f} s after the last request."
        verdict = "BROKEN PROMISES" if self.wrong else "Every promise was kept."
        title = ["# Chaos report", "", f"**{verdict}**", ""]
        return [*title, setting, "", faults, orders, carts, rest]

    def _faults(self) -> list[str]:
        about = (
            "Recovery, in seconds. *Flow*: from the fault's end until any order ends "
            "again. The rest: how much later than that end, and than their providers' "
            "own times, the orders came to rest for which it was the last fault."
        )
        columns = [
            "| fault | times | orders hit | the last for | flow | p50 | p99 | max |",
            "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        ]
        return ["", about, "", *columns] + [
            f"| {r.fault} | {r.really} | {r.orders_hit} | {r.last_for} "
            f"| {r.flow_seconds:.1f} | {r.p50_seconds:.1f} | {r.p99_seconds:.1f} "
            f"| {r.max_seconds:.1f} |"
            for r in self.recoveries
        ]

    def _books(self) -> list[str]:
        v = self.played.verdict
        letters = sum(v.dead_letters.values())
        kinds = ", ".join(f"{n} {reason}" for reason, n in v.dead_letters.items())
        money = (
            f"- The money: {v.payouts} payouts in the providers' books, {v.commits} "
            f"commits in core's ledger, {v.completed - v.checkouts.completed} "
            "withdrawals completed."
        )
        work = (
            f"- {v.steps} steps in the audit trail, {v.manual_checks} manual checks "
            f"(decided by what the statements say), {sum(v.cases.values())} cases, "
            f"{letters} dead letters{f' ({kinds})' if kinds else ''}."
        )
        return ["", money, work]

    def _end(self) -> list[str]:
        if not self.wrong:
            return []
        more = len(self.wrong) - WRONG_SHOWN
        return [
            "",
            "## What is wrong",
            "",
            *(f"- {problem}" for problem in self.wrong[:WRONG_SHOWN]),
            *([f"- … and {more} more"] if more > 0 else []),
            "",
            f"Logs and books: {self.played.folder}",
        ]


def report_of(played: Played) -> Report:
    """Work out the figures of a run."""
    own = {sent.order_id: sent.own_seconds for sent in played.sent}
    hit = _hit(played.incidents, played.verdict.orders)
    late: dict[str, list[float]] = {}
    for incident, orders in hit:
        late.setdefault(incident.fault, []).extend(
            lateness(order, incident, own.get(order.order_id, 0.0)) for order in orders
        )
    return Report(
        played=played,
        recoveries=[
            _recovery(name, played, sorted(seconds))
            for name, seconds in sorted(late.items())
        ],
    )


def lateness(order: Order, incident: Incident, own_seconds: float) -> float:
    """Return by how much the order was later than it may be without the service."""
    if order.finished_at is None:
        return math.inf
    due_at = max(incident.healed_at, order.created_at + own_seconds)
    return max(0.0, order.finished_at - due_at)


def _hit(
    incidents: Sequence[Incident], orders: Sequence[Order]
) -> list[tuple[Incident, list[Order]]]:
    """Give every order to the last fault that was in force while it was open."""
    found: list[tuple[Incident, list[Order]]] = [(i, []) for i in incidents]
    for order in orders:
        last = next((h for i, h in reversed(found) if was_hit(order, i)), None)
        if last is not None:
            last.append(order)
    return found


def was_hit(order: Order, incident: Incident) -> bool:
    """Tell whether the order was open while the fault was in force."""
    ended = order.finished_at or math.inf
    return order.created_at < incident.healed_at and ended > incident.began_at


def _recovery(name: str, played: Played, late: list[float]) -> Recovery:
    incidents = [i for i in played.incidents if i.fault == name]
    return Recovery(
        fault=name,
        injected=len(incidents),
        really=sum(i.evidence.happened for i in incidents),
        orders_hit=sum(
            any(was_hit(order, i) for i in incidents) for order in played.verdict.orders
        ),
        last_for=len(late),
        flow_seconds=max(_flow(i, played.verdict.orders) for i in incidents),
        p50_seconds=quantile(late, 0.5),
        p99_seconds=quantile(late, 0.99),
        max_seconds=late[-1] if late else 0.0,
    )


def _flow(incident: Incident, orders: Sequence[Order]) -> float:
    ends = [o.finished_at for o in orders if o.finished_at is not None]
    after = [end for end in ends if end >= incident.healed_at]
    return min(after, default=math.inf) - incident.healed_at


def quantile(ordered: Sequence[float], share: float) -> float:
    """Return the value below which this share lies."""
    if not ordered:
        return 0.0
    return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)]
