"""Shows how far a long look at all orders is, on a terminal."""

import sys
from collections.abc import Callable
from typing import Any

from payment_service.cli.printing import console


class progress:  # noqa: N801 - used as a verb
    """Shows how far it is, on a terminal."""

    def __init__(self, total: int, *, shown: bool) -> None:
        self._total = total
        self._shown = shown and sys.stderr.isatty()
        self._bar: Any = None

    def __enter__(self) -> Callable[[int], None]:
        if not self._shown:
            return lambda _done: None
        from rich.progress import (  # noqa: PLC0415 - only for a terminal
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TimeRemainingColumn,
        )

        columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._bar = Progress(*columns, console=console(stderr=True), transient=True)
        self._bar.start()
        task = self._bar.add_task("orders", total=self._total)
        return lambda done: self._bar.update(task, completed=done)

    def __exit__(self, *_failure: object) -> None:
        if self._bar is not None:
            self._bar.stop()
