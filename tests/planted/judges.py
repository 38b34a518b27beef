"""Judges of rows and trails that let something pass, which their tests have to see."""

import pytest

from fsm import invariants
from fsm.engine import ended
from fsm.engine import invariants as engine
from fsm.flows import WITHDRAWAL
from fsm.legal_lines import lines_of


def every_order_is_judged_as_one_of_one_step(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(invariants, "lines_of", lambda _flow: lines_of(WITHDRAWAL))


def what_was_to_be_undone_offends_nobody(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(ended, "_to_be_undone", lambda *_: False)


def any_lifecycle_will_do(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(engine, "_goes_by", lambda *_: True)
