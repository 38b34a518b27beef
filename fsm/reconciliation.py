"""Reconciliation: our rows against core's ledger and the providers' statements; pure.

Judges the same promises as :mod:`fsm.invariants`, by what others have written down. The
name of a rule says what it lets pass; what it yields is what breaks it.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from fsm.charge.lifecycle import CHARGE
from fsm.domain.money import written
from fsm.engine.flow import Rules
from fsm.engine.invariants import waits_for_turn
from fsm.engine.judged import FINAL_STATES, Offence
from fsm.engine.words import EngineWait, Invariant, State, Verdict
from fsm.flows import RULES
from fsm.invariants import SKEW, OrderRow, TaskRow, Trail
from fsm.payout.invariants import is_by_hand
from fsm.payout.words import Waiting


class LedgerEntry(NamedTuple):
    """An effect in core's ledger."""

    task_id: str
    operation: str
    amount: int
    currency: str
    at: datetime | None = None


class StatementEntry(NamedTuple):
    """A line of a provider's statement; ``reference`` is our task's id."""

    provider: str
    reference: str
    status: str
    amount: int
    currency: str


def has_books(task: TaskRow, books: Invariant, rules: Rules = RULES) -> bool:
    """Tell whether others' books say something of a task, as its lifecycle has it."""
    lifecycle = rules.lifecycles.get(task.lifecycle)
    return lifecycle is not None and books in lifecycle.books


def core_offences(  # noqa: PLR0913 - what a task is judged by
    order: OrderRow,
    task: TaskRow,
    entries: Sequence[LedgerEntry],
    *,
    as_of: datetime,
    skew: timedelta = SKEW,
    trail: Trail | None = None,
    rules: Rules = RULES,
) -> Iterator[Offence]:
    """Compare a task with all of core's entries about it.

    ``as_of`` is when the row was read; the ledger was read later, and may know more
    about what was not final then. Of a ``trail`` that persons have ended by hand what
    core holds or lacks is only told. Of a task whose lifecycle holds nothing there it
    has no entry; of a lifecycle that nobody here knows nothing is said.
    """
    if not has_books(task, Invariant.CORE, rules):
        if entries and task.lifecycle in rules.lifecycles:
            what = f"core has {len(entries)} entries about it, and a task of "
            what += f"{task.lifecycle!r} holds nothing there"
            yield Offence(Invariant.CORE, order.queue_id, task.task_id, what)
        return
    before = as_of - skew
    known = [entry for entry in entries if _counts(entry, task, before)]
    done = {name: _count(known, name) for name in ("freeze", "commit", "rollback")}
    books = _CoreBooks(order, task, entries, done, _count(entries, "return"), before)

    def wrong(what: str, *, warning: bool = False) -> Offence:
        return Offence(Invariant.CORE, order.queue_id, task.task_id, what, warning)

    for rule in _CORE_RULES:
        yield from map(wrong, rule(books))
    if problem := _against_core(task, done):
        yield wrong(problem, warning=is_by_hand(trail))


class _CoreBooks(NamedTuple):
    """A task, and how often core has done what about it."""

    order: OrderRow
    task: TaskRow
    entries: Sequence[LedgerEntry]
    done: Mapping[str, int]
    """Freezes, commits and rollbacks that the row had to know of when it was read."""
    returns: int
    before: datetime


def _once_each(books: _CoreBooks) -> Iterator[str]:
    for operation, count in (*books.done.items(), ("return", books.returns)):
        if count > 1:
            yield f"core has {count} entries of {operation}"


def _one_end(books: _CoreBooks) -> Iterator[str]:
    if books.done["commit"] and books.done["rollback"]:
        yield "core has both committed and rolled back"


def _frozen_first(books: _CoreBooks) -> Iterator[str]:
    if books.done["commit"] and not books.done["freeze"]:
        yield "core has a commit without a freeze"


def _same_amount(books: _CoreBooks) -> Iterator[str]:
    ours = written(books.order.amount, books.order.currency)
    for entry in books.entries:
        said = written(entry.amount, entry.currency)
        if said != ours:
            yield f"core's {entry.operation} is of {said}, the order of {ours}"


def _returned_what_was_committed(books: _CoreBooks) -> Iterator[str]:
    if books.returns and not books.done["commit"]:
        yield "core has a return without a commit"


def _returned_where_we_say_so(books: _CoreBooks) -> Iterator[str]:
    if books.task.returned and not books.returns:
        yield "it was returned, and core has no return"


