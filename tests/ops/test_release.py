"""The bill of materials is the lock's; what cannot be found out is told by name."""

import json
import re

import pytest

from ops import release
from ops.release import (
    LOCK,
    ROOT,
    advisories,
    bill_of_materials,
    digest_of,
    images,
    judged,
)

TEXT = """
aiohttp[speedups]==3.13.0 ; sys_platform != "x" \\
    --hash=sha256:{}
    # via payment-service
uvloop==0.22.1 \\
    --hash=sha256:{} \\
    --hash=sha256:{}
""".format(*("a" * 64, "b" * 64, "c" * 64))


@pytest.mark.attack(
    "shell", "Every package of a release stands in its bill, with hashes"
)
def test_every_package_stands_in_the_bill_with_its_hashes():
    one, two = bill_of_materials(TEXT)["components"]

    assert (one["purl"], len(one["hashes"])) == ("pkg:pypi/aiohttp@3.13.0", 1)
    assert (two["purl"], len(two["hashes"])) == ("pkg:pypi/uvloop@0.22.1", 2)


def test_the_bill_leaves_nothing_of_the_lock_out():
    lock = (ROOT / LOCK).read_text()
    made = bill_of_materials(lock)["components"]

    assert len(made) == len(re.findall(r"^\S+==", lock, re.MULTILINE))
    assert sum(len(each["hashes"]) for each in made) == lock.count("--hash=sha256:")


def test_every_image_of_others_is_named():
    assert {name.partition(":")[0] for name in images()} == {
        *("nats", "postgres", "prom/prometheus", "python"),
    }


def test_a_package_that_was_left_out_was_not_audited():
    sound, weak = {"name": "a", "vulns": []}, {"name": "b", "vulns": [{"id": "X-1"}]}
    left_out = {"name": "c", "skip_reason": "not found"}

    assert judged([sound, weak]) == ([weak], "")
    assert judged([sound, left_out]) == (
        [],
        "1 of 2 packages were not audited: not found",
    )
    assert judged([left_out])[0] is None


def test_what_cannot_be_found_out_is_told_and_not_invented(tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)

    assert digest_of("postgres:18.4") == (
        None,
        "docker with buildx is not installed here",
    )
    assert advisories()[0] is None
    assert release.main(tmp_path) == 0
    told = json.loads((tmp_path / "release.json").read_text())

    assert set(told["digests"].values()) == {None}
    assert len(told["not_known"]) == len(images()) + 1
