"""docs/proof.md says which worlds are searched, and how many bugs are found in them."""

from tests.docs.pages import ROOT
from tests.handlers import test_charge_faults, test_partner_faults
from tests.handlers.test_checkout_faults import DAYS
from tests.model.charges import CHARGES, WIDE_CHARGES
from tests.model.households import HOUSEHOLDS, WIDE
from tests.model.sagas import SAGAS, WIDE_SAGAS
from tests.model.setups import LARGE, SETUPS
from tests.planted import charges, flows, links, sagas
from tests.planted.bugs import BUGS, MODEL
from tests.simulation.sample import SEEDS

PAGE = (ROOT / "docs/proof.md").read_text()


def test_it_counts_the_seeds_that_are_played():
    assert f"it plays {len(SEEDS)} seeds, chosen" in PAGE


def test_it_counts_the_worlds_of_the_engine():
    assert f"| {len(HOUSEHOLDS)} that every `make test` searches |" in PAGE
    assert f"| {len((*HOUSEHOLDS, *WIDE))} that `make model` searches |" in PAGE


def test_it_counts_the_worlds_of_the_payout():
    small, every = len(SETUPS) - len(LARGE), len(SETUPS)
    assert f"searches {small} of the payout's {every} worlds" in PAGE


def test_it_counts_the_worlds_of_the_checkout_its_bugs_and_its_days():
    bugs = [b for b in BUGS.values() if b.plant.__module__ == sagas.__name__]

    every = len((*SAGAS, *WIDE_SAGAS))
    assert f"and {len(SAGAS)} of the checkout's {every} (`make model`" in PAGE
    assert f"{len(bugs)} bugs planted there" in PAGE
    assert f"every effect of {len(DAYS)} days" in PAGE


def test_it_counts_the_worlds_of_charges_their_bugs_and_their_days():
    bugs = [b for b in BUGS.values() if b.plant.__module__ == charges.__name__]
    page = " ".join(PAGE.split())

    says = (
        f"{len(CHARGES)} of them every `make test` searches, {len(WIDE_CHARGES)} more"
    )
    assert says in page
    assert f"{len(bugs)} bugs are planted there" in page
    assert f"every effect of {len(test_charge_faults.DAYS)} such days" in page


def test_it_counts_the_bugs_and_the_days_of_links():
    bugs = [b for b in BUGS.values() if b.plant.__module__ == links.__name__]
    page = " ".join(PAGE.split())

    assert f"{len(bugs)} bugs are planted there (`tests/planted/links.py`)" in page
    assert f"every effect of {len(test_partner_faults.DAYS)} days go wrong" in page


def test_it_counts_the_bugs_that_are_found_in_them():
    found = [b for b in BUGS.values() if b.plant.__module__ == flows.__name__]

    assert {bug.layer for bug in found} == {MODEL}
    assert f"{len(found)} bugs planted in the rule" in PAGE
