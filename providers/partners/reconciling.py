"""Answers fallback checks from a partner's files, which are read once for all links.

The newest file that says something about a card counts. One that cannot be fetched or
read keeps the older ones from being believed: it may say something else.
"""

import asyncio
import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias

from handlers.ports.partners import (
    CheckAnswer,
    Eligible,
    MultiMatch,
    PartnerCall,
    PartnerNotSent,
    PartnerPending,
    PartnerUnclear,
)
from providers.config.partners import Eligibility, FileTable
from providers.partners.fetched import (
    FileBody,
    FileLost,
    FileNotThere,
    FileSource,
    FileUnchanged,
    FileVersion,
)
from providers.partners.report import (
    DEFINITE,
    IDENTITY,
    FileContent,
    LeftOutLine,
    ReportLine,
    UnreadableReport,
    read_report,
)
from providers.partners.said import card_of, not_eligible, text_in

KEPT_MAX: Final = 64

FileNote: TypeAlias = Callable[[str, str, FileContent], None]
"""(partner, path, report): a version of a file that was read for the first time."""


def nobody_reads(partner: str, path: str, report: FileContent) -> None:
    """Tell nobody of what was read."""
    del partner, path, report


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    """A file as it was read last."""

    report: FileContent
    version: FileVersion
    digest: bytes
    at: float


_Found: TypeAlias = FileContent | FileNotThere | FileLost


class Reconciliation:
    """The files of one partner."""

    def __init__(
        self,
        partner: str,
        table: FileTable,
        source: FileSource,
        *,
        now: Callable[[], datetime],
        note: FileNote = nobody_reads,
    ) -> None:
        self._partner = partner
        self._table = table
        self._source = source
        self._now = now
        self._note = note
        self._kept: dict[str, _Kept] = {}
        self._reading: dict[str, asyncio.Task[_Found]] = {}
        self._known_by = [n for n in IDENTITY if getattr(table.columns, n) is not None]

    async def answer(self, call: PartnerCall) -> CheckAnswer:
        """Say what the files say of a card; nothing yet is pending."""
        seconds = self._table.timeout.total_seconds()
        try:
            async with asyncio.timeout(seconds):
                return await self._looked_up(call)
        except TimeoutError:
            return PartnerUnclear(because="the files were not read in time")

    async def _looked_up(self, call: PartnerCall) -> CheckAnswer:
        about = self._about(call)
        if about is None:
            told = f"nothing to look it up by: {', '.join(self._known_by)}"
            return PartnerUnclear(because=told)
        since = begun_at(call.task_id)
        for path in self._paths(since):
            found = await self.read(path)
            if isinstance(found, FileLost):
                return _lost(path, found)
            if isinstance(found, FileContent):
                said = _said(found, about, path, since, card_of(call.order))
                if said is not None:
                    return said
        return PartnerPending()

    async def read(self, path: str) -> _Found:
        """Return what a file says, from what was read of it where that is new enough.

        Whoever asks at the same time waits for the same answer; it is read to its end
        for those who ask later, also where nobody waits any more.
        """
        reading = self._reading.get(path)
        if reading is None:
            clock = asyncio.get_running_loop().time
            kept = self._kept.get(path)
            fresh = self._table.fresh.total_seconds()
            if kept is not None and clock() - kept.at < fresh:
                return kept.report
            reading = asyncio.create_task(self._fetched(path, kept, clock))
            self._reading[path] = reading
            reading.add_done_callback(lambda _: self._reading.pop(path, None))
        return await asyncio.shield(reading)

    async def _fetched(
        self, path: str, kept: _Kept | None, clock: Callable[[], float]
    ) -> _Found:
        seconds = self._table.timeout.total_seconds()
        known = None if kept is None else kept.version
        answer = await self._source.fetch(path, known, seconds)
        match answer:
            case FileBody(body=body, version=version):
                digest = hashlib.sha256(body).digest()
                if kept is None or kept.digest != digest:
                    try:
                        report = await asyncio.to_thread(read_report, body, self._table)
                    except UnreadableReport as odd:
                        return FileLost(because=str(odd))
                    self._note(self._partner, path, report)
                else:
                    report = kept.report
            case FileUnchanged() if kept is not None:
                report, version, digest = kept.report, kept.version, kept.digest
            case FileUnchanged():
                return FileLost(because="status 304, and nothing of it is known")
            case _:
                self._kept.pop(path, None)
                return answer
        self._keep(
            path, _Kept(report=report, version=version, digest=digest, at=clock())
        )
        return report

    def _keep(self, path: str, kept: _Kept) -> None:
        self._kept.pop(path, None)
        self._kept[path] = kept
        while len(self._kept) > KEPT_MAX:
            del self._kept[next(iter(self._kept))]

    def paths(self) -> Iterator[str]:
        """Return the paths that are looked into today, the newest first."""
        return self._paths(None)

    def _paths(self, since: datetime | None) -> Iterator[str]:
        if not self._table.dated:
            yield self._table.path
            return
        today = self._now().astimezone(UTC).date()
        for back in range(self._table.days):
            day = today - timedelta(days=back)
            if since is not None and day < since.date():
                return
            yield self._table.path.replace("{date}", day.isoformat())

    def _about(self, call: PartnerCall) -> tuple[str, ...] | None:
        known = {**card_of(call.order), "task_id": call.task_id}
        for name in ("customer_id", "order_id"):
            known[name] = text_in(call.order, name)
        about = tuple(known.get(name, "") for name in self._known_by)
        return about if all(about) else None


def begun_at(task_id: str) -> datetime | None:
    """Return when a task was made, which its id says (RFC 9562); None for another."""
    digits = task_id.replace("-", "")
    try:
        millis = int(digits[:12], 16)
        is_timed = digits[12] == "7"
    except (ValueError, IndexError):
        return None
    return datetime.fromtimestamp(millis / 1000, UTC) if is_timed else None


def _lost(path: str, lost: FileLost) -> PartnerUnclear | PartnerNotSent:
    because = f"{path}: {lost.because}"
    if lost.sent:
        return PartnerUnclear(because=because)
    return PartnerNotSent(because=because, lacking=lost.lacking)


def _said(
    report: FileContent,
    about: tuple[str, ...],
    path: str,
    since: datetime | None,
    card: Mapping[str, str],
) -> CheckAnswer | None:
    """Return what a file says of one card; None where it says nothing."""
    lines = [line for line in report.lines.get(about, ()) if _counts(line, since)]
    odd = report.odd_about.get(about)
    definite = [line for line in lines if line.result in DEFINITE]
    if len({line.result for line in definite}) > 1:
        numbers = ", ".join(str(line.number) for line in definite)
        return PartnerUnclear(because=f"{path}: lines {numbers} contradict each other")
    if odd is not None and _counts(odd, since):
        return PartnerUnclear(because=f"{path}: {odd}")
    if not lines:
        return None
    return _answer((definite or lines)[-1], card)


def _counts(line: ReportLine | LeftOutLine, since: datetime | None) -> bool:
    """Tell whether a line may be about this link, and not about an earlier one."""
    return since is None or line.at is None or line.at >= since


def _answer(line: ReportLine, card: Mapping[str, str]) -> CheckAnswer:
    match line.result:
        case Eligibility.ELIGIBLE:
            return Eligible()
        case Eligibility.MULTI_MATCH:
            return MultiMatch()
        case Eligibility.PENDING:
            return PartnerPending()
        case Eligibility.NOT_ELIGIBLE:
            return not_eligible({"code": line.code, "message": line.message}, card)
