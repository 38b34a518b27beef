"""Checks every invariant over the whole database and names each offender."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from fsm.decided import decision_offences
from fsm.domain.decided import Decided, Subject
from fsm.engine.invariants import overdue
from fsm.engine.judged import Offence
from fsm.engine.words import Invariant
from fsm.reconciliation import core_offences, provider_offences
from fsm.tampering import forged_case, tampered
from payment_service.cli.anchor_check import against_anchors
from payment_service.cli.anchor_lines import Outside, read_outside
from payment_service.cli.context import (
    configuration,
    database_url,
    read_settings,
    run_async,
)
from payment_service.cli.errors import DONE, FOUND_WRONG
from payment_service.cli.key_check import roster_offences
from payment_service.cli.not_compared import NotCompared, compared
from payment_service.cli.orphans import orphans
from payment_service.cli.printing import print_json, print_text
from payment_service.cli.progress import progress
from payment_service.cli.snapshot import Snapshot, SnapshotFacts, Whole
from payment_service.cli.statements import Books, fetch
from payment_service.cli.unknown import judged, notes_of
from payment_service.cli.webhook_check import webhook_offences
from payment_service.settings import Settings
from providers.config import ProviderTable

SHOW_EVERY: Final = 500
SHOWN_MAX: Final = 10
NEVER: Final = datetime(2000, 1, 1, tzinfo=UTC)
MARGIN: Final = timedelta(hours=1)
Tables = Mapping[str, ProviderTable]


@dataclass(slots=True)
class Report:
    """What was looked at, and what is wrong with it."""

    orders: int = 0
    tasks: int = 0
    lines: int = 0
    seconds: float = 0.0
    offences: list[Offence] = field(default_factory=list)
    warnings: list[Offence] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    incomplete: list[str] = field(default_factory=list)
    passed_over: list[dict[str, object]] = field(default_factory=list)
    erased: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """True where everything was looked at, and nothing is wrong."""
        return not self.offences and not self.incomplete

    def add(self, offence: Offence) -> None:
        """Take an offence to where it belongs."""
        (self.warnings if offence.warning else self.offences).append(offence)

    def view(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "ok": self.ok,
            "orders": self.orders,
            "tasks": self.tasks,
            "audit_lines": self.lines,
            "seconds": round(self.seconds, 3),
            "offences": [_view(each) for each in self.offences],
            "warnings": [_view(each) for each in self.warnings],
            "incomplete": self.incomplete,
            "notes": self.notes,
            "passed_over": self.passed_over,
            "erased": self.erased,
        }


def verify(
    *, core: bool, providers: bool, anchors: Sequence[str] = (), as_json: bool
) -> int:
    """Check everything; return 1 if anything offends.

    ``anchors`` are the places where the anchors' lines stand.
    """
    settings = read_settings("database_url", *(("core_url",) if core else ()))
    tables: Tables = configuration(settings).providers if providers else {}
    # Before the snapshot: what is outside by now is in the database then.
    outside = read_outside(settings, anchors) if anchors else None
    with Snapshot(database_url(settings), settings.audit_keys) as snapshot:
        facts = snapshot.facts()
        books = _books(settings, tables, facts, core=core) if core or tables else None
        report = Report()
        report.notes += _unstated(tables, books)
        if books is not None:
            _tell_of_statements(report, books)
        with progress(facts.orders, shown=not as_json) as advance:
            _judge_all(report, snapshot, facts, books, settings, advance)
        if outside is not None:
            _judge_anchors(report, snapshot, facts, outside, settings)
    if as_json:
        print_json(report.view())
    else:
        _show(report)
    return DONE if report.ok else FOUND_WRONG


def _grace(settings: Settings) -> timedelta:
    """Return how late the sweeper may let a row be: it must look, and ring."""
    return settings.sweep_grace + 2 * settings.sweep_interval


def _books(
    settings: Settings, tables: Tables, facts: SnapshotFacts, *, core: bool
) -> Books:
    if not core:
        settings = settings.model_copy(update={"core_url": None})
    # After the snapshot: what was final in it is in the books by now.
    since = (facts.oldest or NEVER) - MARGIN
    until = datetime.now(UTC) + MARGIN
    return run_async(fetch(settings, tables, since=since, until=until))


def _unstated(tables: Tables, books: Books | None) -> list[str]:
    known = books.stated | books.partial.keys() if books else set()
    return [
        f"provider {n} gives no statement" for n in sorted(tables) if n not in known
    ]


def _tell_of_statements(report: Report, books: Books) -> None:
    """Say what was not read, and what was and is not about a payout of ours."""
    for name, why in sorted(books.partial.items()):
        report.incomplete.append(f"the statement of provider {name}: {why}")
    report.incomplete += [
        f"core's ledger, {entry.at}: the entry {entry.why}"
        for entry in books.odd_entries
    ]
    report.incomplete += map(str, books.unread())
    for name, counted in sorted(books.odd.items()):
        listed = books.listed[name]
        for oddity, count in sorted(counted.items()):
            places = [line.at for line in listed if line.oddity == oddity][:SHOWN_MAX]
            more = f" and {count - len(places)} more" if count > len(places) else ""
            lines = "line" if count == 1 else "lines, each of which"
            report.notes.append(
                f"provider {name}: {count} {lines} {oddity}: {', '.join(places)}{more}"
            )
        report.passed_over += [
            {"provider": name, "page": line.page, "row": line.row, "why": line.why}
            for line in listed
        ]


def _judge_all(
    report: Report,
    snapshot: Snapshot,
    facts: SnapshotFacts,
    books: Books | None,
    settings: Settings,
    advance: Callable[[int], None],
) -> None:
    began = time.monotonic()
    cases = snapshot.cases()
    if books:
        # Of whom a line cannot be read, nobody can say what the provider did.
        cases |= {line.task_id for line in books.unread()}
    told: dict[Subject, Decided] = {}
    left_out = NotCompared(compared(books), books.charging if books else ())
    for whole in snapshot.wholes():
        report.orders += 1
        report.tasks += len(whole.tasks)
        for trail in whole.trails.values():
            report.lines += trail.version
            told |= trail.decided
        if whole.order.erased:
            report.erased.append(whole.order.queue_id)
        report.notes += notes_of(whole)
        left_out.count(whole.tasks)
        for offence in _judge(whole, facts, books, cases, settings):
            report.add(offence)
        if report.orders % SHOW_EVERY == 0:
            advance(report.orders)
    for offence in _judge_decisions(report, snapshot, told):
        report.add(offence)
    report.offences += roster_offences(snapshot, settings.audit_keys)
    for case in snapshot.opened():
        report.offences += forged_case(case)
    keys, at = settings.audit_keys, facts.taken_at
    report.offences += webhook_offences(snapshot, keys, at, left_out)
    report.notes += left_out.notes()
    for offence in orphans(snapshot, books, facts):
        report.add(offence)
    advance(report.orders)
    report.seconds = time.monotonic() - began


def _judge_decisions(
    report: Report, snapshot: Snapshot, told: dict[Subject, Decided]
) -> Iterator[Offence]:
    """Compare what people have decided with the trails of orders and of the service."""
    trail = snapshot.service()
    if trail is not None:
        report.lines += trail.version
        told |= trail.decided
        yield from trail.offences
    yield from decision_offences(snapshot.decided(), told)


def _judge_anchors(
    report: Report,
    snapshot: Snapshot,
    facts: SnapshotFacts,
    outside: Outside,
    settings: Settings,
) -> None:
    found = against_anchors(
        snapshot,
        outside,
        settings.audit_keys,
        now=facts.taken_at,
        interval=settings.anchor_interval,
    )
    report.offences += found.offences
    report.notes += found.notes
    if outside.count == 0:
        report.incomplete.append("there is no anchor outside to compare with")


def _judge(
    whole: Whole,
    facts: SnapshotFacts,
    books: Books | None,
    cases: frozenset[str],
    settings: Settings,
) -> Iterator[Offence]:
    order, tasks, trails = whole
    keys = settings.audit_keys
    yield from judged(whole)
    yield from tampered(order, tasks, trails, keys, as_of=facts.taken_at, cases=cases)
    yield from overdue(order, tasks, now=facts.taken_at, allowed=_grace(settings))
    if books is None:
        return
    if books.core:
        for task in tasks:
            entries = books.entries_of(task.task_id)
            yield from core_offences(
                order,
                task,
                entries,
                as_of=facts.taken_at,
                trail=trails.get(task.task_id),
            )
    if books.stated or books.partial:
        payouts = books.payouts_of([task.task_id for task in tasks])
        yield from provider_offences(
            order,
            tasks,
            payouts,
            stated=books.stated,
            charging=books.charging,
            cases=cases,
        )


def _view(offence: Offence) -> dict[str, object]:
    return {
        "invariant": offence.invariant.value,
        "queue_id": offence.queue_id,
        "task_id": offence.task_id,
        "what": offence.what,
    }


def _show(report: Report) -> None:
    for label, found in (("WRONG", report.offences), ("late", report.warnings)):
        for each in found:
            whom = f"order {each.queue_id}" if each.queue_id else ""
            whom += f" task {each.task_id}" if each.task_id else ""
            print_text(f"{label} [{each.invariant}] {whom.strip()}: {each.what}")
    for gap in report.incomplete:
        print_text(f"INCOMPLETE: {gap}")
    for note in report.notes:
        print_text(f"note: {note}")
    looked = f"{report.orders} orders, {report.tasks} tasks, {report.lines} audit lines"
    count = len(report.offences)
    verdict = f"{count} offences" if count else "every invariant holds"
    if report.incomplete:
        verdict += f" as far as could be seen ({len(report.incomplete)} gaps)"
    counted = (*_counted(report.warnings), ("erased", len(report.erased)))
    told = "".join(f", {n} {what}" for what, n in counted if n)
    print_text(f"{looked} in {report.seconds:.1f} s: {verdict}{told}")


def _counted(warnings: Sequence[Offence]) -> Sequence[tuple[str, int]]:
    by_hand = sum(each.invariant is Invariant.BY_HAND for each in warnings)
    late = sum(each.invariant is Invariant.OVERDUE for each in warnings)
    return ("overdue", late), ("settled by hand", by_hand)
