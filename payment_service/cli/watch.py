"""Follows an order until it rests: redrawn on a terminal, else a line for each move.

It is read from the database, so that an API which restarts is not noticed; a database
that is away for a while is told, and asked again.
"""

import asyncio
import os
import sys
from collections.abc import Sequence
from typing import Any, Final

from fsm.domain.errors import StoreUnavailable
from fsm.domain.orders import Order
from fsm.engine.words import OrderState, State
from handlers.ports.reads import AuditEntry, Reads
from payment_service.cli.context import run_async
from payment_service.cli.database import open_database
from payment_service.cli.errors import DONE, FOUND_WRONG
from payment_service.cli.failures import say
from payment_service.cli.order_printing import row_of
from payment_service.cli.orders import Picture, picture, print_whole, shown_order
from payment_service.cli.printing import is_terminal, print_cells, print_json_line
from payment_service.storage.reads import PostgresReads
from payment_service.wire.views import event_view, order_view

EVERY_SECONDS: Final = 1.0
REDRAWN: Final = "\x1b[H\x1b[J"
AT_WORK: Final = frozenset(
    {
        State.CREATING,
        State.EXECUTING,
        State.NEGATIVE_EVAL,
        State.RECHECKING,
        State.REVERSING,
    }
)
AWAY: Final = "the database does not answer; asked again until it does"


def watch(asked: str, *, wide: bool, as_json: bool) -> int:
    """Show an order as it goes on; return 0 once it is completed, 1 at any other rest.

    It is at rest where it is final, or where nobody but a person can go on.
    """
    return run_async(_watch(asked, wide=wide, as_json=as_json))


async def _watch(asked: str, *, wide: bool, as_json: bool) -> int:
    async with open_database() as database:
        reads = PostgresReads(database)
        queue_id = (await shown_order(database, reads, asked)).queue_id
        view = (
            MoveLines(as_json=as_json) if _prints_lines(as_json) else Screen(wide=wide)
        )
        return await follow(reads, queue_id, view)


def _prints_lines(as_json: bool) -> bool:
    return as_json or not is_terminal() or os.environ.get("TERM") == "dumb"


async def follow(reads: Reads, queue_id: str, view: Any) -> int:  # noqa: ANN401 - below
    """Show an order to a view until it rests or nobody reads; return the exit code."""
    is_away = False
    while not getattr(sys.stdout, "is_left", False):
        try:
            found = await picture(reads, await reads.find(queue_id))
        except StoreUnavailable:
            if not is_away:
                say(AWAY)
            is_away = True
        else:
            is_away = False
            view.show(found)
            sys.stdout.flush()
            if is_at_rest(found[0]):
                return DONE if _is_completed(found[0]) else FOUND_WRONG
        await asyncio.sleep(EVERY_SECONDS)
    return DONE


def is_at_rest(order: Order) -> bool:
    """True where nothing goes on by itself: it is final, or a person has to decide."""
    states = {task.state for task in order.queue.tasks}
    if order.queue.final:
        return order.queue.wake_at is None
    return State.MANUAL_CHECK in states and not states & AT_WORK


def _is_completed(order: Order) -> bool:
    return order.queue.state is OrderState.COMPLETED


class Screen:
    """Draws the whole order anew whenever something about it has changed."""

    def __init__(self, *, wide: bool) -> None:
        self._wide = wide
        self._drawn: object = None

    def show(self, found: Picture) -> None:
        """Draw it, where it is another than before."""
        order, trail, cases = found
        now = (order.queue.version, len(trail), [(c.id, c.state) for c in cases])
        if now != self._drawn:
            self._drawn = now
            sys.stdout.write(REDRAWN)
            print_whole(found, wide=self._wide)


class MoveLines:
    """Prints each line of the trail once, and at rest how the order stands."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._last = 0

    def show(self, found: Picture) -> None:
        """Print what is new."""
        order, trail, _ = found
        self._print(order, [entry for entry in trail if entry.seq > self._last])
        self._last = max((entry.seq for entry in trail), default=0)
        if is_at_rest(order):
            if self._as_json:
                print_json_line({"order": order_view(order)})
            else:
                print_cells([order.order_id, order.queue.state])

    def _print(self, order: Order, entries: Sequence[AuditEntry]) -> None:
        places = {task.task_id: task.position for task in order.queue.tasks}
        for entry in entries:
            if self._as_json:
                print_json_line(event_view(entry))
            else:
                print_cells(row_of(entry, places))
