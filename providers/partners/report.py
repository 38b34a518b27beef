"""Reads a partner's CSV file line by line: odd lines are named, and never lost.

Pure. A line is read by itself, so that one whose quotes never close spoils no other; a
value that goes over several lines is therefore an odd one.
"""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from fsm.domain.masking import masked_prose
from fsm.domain.reading import shortened
from providers.config.partners import Eligibility, FileTable

IDENTITY: Final = ("customer_id", "card_token", "order_id", "task_id")
"""The columns by which a line is known, as the table names them."""
LINE_BYTES_MAX: Final = 16 * 1024
ODD_KEPT_MAX: Final = 1000
UTF8_MARK: Final = b"\xef\xbb\xbf"
OTHER_MARKS: Final = (b"\xff\xfe", b"\xfe\xff")
DEFINITE: Final = frozenset({Eligibility.ELIGIBLE, Eligibility.NOT_ELIGIBLE})

Identity = tuple[str, ...]


class UnreadableReport(ValueError):
    """A file of which no line can be read; says why, and how to mend it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportLine:
    """What one line says of a card; ``number`` counts from 1, the header too."""

    number: int
    result: Eligibility
    code: str | None = None
    message: str | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class LeftOutLine:
    """A line that is left out, and why; of what stands in it at most its time."""

    number: int
    because: str
    at: datetime | None = None

    def __str__(self) -> str:
        """Return it for people."""
        return f"line {self.number}: {self.because}"


@dataclass(slots=True)
class FileContent:
    """All that a file says: lines by whom they are about, and those left out.

    Of the odd lines the first thousand are kept; ``odd_count`` counts them all.
    ``odd_about`` has the newest about each; one that tells no time may be the newest.
    """

    lines: dict[Identity, list[ReportLine]] = field(default_factory=dict)
    odd: list[LeftOutLine] = field(default_factory=list)
    odd_about: dict[Identity, LeftOutLine] = field(default_factory=dict)
    line_count: int = 0
    odd_count: int = 0

    def leave_out(self, odd: LeftOutLine, about: Identity | None = None) -> None:
        """Note a line that is left out; and about whom, where that can be read."""
        self.odd_count += 1
        if len(self.odd) < ODD_KEPT_MAX:
            self.odd.append(odd)
        if about is not None:
            known = self.odd_about.setdefault(about, odd)
            if odd.at is None or (known.at is not None and known.at < odd.at):
                self.odd_about[about] = odd


def read_report(body: bytes, table: FileTable) -> FileContent:
    """Read a file.

    :raises UnreadableReport: it is none of this form.
    """
    lines = _decoded(body, table)
    head = _Head(next(lines, None), table)
    report = FileContent()
    for number, text in lines:
        if isinstance(text, LeftOutLine):
            report.leave_out(text)
        elif text.strip():
            head.take(number, text, report)
    return report


def _decoded(
    body: bytes, table: FileTable
) -> Iterator[tuple[int, "str | LeftOutLine"]]:
    """Yield each line of the file by its number, or why it is none."""
    if table.encoding == "utf-16":
        body = _from_utf16(body)
    elif body.startswith(OTHER_MARKS):
        raise UnreadableReport('it begins as UTF-16 does: set file.encoding = "utf-16"')
    encoding = "utf-8" if table.encoding == "utf-16" else table.encoding
    last = body.count(b"\n") + 1
    for number, raw in enumerate(io.BytesIO(body.removeprefix(UTF8_MARK)), 1):
        yield number, _text(number, raw, encoding, table, is_last=number == last)


def _from_utf16(body: bytes) -> bytes:
    try:
        return body.decode("utf-16").encode()
    except UnicodeError:
        raise UnreadableReport("it is not UTF-16: see file.encoding") from None


def _text(
    number: int, raw: bytes, encoding: str, table: FileTable, *, is_last: bool
) -> str | LeftOutLine:
    if len(raw) > LINE_BYTES_MAX:
        return LeftOutLine(number, f"it is longer than {LINE_BYTES_MAX} bytes")
    if b"\0" in raw:
        return LeftOutLine(number, "there is a NUL in it")
    if is_last and table.unended == "left_out" and raw.strip():
        return LeftOutLine(number, "it does not end: the file may still be written")
    try:
        return raw.decode(encoding).rstrip("\r\n")
    except UnicodeDecodeError:
        return LeftOutLine(number, f"it is not {encoding}")


class _Head:
    """The first line: where in each other line what stands."""

    def __init__(
        self, first: "tuple[int, str | LeftOutLine] | None", table: FileTable
    ) -> None:
        if first is None or not str(first[1]).strip():
            raise UnreadableReport("it is empty")
        if isinstance(first[1], LeftOutLine):
            raise UnreadableReport(f"its first line cannot be read: {first[1].because}")
        self._table = table
        self._names = _fields(first[1], table.delimiter)
        self._at = self._places()
        self._known_by = [n for n in IDENTITY if n in self._at]

    def _places(self) -> Mapping[str, int]:
        names = [] if self._names is None else [name.strip() for name in self._names]
        columns = self._table.columns
        places = {}
        for key in type(columns).model_fields:
            wanted: str | None = getattr(columns, key)
            if wanted is None:
                continue
            if names.count(wanted) != 1:
                times = "no" if wanted not in names else "more than one"
                shown = shortened(masked_prose(", ".join(names)))
                told = f"its first line has {times} column {wanted}: it has {shown}"
                raise UnreadableReport(f"{told}; see file.columns.{key}")
            places[key] = names.index(wanted)
        return places

    def take(self, number: int, text: str, report: FileContent) -> None:
        """Put a line where it belongs."""
        fields = _fields(text, self._table.delimiter)
        if fields is None:
            report.leave_out(LeftOutLine(number, "its quotes do not close, or are odd"))
            return
        width = len(self._names or ())
        if len(fields) != width:
            told = f"it has {len(fields)} fields, and the first line has {width}"
            report.leave_out(LeftOutLine(number, told))
            return
        told_by = {key: fields[place].strip() for key, place in self._at.items()}
        about = tuple(told_by[key] for key in self._known_by)
        read = self._read(number, told_by)
        if isinstance(read, LeftOutLine) or not all(about):
            odd = read if isinstance(read, LeftOutLine) else None
            nobody = LeftOutLine(number, "it does not say whom it is about")
            report.leave_out(odd or nobody, about if all(about) else None)
            return
        report.line_count += 1
        report.lines.setdefault(about, []).append(read)

    def _read(self, number: int, told: Mapping[str, str]) -> ReportLine | LeftOutLine:
        at = None
        if "time" in told and (at := _moment(told["time"])) is None:
            return LeftOutLine(number, "its time is none like 2026-01-31T23:59:59Z")
        result = self._table.results.get(told["result"])
        if result is None:
            return LeftOutLine(number, "its result is none of file.results", at)
        return ReportLine(
            number=number,
            result=result,
            code=told.get("code") or None,
            message=told.get("message") or None,
            at=at,
        )


def _fields(text: str, delimiter: str) -> Sequence[str] | None:
    """Return the fields of one line; None where its quotes make none."""
    try:
        return next(csv.reader([text], delimiter=delimiter, strict=True))
    except (csv.Error, StopIteration):
        return None


def _moment(text: str) -> datetime | None:
    """Read a time of day and date; UTC where it names no zone, None for a bare date."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    if len(text) <= len("2026-01-31"):
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
