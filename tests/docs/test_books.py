"""The page about the books names what there is, and its recipe is what is written."""

import hashlib
import hmac
import json
import re
from datetime import UTC, datetime
from pathlib import Path

from fsm.domain.anchors import FORMAT, Head, Root, signed
from fsm.domain.audit import GENESIS, signed_line
from fsm.domain.audit_keys import parse_audit_keys
from payment_service.settings import Settings

PAGE = Path("docs/books.md").read_text()
KEY = b"\x5a" * 32
KEYS = parse_audit_keys(f"k1:{KEY.hex()}")
AT = datetime(2026, 11, 30, 8, tzinfo=UTC)


def written(value):
    return json.dumps(
        value, separators=(",", ":"), sort_keys=True, ensure_ascii=False
    ).encode()


def test_the_page_names_settings_and_files_that_there_are():
    for name in re.findall(r"PAYMENT_[A-Z_]+", PAGE):
        assert name.removeprefix("PAYMENT_").lower() in Settings.model_fields
    for path in re.findall(r"`((?:payment_service|tests|ops|docs)/[\w/.]+)`", PAGE):
        assert Path(path).exists(), path


def test_a_line_is_hashed_by_the_recipe():
    line = signed_line(
        GENESIS,
        KEYS,
        entity_id="e",
        queue_id="q",
        version=1,
        source=None,
        target="PENDING",
        trigger="order.requested",
        actor="user:ann",
        at=AT,
        trace_id=None,
        detail={"b": "ü/\u2028", "a": [1, 2.5, None, True]},
    )

    said = ["k1", "e", "q", 1, None, "PENDING", "order.requested", "user:ann"]
    said += ["2026-11-30T08:00:00.000000+00:00", None]
    said += [{"b": "ü/\u2028", "a": [1, 2.5, None, True]}]
    assert line.hash == hmac.digest(KEY, b"\0" * 32 + written(said), "sha256")


def test_an_anchor_is_made_by_the_recipe():
    root = Root()
    root.add([Head("e-1", "q-1", 3, b"\1"), Head("e-2", "q-2", 1, b"\2")])
    first = signed(
        KEYS, n=1, at=AT, complete_to=AT, root=root, previous=b"\0" * 32
    ).line()

    said = json.loads(first)
    fields = set(
        re.findall(
            r"`(\w+)`", PAGE.partition("**An anchor**")[2].partition("**An export**")[0]
        )
    )
    assert said.keys() <= fields
    assert written(said) == first
    assert (said["format"], said["previous"]) == (FORMAT, "0" * 64)
    heads = b"e-1 q-1 3 01\ne-2 q-2 1 02\n"
    assert said["root"] == hashlib.sha256(heads).hexdigest()
    mac = said.pop("mac")
    assert mac == hmac.digest(KEY, written(said), "sha256").hex()
