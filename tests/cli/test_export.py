"""An auditor checks an export with a script of his own; what was changed is found."""

import hashlib
import hmac
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.cli.anchors import anchor
from tests.cli.stage import corrupt

SCRIPT = Path("ops/examples/check_export.py").resolve()
LINES_MAX = 100
SEED = "5b" * 32
PUBLIC = (
    Ed25519PrivateKey.from_private_bytes(bytes.fromhex(SEED))
    .public_key()
    .public_bytes_raw()
    .hex()
)
OPEN = b"payment-service: PAYMENT_AUDIT_KEYS is not set"
# A run may go on past midnight: the period has a day to spare on both sides.
TODAY = datetime.now(UTC).date()
PERIOD = ("--from", f"{TODAY - timedelta(1)}", "--to", f"{TODAY + timedelta(2)}")
NOTED = (
    "UPDATE order_task_events SET detail = detail || "
    "jsonb_build_object('note', %s::text) WHERE version = 2"
)
CARD = "4111 1111 1111 1111"


@pytest.fixture
def outside(tmp_path):
    return tmp_path / "anchors.jsonl"


@pytest.fixture
def exported(at_database, orders, database_url, outside):
    """Give the file of an export of good, anchored books."""
    for _ in range(3):
        anchor(database_url, outside)
    at_database.env["PAYMENT_AUDIT_EXPORT_KEY"] = SEED
    file = at_database.folder / "export.jsonl"
    answer = at_database("audit", "export", *PERIOD, "--output", str(file))
    assert (answer.code, answer.out) == (0, ""), answer
    assert file.stat().st_mode & 0o077 == 0
    del orders
    return file


