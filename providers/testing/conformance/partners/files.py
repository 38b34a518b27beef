"""The scenarios of a partner that reconciles by a file: what it says of a card."""

import gzip
from collections.abc import Iterable
from typing import Final

from handlers.ports.partners import (
    Eligible,
    NotEligible,
    PartnerPending,
    PartnerUnclear,
)
from providers.config.partners import Eligibility, FileTable
from providers.testing.conformance.fake_server import (
    Manner,
    breaking_off,
    reset_after_request,
    saying,
    silence,
)
from providers.testing.conformance.harness import NotHere
from providers.testing.conformance.partners.declared import DeclaredFile
from providers.testing.conformance.partners.stage import PartnerStage, an_enquiry
from providers.testing.conformance.partners.words import Enquiry, Question
from providers.testing.conformance.scenario import IMPATIENT, Scenes
from providers.testing.conformance.vocabulary import Reply

SCENES: Final = Scenes[PartnerStage]()
CSV: Final = {"Content-Type": "text/csv"}
TAG: Final = '"conformance-1"'


def _file(stage: PartnerStage) -> FileTable:
    if stage.table.file is None:
        raise NotHere("its table has no file")
    return stage.table.file


class _Told:
    """What is to be said by a file."""

    def __init__(self, stage: PartnerStage) -> None:
        self._stage = stage
        self.table = _file(stage)
        self.file = DeclaredFile(self.table)

    def line(self, means: Eligibility, about: Enquiry | None = None) -> list[str]:
        word = self.file.word(means)
        if word is None:
            raise NotHere(f"its file has no word for {means}")
        return self.file.line(about or self._stage.enquiry, word)

    def manner(self, *lines: list[str], tag: str | None = None) -> Manner:
        return self.raw(self.file.body(lines), tag=tag)

    @staticmethod
    def raw(body: bytes, *, tag: str | None = None) -> Manner:
        headers = CSV if tag is None else CSV | {"ETag": tag}
        return saying(Reply(status=200, body=body, headers=headers))


async def _look(
    stage: PartnerStage, manner: Manner, kinds: Iterable[type], case: str
) -> None:
    await stage.expect(Question.AGAIN, manner, kinds, case)


@SCENES.scene("file-not-there", "A file that is not there yet says nothing yet.")
async def not_there(stage: PartnerStage) -> None:
    _file(stage)
    await _look(stage, saying(Reply(status=404)), [PartnerPending], "HTTP 404")


@SCENES.scene("file-listed", "A card is what its line says, among the lines of others.")
async def listed(stage: PartnerStage) -> None:
    told = _Told(stage)
    other = told.line(Eligibility.NOT_ELIGIBLE, an_enquiry(token="tok_other"))  # noqa: S106
    kinds = {Eligibility.ELIGIBLE: Eligible, Eligibility.NOT_ELIGIBLE: NotEligible}
    for means, kind in kinds.items():
        manner = told.manner(other, told.line(means), other)
        await _look(stage, manner, [kind], f"a line that says {means}")


@SCENES.scene("file-unlisted", "A card without a line is pending, and never a no.")
async def unlisted(stage: PartnerStage) -> None:
    told = _Told(stage)
    other = told.line(Eligibility.ELIGIBLE, an_enquiry(token="tok_other"))  # noqa: S106
    await _look(stage, told.manner(other), [PartnerPending], "a file without its line")
    await _look(stage, told.manner(), [PartnerPending], "a file without a line")


@SCENES.scene("file-odd-lines", "An odd line is left out, and the others count.")
async def odd_lines(stage: PartnerStage) -> None:
    told = _Told(stage)
    good = told.line(Eligibility.ELIGIBLE)
    short = ["x"]
    encoding = told.table.encoding
    head = told.file.body([])
    body = told.file.body([short, good, [*good, "more"]])
    await _look(stage, told.raw(body), [Eligible], "odd lines before and after")
    if encoding != "utf-16":
        rest = told.file.body([good]).removeprefix(head)
        odd = head + b'"never closes' + b"\r\n" + rest
        await _look(stage, told.raw(odd), [Eligible], "a quote that never closes")
        nul = head + b"\0\r\n" + rest
        await _look(stage, told.raw(nul), [Eligible], "a line with a NUL")


