"""What `verify` leaves out where it compares with others' books, by lifecycle.

A task of which core or a provider never hears is not compared with what they have
written down; how many there are of each lifecycle is said, so that nobody takes the
comparison for one of everything.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final

from fsm.charge.lifecycle import CHARGE
from fsm.engine.words import Invariant
from fsm.invariants import TaskRow
from fsm.reconciliation import has_books
from payment_service.cli.statements import Books

WHOSE: Final[Mapping[Invariant, str]] = {
    Invariant.CORE: "core's ledger was",
    Invariant.PROVIDERS: "the providers' statements were",
}


def compared(books: Books | None) -> frozenset[Invariant]:
    """Return by which rules others' books are compared with the rows."""
    if books is None:
        return frozenset()
    core = {Invariant.CORE} if books.core else set()
    stated = {Invariant.PROVIDERS} if books.stated or books.partial else set()
    return frozenset(core | stated)


class NotCompared:
    """Counts what is left out; ``books`` are those that are compared at all.

    ``charging`` are the providers whose statements list charges: of another one's
    statements none tells whether it has charged.
    """

    def __init__(
        self, books: Collection[Invariant], charging: Collection[str] = ()
    ) -> None:
        self._charging = frozenset(charging)
        self._books = [each for each in WHOSE if each in books]
        self._left_out: Counter[tuple[Invariant, str]] = Counter()
        self._unheard: Counter[str] = Counter()

    def count(self, tasks: Iterable[TaskRow]) -> None:
        """Count the tasks of an order that none of these books knows."""
        for books in self._books:
            for task in tasks:
                unlisted = (
                    books is Invariant.PROVIDERS
                    and task.lifecycle == CHARGE.name
                    and task.provider not in self._charging
                )
                if unlisted or not has_books(task, books):
                    self._left_out[books, task.lifecycle] += 1

    def unheard(self, lifecycle: str) -> None:
        """Count a webhook about a task of which nobody here knows what it hears."""
        self._unheard[lifecycle] += 1

    def notes(self) -> Iterator[str]:
        """Say what was left out, by name."""
        for books in self._books:
            left = {n: k for (of, n), k in self._left_out.items() if of is books}
            if left:
                yield (
                    f"{WHOSE[books]} not compared with {_named(left)}, which nothing "
                    "there is about"
                )
        if self._unheard:
            yield (
                f"webhooks were not compared with {_named(self._unheard)}: what those "
                "hear is not known here"
            )


def _named(left: Mapping[str, int]) -> str:
    return ", ".join(
        f"{count} {'task' if count == 1 else 'tasks'} of {name!r}"
        for name, count in sorted(left.items())
    )
