"""Says in words how a service of the checkout is treated, for people to agree with."""

from collections.abc import Iterator

from fsm.domain.durations import format_duration
from providers.config import ServiceTable
from providers.config.services import CAN_BE_UNDONE, NO_RETURN


def service_in_words(table: ServiceTable) -> Iterator[str]:
    """Return what its table comes to, sentence by sentence."""
    if not table.is_step:
        yield "Loads for the steps, and does none."
        return
    if table.asks:
        yield "What is unclear is asked about, and done again under its key."
    else:
        yield "What is unclear is done again under its key: it cannot be asked."
    tries = f"Given up after {table.retry.attempts} tries"
    if table.deadline is not None:
        tries += f" or {format_duration(table.deadline)}"
    yield f"{tries}: {_given_up(table)}."
    if table.default is not None:
        after = format_duration(table.default.after)
        yield f"Away for {after}, its default holds, and the audit trail says so."


def _given_up(table: ServiceTable) -> str:
    if table.default is not None:
        return "the default holds"
    if table.name in CAN_BE_UNDONE:
        return "undone, since it may have been done"
    if table.name in NO_RETURN:
        return "a person decides whether it was done"
    return "the order is undone"
