"""Bugs in what is heard of a partner, read in its file, and held back from it."""

import pytest

from handlers.ports.partners import NotEligible, PartnerNotSent
from providers.config import unsafe_partners
from providers.health import observed_partners
from providers.http.outbound import Lost
from providers.partners import reconciling, report, said
from providers.partners.report import LeftOutLine
from providers.testing.simulator.memberships import Memberships


def a_lost_check_was_not_sent(patch: pytest.MonkeyPatch) -> None:
    def unanswered(answer: object) -> PartnerNotSent:
        return PartnerNotSent(because=getattr(answer, "because", ""))

    patch.setattr(said, "unanswered", unanswered)


def silence_is_a_no(patch: pytest.MonkeyPatch) -> None:
    real = said.unanswered

    def unanswered(answer: object) -> object:
        lost = isinstance(answer, Lost)
        return NotEligible(code="no_answer") if lost else real(answer)  # type: ignore[arg-type]

    patch.setattr(said, "unanswered", unanswered)


def a_later_line_outvotes_the_other(patch: pytest.MonkeyPatch) -> None:
    real = reconciling._said

    def last(found: object, about: object, *others: object) -> object:
        lines = {key: each[-1:] for key, each in found.lines.items()}  # type: ignore[attr-defined]
        return real(report.FileContent(lines=lines), about, *others)  # type: ignore[arg-type]

    patch.setattr(reconciling, "_said", last)


def lines_of_an_earlier_link_count(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(reconciling, "begun_at", lambda _: None)


def odd_lines_are_dropped_in_silence(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(report.FileContent, "leave_out", lambda *_: None)


def a_line_that_does_not_end_is_taken(patch: pytest.MonkeyPatch) -> None:
    real = report._text

    def text(*given: object, is_last: bool) -> str | LeftOutLine:
        del is_last
        return real(*given, is_last=False)  # type: ignore[arg-type]

    patch.setattr(report, "_text", text)


def a_paused_partner_is_asked(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(observed_partners, "NotAdmitted", LeftOutLine)


def ranges_may_overlap(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(unsafe_partners, "_unsafe_bins", lambda _: iter(()))


def a_grant_after_its_revoke_stands(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Memberships, "require", lambda *_: None)
