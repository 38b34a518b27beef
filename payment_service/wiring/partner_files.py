"""Tells of a partner's file that was read: how much of it, and which lines are odd."""

from typing import Final

import structlog

from payment_service.observability.metrics import Metrics
from providers.partners import FileNote
from providers.partners.report import FileContent

LOG: Final = structlog.get_logger("payment_service")
ODD_TOLD: Final = 20


def file_note(metrics: Metrics) -> FileNote:
    """Return what counts and tells of each version of a file, once for each process."""

    def note(partner: str, path: str, report: FileContent) -> None:
        counted = metrics.partner_file_lines.labels
        counted(partner, "read").inc(report.line_count)
        counted(partner, "odd").inc(report.odd_count)
        if report.odd_count:
            LOG.warning(
                "partner.odd_lines",
                partner=partner,
                file=path,
                count=report.odd_count,
                lines=[str(odd) for odd in report.odd[:ODD_TOLD]],
            )

    return note
