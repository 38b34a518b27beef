"""Says in words how a partner's links are treated, for people to agree with."""

from collections.abc import Iterator

from fsm.domain.durations import format_duration
from providers.config import PartnerTable


def partner_in_words(table: PartnerTable) -> Iterator[str]:
    """Return what its table comes to, sentence by sentence."""
    countries, bins = ", ".join(table.countries), ", ".join(table.bins)
    yield f"Asked about cards of {countries} that begin with {bins}."
    fallback = table.fallback
    first, deadline = map(format_duration, (fallback.first, fallback.deadline))
    matches = "With several matches"
    if table.multi_match == "provisional":
        yield f"{matches} the membership is granted, and confirmed or revoked later."
    else:
        yield f"{matches} nothing is granted until it is known."
    where = "in its file" if table.file is not None else "by asking again"
    if table.file is not None and table.file.knows_by_day:
        yield (
            "A line of its file is told from one about an earlier link of the same "
            "card by the day alone: name its time, order_id or task_id in columns."
        )
    longest = format_duration(fallback.max)
    yield f"It is looked up {where} after {first}, at most every {longest}."
    revoked = ": what was granted is revoked"
    more = revoked if table.multi_match == "provisional" else ""
    yield f"Without an answer for {deadline} the link is expired{more}."
    if not table.notices:
        yield "It is not told of a revoke."
