"""The page about tampering is what is planted and found, and nothing else."""

from fsm.engine.words import Invariant
from tests.tampering.__main__ import PAGE, written
from tests.tampering.kinds import ANCHOR, BOOKS, KINDS, VERIFY


def test_the_page_is_what_the_kinds_say():
    page = PAGE.read_text()

    assert written(page) == page, "run `make threats`"


def test_every_finding_has_its_name():
    names = {invariant.value for invariant in Invariant}

    for kind in KINDS:
        for finder in {VERIFY, BOOKS, ANCHOR} & {*kind.found}:
            assert kind.found[finder].partition(":")[0] in names, kind.what


def test_no_cell_breaks_the_table():
    assert not any("|" in kind.what for kind in KINDS)
