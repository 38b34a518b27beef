"""docs/core.md names core's calls and answers as `spec core` has them."""

import re

from payment_service.wire.core_api import core_api
from providers.core.answers import DONE, ECHOED, REFUSALS
from providers.testing.conformance.core.scenario import AREAS
from tests.docs.pages import DOCS, listed, rows_of, section_of

PAGE = DOCS / "core.md"
DOCUMENT = core_api()


def test_every_call_is_named_and_no_other():
    told = {listed(row[0])[0] for row in rows_of(section_of(PAGE, "## The calls"))}

    assert told == {
        f"{method.upper()} {path}"
        for path, methods in DOCUMENT["paths"].items()
        for method in methods
    }


def test_who_needs_a_call_is_said_as_the_kit_says_it():
    needed = {row[1] for row in rows_of(section_of(PAGE, "## The calls"))}

    said = {each.needed.replace("`", "") for each in AREAS}
    returns = "where payouts that came back are settled"
    assert {each.replace("`", "") for each in needed} == said | {returns}


def test_done_refused_and_what_is_repeated_are_those_of_the_client():
    text = section_of(PAGE, "## How an answer is read")
    done, refused, _ = rows_of(text)

    assert done[0].startswith(str(DONE))
    assert {*map(int, re.findall(r"\d{3}", refused[0]))} == REFUSALS
    [repeated] = re.findall(r"repeats of the call \((.*?)\)", text)
    assert tuple(listed(repeated)) == ECHOED