@SCENES.scene("file-odd-about", "An odd line about the card itself proves nothing.")
async def odd_about(stage: PartnerStage) -> None:
    told = _Told(stage)
    odd = told.file.line(stage.enquiry, "conformance_unlisted")
    await _look(stage, told.manner(odd), [PartnerUnclear], "a word nobody listed")


@SCENES.scene("file-contradiction", "Lines that contradict each other prove nothing.")
async def contradiction(stage: PartnerStage) -> None:
    told = _Told(stage)
    yes, no = told.line(Eligibility.ELIGIBLE), told.line(Eligibility.NOT_ELIGIBLE)
    await _look(stage, told.manner(yes, no), [PartnerUnclear], "a yes, then a no")
    await _look(stage, told.manner(yes, yes), [Eligible], "the same line twice")


@SCENES.scene("file-unended", "A last line that does not end may still be written.")
async def unended(stage: PartnerStage) -> None:
    told = _Told(stage)
    if told.table.unended == "taken":
        raise NotHere('its table says unended = "taken"')
    body = told.file.body([told.line(Eligibility.ELIGIBLE)])
    ending = len("\r\n".encode(told.table.encoding.replace("utf-16", "utf-16-le")))
    manner = told.raw(body[:-ending])
    await _look(stage, manner, [PartnerPending, PartnerUnclear], "without its end")


@SCENES.scene("file-none", "What is no such file proves nothing.")
async def no_file(stage: PartnerStage) -> None:
    told = _Told(stage)
    body = told.file.body([told.line(Eligibility.ELIGIBLE)])
    columns = told.file.head
    bodies = {
        "a page": b"<!doctype html><html>Welcome</html>\n",
        "nothing": b"",
        "gzip": gzip.compress(body),
        "other columns": "\n".join(f"{name}x" for name in columns).encode() + b"\n",
    }
    for label, wrong in bodies.items():
        await _look(stage, told.raw(wrong), [PartnerUnclear], label)
    for status in (206, 301, 401, 403, 500, 503):
        manner = saying(Reply(status=status, body=body, headers=CSV))
        await _look(stage, manner, [PartnerUnclear], f"HTTP {status}")


@SCENES.scene("file-lost", "A file that does not come whole proves nothing.")
async def lost(stage: PartnerStage) -> None:
    told = _Told(stage)
    body = told.file.body([told.line(Eligibility.ELIGIBLE)])
    manners = {
        "a file that breaks off": breaking_off(Reply(status=200, body=body)),
        "a reset": reset_after_request,
    }
    for label, manner in manners.items():
        await _look(stage, manner, [PartnerUnclear], label)


@SCENES.scene(
    "file-timeout", "A file that does not come in time is none.", timeout=IMPATIENT
)
async def late(stage: PartnerStage) -> None:
    _file(stage)
    await _look(stage, silence, [PartnerUnclear], "silence")


@SCENES.scene("file-large", "A file over its limit is not taken.")
async def large(stage: PartnerStage) -> None:
    told = _Told(stage)
    lines = [told.line(Eligibility.ELIGIBLE)]
    body = told.file.body(lines) + b"\n" * told.table.bytes_max
    await _look(stage, told.raw(body), [PartnerUnclear], "a file over its limit")


@SCENES.scene("file-unchanged", "What has not changed is not sent again, and counts.")
async def unchanged(stage: PartnerStage) -> None:
    told = _Told(stage)
    first = told.manner(told.line(Eligibility.ELIGIBLE), tag=TAG)
    await _look(stage, first, [Eligible], "a file with an ETag")
    await _look(stage, saying(Reply(status=304)), [Eligible], "HTTP 304")
    heard = stage.counterpart.heard
    asked = bool(heard) and heard[-1].headers.get("if-none-match") == TAG
    stage.must(asked, "the second time it does not say which version it has")
