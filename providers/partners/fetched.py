"""Fetches a partner's file: whole, unchanged, not there yet, or not to be had."""

from dataclasses import dataclass, field
from typing import Final, Protocol, TypeAlias

from providers.config.partners import FileTable, PartnerTable
from providers.http.outbound import Lost, Outbound, RequestNotSent, Response
from providers.http.unreadable import kind_of
from providers.rest.auth import proof_of
from providers.rest.requests import PreparedRequest, Unsendable

OK: Final = 200
UNCHANGED: Final = 304
NOT_THERE: Final = frozenset({404, 410})
AT_ONCE: Final = 2
TAG_LENGTH_MAX: Final = 1024


@dataclass(frozen=True, slots=True)
class FileVersion:
    """By what a server knows the version that we have; either may be empty."""

    tag: str = ""
    modified: str = ""


@dataclass(frozen=True, slots=True)
class FileBody:
    """A whole file, and by what its server knows this version."""

    body: bytes = field(repr=False)
    version: FileVersion = FileVersion()


@dataclass(frozen=True, slots=True)
class FileUnchanged:
    """The file is what it was."""


@dataclass(frozen=True, slots=True)
class FileNotThere:
    """There is no such file, or not yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileLost:
    """It could not be fetched, or not whole. ``sent`` False: it was not asked for."""

    because: str
    sent: bool = True
    lacking: bool = False


FileAnswer: TypeAlias = FileBody | FileUnchanged | FileNotThere | FileLost


class FileSource(Protocol):
    """Where a partner's files are."""

    async def fetch(
        self, path: str, known: FileVersion | None, seconds: float
    ) -> FileAnswer:
        """Fetch one, unless it is still the version that is ``known``."""
        ...


class HttpFiles:
    """Files over HTTP(S), at the partner's ``base_url`` and with its proof of us."""

    def __init__(
        self, table: PartnerTable, file: FileTable, outbound: Outbound
    ) -> None:
        tls = table.tls.context() if table.tls else None
        self._lane = outbound.lane(AT_ONCE, tls=tls, body_max=file.bytes_max)
        self._base_url = table.base_url or ""
        self._proof = proof_of(table)

    async def fetch(
        self, path: str, known: FileVersion | None, seconds: float
    ) -> FileAnswer:
        """Ask for one with what is known of it; a redirection leads nowhere."""
        asked = PreparedRequest(
            method="GET", url=self._base_url + path, headers={}, body=None
        )
        try:
            proof = self._proof.headers(asked)
        except Unsendable as error:
            return FileLost(because=str(error), sent=False)
        answer = await self._lane.request(
            "GET",
            asked.url,
            headers={"Accept": "text/csv", **proof, **_conditions(known)},
            timeout=seconds,
        )
        return file_answer(answer, known)


def _conditions(known: FileVersion | None) -> dict[str, str]:
    if known is None:
        return {}
    told = {"If-None-Match": known.tag, "If-Modified-Since": known.modified}
    return {name: value for name, value in told.items() if value}


def file_answer(
    answer: Response | RequestNotSent | Lost, known: FileVersion | None
) -> FileAnswer:
    """Read what came back; only a 200 holds a file."""
    if isinstance(answer, RequestNotSent):
        return FileLost(because=answer.because, sent=False, lacking=answer.lacking)
    if isinstance(answer, Lost):
        return FileLost(because=answer.because)
    if answer.status == OK:
        return FileBody(answer.body, _version(answer))
    if answer.status == UNCHANGED and known is not None:
        return FileUnchanged()
    if answer.status in NOT_THERE:
        return FileNotThere()
    return FileLost(
        because=f"status {answer.status}, and the body is {kind_of(answer)}"
    )


def _version(answer: Response) -> FileVersion:
    """Return what may be sent back as it came: printable, and of sensible length."""
    told = [answer.headers.get(name, "") for name in ("etag", "last-modified")]
    kept = [
        text
        if text.isascii() and text.isprintable() and len(text) < TAG_LENGTH_MAX
        else ""
        for text in told
    ]
    return FileVersion(*kept)