def _returned_as_we_asked(books: _CoreBooks) -> Iterator[str]:
    if books.task.returned or books.task.waiting_for == Waiting.RETURN:
        return
    # One that was asked for after the row was read is not known to be wrong.
    early = [e for e in books.entries if e.at is None or e.at < books.before]
    if _count(early, "return"):
        yield "core has taken it back, and nobody here has asked for that"


_CORE_RULES: Final[tuple[Callable[[_CoreBooks], Iterator[str]], ...]] = (
    _once_each,
    _one_end,
    _frozen_first,
    _same_amount,
    _returned_what_was_committed,
    _returned_where_we_say_so,
    _returned_as_we_asked,
)


def _counts(entry: LedgerEntry, task: TaskRow, before: datetime) -> bool:
    return task.state in FINAL_STATES or entry.at is None or entry.at < before


def _count(entries: Sequence[LedgerEntry], operation: str) -> int:
    return sum(1 for entry in entries if entry.operation == operation)


def _against_core(task: TaskRow, done: Mapping[str, int]) -> str | None:
    if task.state == State.SUCCEEDED:
        return None if done["commit"] else "it is SUCCEEDED and core has no commit"
    if done["commit"] and task.verdict != Verdict.PAID:
        return f"it is {task.state} and core has committed"
    if done["rollback"] and task.verdict != Verdict.NOT_PAID:
        return f"it is {task.state} and core has rolled back"
    held = done["freeze"] - done["commit"] - done["rollback"]
    if held > 0 and task.state in FINAL_STATES:
        return f"it is {task.state} and core still holds the money"
    if held > 0 and waits_for_turn(task):
        return "core holds money for it before its turn"
    return None


_GIVEN_BACK: Final = frozenset({State.REVERSING, State.REVERSED})


def provider_offences(  # noqa: PLR0913 - what an order is judged by
    order: OrderRow,
    tasks: Sequence[TaskRow],
    payouts: Mapping[str, Sequence[StatementEntry]],
    *,
    stated: Collection[str],
    charging: Collection[str] = (),
    cases: Collection[str] = (),
    rules: Rules = RULES,
) -> Iterator[Offence]:
    """Compare an order with the lines of the providers' statements about it.

    ``stated`` are the providers that gave a statement, ``charging`` those of them whose
    statement lists charges, also refunded ones; ``cases`` are the tasks about which a
    person was asked. A task whose lifecycle stands in no statement is paid by nobody.
    """

    def wrong(what: str, task: TaskRow | None = None) -> Offence:
        task_id = task.task_id if task else None
        return Offence(Invariant.PROVIDERS, order.queue_id, task_id, what)

    executed = Counter[str]()
    for task in tasks:
        lines = payouts.get(task.task_id, ())
        paid = [line for line in lines if line.status == "succeeded"]
        if not has_books(task, Invariant.PROVIDERS, rules):
            if paid and task.lifecycle in rules.lifecycles:
                what = f"{paid[0].provider} paid it, and a task of "
                yield wrong(f"{what}{task.lifecycle!r} pays nobody", task)
            continue
        charges = task.lifecycle == CHARGE.name
        if task.state not in _GIVEN_BACK:
            executed["charges" if charges else "payouts"] += len(paid)
        for what in _paid_otherwise(order, task, paid):
            yield wrong(what, task)
        listed = charging if charges else stated
        if problem := _against_provider(task, lines, paid, listed, cases):
            yield wrong(problem, task)
    for what in (what for what, times in executed.items() if times > 1):
        yield wrong(f"{executed[what]} {what} were executed for one order")


def _paid_otherwise(
    order: OrderRow, task: TaskRow, paid: Sequence[StatementEntry]
) -> Iterator[str]:
    for line in paid:
        if (line.amount, line.currency) != (order.amount, order.currency):
            said = written(line.amount, line.currency)
            ours = written(order.amount, order.currency)
            yield f"{line.provider} paid {said}, the order is {ours}"
        if line.provider != task.provider:
            yield f"{line.provider} paid it, not {task.provider}"


def _against_provider(
    task: TaskRow,
    lines: Sequence[StatementEntry],
    paid: Sequence[StatementEntry],
    stated: Collection[str],
    cases: Collection[str],
) -> str | None:
    if task.task_id in cases or task.state in _GIVEN_BACK:
        return None
    if task.state == State.SUCCEEDED:
        returned = any(line.status == "returned" for line in lines)
        missing = task.provider in stated and not paid and not returned
        return f"SUCCEEDED, and {task.provider} paid nothing" if missing else None
    if paid and (task.state in FINAL_STATES or task.waiting_for == EngineWait.TURN):
        return f"it is {task.state}, and {paid[0].provider} has paid"
    return None
