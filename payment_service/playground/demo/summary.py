"""The demo's summary: what the cascade gave, and whether the money adds up.

Judges S1, S2, S4, S5, S8 of docs/promises.md.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from payment_service.playground.demo.checkouts import CheckoutFigures
from payment_service.playground.demo.links import LinkFigures
from payment_service.playground.demo.load import SentOrder
from payment_service.playground.demo.tally import RowCounts, Tally
from payment_service.playground.demo.world import World
from providers.testing.simulator import story

OFFENDERS_SHOWN: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Everything the demo says at its end; ``wrong`` empty means it adds up."""

    orders: int
    completed: int
    failed: int
    single_shot_rate: float
    cascade_rate: float
    attempts_per_order: float
    manual_checks: int
    manual_check_rate: float
    cases: int
    dead_letters: int
    p50_seconds: float
    p99_seconds: float
    orders_per_second: float
    payouts_executed: int
    committed_by_core: int
    holds_left: int
    audit_lines: int
    checkouts: CheckoutFigures
    links: LinkFigures
    wrong: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return asdict(self)


def summarise(  # noqa: PLR0913 - the figures come from six places
    world: World,
    sent: Sequence[SentOrder],
    *,
    checkouts: CheckoutFigures,
    links: LinkFigures,
    tally: Tally,
    facts: RowCounts,
    seconds: float,
    verified: Sequence[str],
    seed: int,
) -> Summary:
    """Put the figures together and compare all three books."""
    outcomes = [story.outcome(each.cascade[0], each.token, seed) for each in sent]
    single = sum(1 for o in outcomes if o.paid and o.resolved)
    commits = [e for e in world.core.entries if e.operation == "commit"]
    others = (*checkouts.wrong, *links.wrong, *verified)
    return Summary(
        orders=len(sent),
        completed=tally.completed,
        failed=tally.failed,
        single_shot_rate=single / len(sent),
        cascade_rate=tally.completed / len(sent),
        attempts_per_order=facts.attempts / len(sent),
        manual_checks=facts.manual_checks,
        manual_check_rate=facts.manual_checks / len(sent),
        cases=facts.cases,
        dead_letters=facts.dead_letters,
        p50_seconds=facts.p50_seconds,
        p99_seconds=facts.p99_seconds,
        orders_per_second=len(sent) / seconds,
        payouts_executed=world.simulator.book.executed(),
        committed_by_core=len(commits),
        holds_left=len(world.core.holds()),
        audit_lines=facts.audit_lines,
        checkouts=checkouts,
        links=links,
        wrong=(*_disagreements(world, sent, tally), *others),
    )


def _disagreements(world: World, sent: Sequence[SentOrder], tally: Tally) -> list[str]:
    book, core = world.simulator.book, world.core
    wrong = [f"core: {problem}" for problem in core.check()]
    wrong += [f"providers: {problem}" for problem in book.check()]
    wrong += [f"books: {problem}" for problem in book.against(core.statement())]
    wrong += [
        f"destination {token} was paid {count} times"
        for token, count in book.executed_by_destination().items()
        if count > 1
    ]
    commits = sum(1 for e in core.entries if e.operation == "commit")
    if commits != tally.completed:
        wrong.append(f"{tally.completed} orders completed, core committed {commits}")
    if tally.accepted != len(sent):
        wrong.append(f"{len(sent)} orders sent, {tally.accepted} are stored")
    if core.holds():
        wrong.append(f"{len(core.holds())} holds are left at rest")
    return wrong


def show(summary: Summary, console: Console) -> None:
    """Print it for people."""
    table = Table(title="What the cascade gave", show_header=True, title_justify="left")
    for column in ("", "single shot", "cascade"):
        table.add_column(column, justify="right" if column else "left")
    table.add_row(
        "success rate", f"{summary.single_shot_rate:.1%}", f"{summary.cascade_rate:.1%}"
    )
    table.add_row("attempts an order", "1.0", f"{summary.attempts_per_order:.1f}")
    table.add_row("manual checks", "", f"{summary.manual_check_rate:.1%}")
    table.add_row(
        "time to an outcome, p50 / p99",
        "",
        f"{summary.p50_seconds:.2f} s / {summary.p99_seconds:.2f} s",
    )
    console.print(table)
    console.print(
        f"{summary.orders} orders: {summary.completed} completed, "
        f"{summary.failed} failed; {summary.audit_lines} audit lines, "
        f"{summary.cases} cases, {summary.dead_letters} dead letters."
    )
    console.print(
        f"The money: {summary.payouts_executed} payouts in the providers' books, "
        f"{summary.committed_by_core} commits in core's ledger, "
        f"{summary.completed} orders completed in our tables, "
        f"{summary.holds_left} holds left."
    )
    console.print(str(summary.checkouts))
    console.print(str(summary.links))
    for problem in summary.wrong[:OFFENDERS_SHOWN]:
        console.print(f"[bold red]WRONG[/] {problem}", highlight=False)
    verdict = (
        "[bold red]It does NOT add up.[/]"
        if summary.wrong
        else ("[bold green]It adds up: nobody was paid twice, no hold was orphaned.[/]")
    )
    console.print(verdict)
