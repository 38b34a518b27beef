"""The tables of partners: whose cards can be linked, and how each partner is asked."""

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field

from fsm.engine.backoff import Backoff
from fsm.partner.policy import LinkPolicy, OnMultiMatch
from providers.config.called import CalledTable
from providers.config.fields import Duration
from providers.config.forms import At, AtFirst, HttpStatus, RequestTable, Word
from providers.config.services import RetryTable
from providers.config.table import Table
from providers.config.values import Bins, Countries, Factor, Many

CSV_BYTES: Final = 16 * 1024 * 1024
CSV_BYTES_MAX: Final = 256 * 1024 * 1024


class Eligibility(StrEnum):
    """What a partner's own word for a customer's card stands for."""

    ELIGIBLE = "eligible"
    NOT_ELIGIBLE = "not_eligible"
    MULTI_MATCH = "multi_match"
    PENDING = "pending"


def _eligibility(value: object) -> object:
    try:
        return Eligibility(str(value))
    except ValueError:
        known = ", ".join(Eligibility)
        raise ValueError(f"must be one of {known}") from None


Means = Annotated[Eligibility, BeforeValidator(_eligibility)]


class FallbackTable(Table):
    """The checks that follow when a partner has several matches."""

    first: Duration = timedelta(hours=6)
    factor: Factor = 2.0
    max: Duration = timedelta(hours=24)
    deadline: Duration = timedelta(days=5)


class RefusalTable(Table):
    """An error by which a partner says no: both its HTTP status and its code."""

    http: Many[HttpStatus]
    codes: Many[Word]


class PartnerAnswersTable(Table):
    """Where an answer says what, and what its words stand for.

    ``echoes`` are places that repeat what was sent, by the placeholder that sent it:
    an answer that repeats something else is about another question.
    """

    result_at: At
    results: Mapping[Word, Means]
    code_at: AtFirst = ()
    message_at: AtFirst = ()
    echoes: Mapping[str, At] = {}
    refusals: Many[RefusalTable] = ()


class EligibilityTable(RequestTable):
    """How a partner is asked whether a customer's card can be linked."""

    method: Literal["POST", "PUT", "GET"] = "POST"
    answers: PartnerAnswersTable


class RevocationTable(RequestTable):
    """How a partner is told of a revoke: any 2xx is done, and what ``done`` lists."""

    method: Literal["POST", "PUT", "PATCH", "DELETE"] = "POST"
    done: Many[HttpStatus] = ()


class FileColumns(Table):
    """The names that the columns of a partner's file have in its first line.

    The first four are what a line is known by: all that are given must agree.
    """

    customer_id: Word | None = None
    card_token: Word | None = None
    order_id: Word | None = None
    task_id: Word | None = None
    result: Word
    code: Word | None = None
    message: Word | None = None
    time: Word | None = None


class FileTable(Table):
    """A file by which a partner reconciles: the fallback checks are answered from it.

    ``path`` may hold ``{date}``: then there is one for each day, and those of the last
    ``days`` are looked into, the newest first. ``fresh`` is how long one that was read
    is not asked for again.
    """

    path: str
    days: int = Field(default=7, ge=1, le=31)
    timeout: Duration = timedelta(seconds=20)
    fresh: Duration = timedelta(minutes=1)
    bytes_max: int = Field(default=CSV_BYTES, ge=1024, le=CSV_BYTES_MAX)
    encoding: Literal["utf-8", "utf-16", "latin-1", "cp1252"] = "utf-8"
    delimiter: Literal[",", ";", "\t", "|"] = ","
    unended: Literal["left_out", "taken"] = "left_out"
    columns: FileColumns
    results: Mapping[Word, Means]

    @property
    def dated(self) -> bool:
        """True where there is a file for each day."""
        return "{date}" in self.path

    @property
    def knows_by_day(self) -> bool:
        """True where nothing but its day tells a line from an earlier link's."""
        columns = self.columns
        return (columns.order_id, columns.task_id, columns.time) == (None, None, None)


class PartnerTable(CalledTable):
    """One ``[partners.*]``: whose cards can be linked, and how it is asked.

    Without ``eligibility`` the form is the contract's. ``fallback_check`` is how the
    checks after several matches are made; without it, and without a ``file``, they are
    the first one again. ``notices`` false: it is not told of a revoke.
    """

    adapter: str = Field(default="rest", min_length=1)
    timeout: Duration = timedelta(seconds=5)
    countries: Countries
    bins: Bins
    multi_match: Literal["provisional", "hold"] = "hold"
    retry: RetryTable = RetryTable()
    fallback: FallbackTable = FallbackTable()
    eligibility: EligibilityTable | None = None
    fallback_check: EligibilityTable | None = None
    revocation: RevocationTable | None = None
    notices: bool = True
    file: FileTable | None = None

    @property
    def policy(self) -> LinkPolicy:
        """Return how its links may be treated, as the core sees it."""
        return LinkPolicy(
            countries=self.countries,
            bins=self.bins,
            multi_match=OnMultiMatch(self.multi_match),
            retry=_backoff(self.retry),
            attempts=self.retry.attempts,
            fallback=_backoff(self.fallback),
            deadline=self.fallback.deadline,
        )


def _backoff(table: RetryTable | FallbackTable) -> Backoff:
    return Backoff(first=table.first, factor=table.factor, longest=table.max)
