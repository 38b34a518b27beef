"""Says in words how a checkout's services, and who collects, are treated."""

from collections.abc import Iterator, Sequence

from fsm.domain.durations import format_duration
from providers.config import ProviderTable, ServiceTable
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


def payment_in_words(names: Sequence[str]) -> str:
    """Return who collects for new checkouts."""
    order = ", then ".join(names)
    return f"{order}: each only once it is proven that the one before has not charged."


def charge_in_words(table: ProviderTable) -> Iterator[str]:
    """Return what a provider's charges come to, sentence by sentence."""
    charge = table.charge
    if charge is None:
        return
    if charge.key_lifetime is None:
        yield "A charge that may have arrived is asked about, and never made again."
    else:
        lives = format_duration(charge.key_lifetime)
        yield f"One that it does not know is made again with its key, within {lives}."
    if charge.absent_after is None:
        yield "That it does not know a charge proves nothing."
    else:
        after = format_duration(charge.absent_after)
        yield f"What it does not know {after} after it was sent was never charged."
    tries = f"{charge.retry.attempts} tries"
    if charge.deadline is not None:
        tries += f" or {format_duration(charge.deadline)}"
    yield f"After {tries} without an answer a person decides."


def _given_up(table: ServiceTable) -> str:
    if table.default is not None:
        return "the default holds"
    if table.name in CAN_BE_UNDONE:
        return "undone, since it may have been done"
    if table.name in NO_RETURN:
        return "a person decides whether it was done"
    return "the order is undone"