def checked(file, *outside, keys="open", public=PUBLIC):
    done = subprocess.run(
        [sys.executable, "-I", str(SCRIPT), str(file), *map(str, outside)],
        env={"AUDIT_KEYS": keys, "EXPORT_KEY": public, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == "", done
    return done.returncode, done.stdout


def written(value):
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS) + b"\n"


def sealed(file, records):
    """Write an export of these records, signed by who has the key of the trail."""
    body = b"".join(map(written, records))
    end = {
        "format": "payment-service export end 1",
        "records": len(records),
        "sha256": hashlib.sha256(body).hexdigest(),
        "key_id": "open",
    }
    end["mac"] = hmac.digest(OPEN, written(end)[:-1], "sha256").hex()
    file.write_bytes(body + written(end))


def test_the_script_is_short_and_its_own():
    text = SCRIPT.read_text()

    assert len(text.splitlines()) < LINES_MAX
    imported = {line.split()[1] for line in text.splitlines() if "import " in line}
    assert imported <= {*sys.stdlib_module_names}


def test_a_good_export_is_found_good_by_each_key_alone(exported, outside):
    assert checked(exported, outside) == (0, "\n")
    code, told = checked(exported, keys="")
    assert (code, told) == (0, "unchecked: what the keys of the trail have signed\n")
    assert checked(exported, public="") == (
        0,
        "unchecked: the signature for the public key\n",
    )


def test_it_holds_whole_chains_and_anchors_up_to_the_end(exported, orders):
    records = [json.loads(line) for line in exported.read_bytes().splitlines()]
    lines = [record["line"] for record in records if "line" in record]
    anchors = [json.loads(r["anchor"]) for r in records if "anchor" in r]

    wanted = {order.queue.queue_id for order in orders.values()}
    assert {line["queue_id"] for line in lines} == wanted
    assert [anchor["n"] for anchor in anchors] == [*range(1, len(anchors) + 1)]
    assert records[0]["public_key"] == PUBLIC
    assert not any(line.get("masked") for line in lines)


def test_a_period_without_lines_is_an_export_of_nothing(at_database, orders, tmp_path):
    del orders
    answer = at_database(
        "audit", "export", "--from", "2020-01-01", "--to", "2020-02-01"
    )
    file = tmp_path / "none.jsonl"
    file.write_text(answer.out)

    assert len(answer.out.splitlines()) == 2
    assert checked(file, public="")[0] == 0


def of(records, kind, place=0):
    return [record for record in records if kind in record][place]


def line_of(records, version, place=0):
    found = [r for r in records if "line" in r and r["line"]["version"] == version]
    return found[place]["line"]


def actor(records):
    line_of(records, 2)["actor"] = "user:mallory"


def detail(records):
    lines = [record["line"] for record in records if "line" in record]
    first = next(line for line in lines if "request" in line["detail"])
    first["detail"]["request"]["amount"] = 1


def at(records):
    line_of(records, 3)["at"] = "2020-01-01T00:00:00.000000+00:00"


def hash_(records):
    line_of(records, 2)["hash"] = "0" * 64


def key(records):
    line_of(records, 2)["key_id"] = "k9"


def middle(records):
    records.remove({"line": line_of(records, 2)})


def tail(records):
    lines = [record for record in records if "line" in record]
    last = max(lines, key=lambda record: record["line"]["version"])
    records.remove(last)


def head_changed(records):
    of(records, "heads")["heads"][0][3] = "0" * 64


def head_gone(records):
    of(records, "heads")["heads"].pop()


def head_invented(records):
    heads = of(records, "heads")["heads"]
    heads.append([*heads[-1][:2], 99, heads[-1][3]])


def anchor_gone(records):
    records.remove(of(records, "anchor", 1))


def anchor_forged(records):
    anchor = json.loads(of(records, "anchor")["anchor"])
    anchor["heads"] += 1
    of(records, "anchor")["anchor"] = written(anchor)[:-1].decode()


def anchor_signed_again(records):
    anchor = json.loads(of(records, "anchor", -1)["anchor"])
    anchor["at"] = "2020-01-01T00:00:00.000000+00:00"
    del anchor["mac"]
    anchor["mac"] = hmac.digest(OPEN, written(anchor)[:-1], "sha256").hex()
    of(records, "anchor", -1)["anchor"] = written(anchor)[:-1].decode()


TAMPERED = [
    *(actor, detail, at, hash_, key, middle, tail),
    *(head_changed, head_gone, head_invented),
    *(anchor_gone, anchor_forged, anchor_signed_again),
]


@pytest.mark.attack(
    "database", "An export that was changed is found by the auditor's script"
)
def test_whatever_was_changed_is_found_also_where_the_end_is_signed_again(
    exported, outside
):
    whole = exported.read_bytes()
    *_, end = whole.splitlines()
    for tamper in TAMPERED:
        records = [json.loads(line) for line in whole.splitlines()][:-1]
        tamper(records)
        exported.write_bytes(b"".join(map(written, records)) + end + b"\n")
        code, told = checked(exported, outside)
        assert code == 1, tamper
        assert "it is not what was signed at its end" in told, tamper

        sealed(exported, records)
        code, told = checked(exported, outside, public="")
        assert code == 1, tamper
        assert "its end" not in told, tamper


def test_an_end_that_others_have_signed_is_found(exported):
    assert "not signed by EXPORT_KEY" in checked(exported, public="6c" * 32)[1]
    other = "k1:" + "5a" * 32
    code, told = checked(exported, keys=other)
    assert (code, "not signed by a key of the trail" in told) == (1, True)


def test_what_may_not_be_seen_is_hidden_and_said(
    at_database, exported, database_url, outside
):
    corrupt(
        database_url,
        (
            NOTED,
            f"paid with {CARD}",
        ),
    )
    answer = at_database("audit", "export", *PERIOD)
    exported.write_text(answer.out)

    assert CARD not in answer.out
    code, told = checked(exported, outside)
    assert (code, told) == (0, "unchecked: lines of which something is hidden\n")


@pytest.mark.parametrize(
    ("options", "because"),
    [
        (("--from", "2026-01-02", "--to", "2026-01-01"), "is not behind --from"),
        (("--from", "x", "--to", "2026-01-01"), "--from: 'x' is not a time"),
        (("--from", "2026-01-01"), "Missing option '--to'"),
        (("--from", "2026-01-01", "--to", "2026-01-02", "--output", "/"), "--output /"),
    ],
)
def test_what_cannot_be_exported_is_said(at_database, options, because):
    answer = at_database("audit", "export", *options)

    assert answer.code in {1, 2}
    assert because in answer.err


def test_a_file_that_stands_there_is_replaced_by_a_whole_one_or_stays(
    at_database, exported
):
    before = exported.read_bytes()
    at_database.env["PAYMENT_DATABASE_URL"] = "postgresql://nobody@127.0.0.1:1/x"

    answer = at_database("audit", "export", *PERIOD, "--output", str(exported))

    assert answer.code == 1
    assert exported.read_bytes() == before
    assert list(exported.parent.glob("*.part")) == []
