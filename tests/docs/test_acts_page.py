"""The page about the books names every act of people that there can be a line of."""

import re
from pathlib import Path

from fsm.domain.acts import ORDER_ACTS, SERVICE, SERVICE_ACTS

PAGE = Path("docs/books.md").read_text()
SECTION = PAGE.partition("## What people do")[2].partition("\n## ")[0]


def test_every_trigger_is_named_and_no_other():
    named = {*re.findall(r"`([a-z_]+\.[a-z_]+)`", SECTION)} - {"detail.reason"}

    assert named == {act.value for act in (*ORDER_ACTS, *SERVICE_ACTS)}


def test_the_chain_of_the_service_is_found_where_it_says():
    assert f"entity `{SERVICE}`" in SECTION
