"""Spectral's own rules find nothing in the documents that are printed."""

import copy
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from payment_service.wire.asyncapi import asyncapi, internal_asyncapi
from payment_service.wire.core_api import core_api
from tests.api.promised import document
from tests.documents.tools import leave_out

ROOT = Path(__file__).parents[2]
RULES = ROOT / "ops/spectral/ruleset.yaml"
SPECTRAL = ROOT / ".venv/spectral/node_modules/.bin/spectral"
SECONDS_MAX = 240  # a deadline that only ends what would hang


def spoiled(made):
    """Return a document with an example that does not fit, and an operation untold."""
    made = copy.deepcopy(made)
    operation = made["paths"]["/v1/withdrawals"]["post"]
    operation["requestBody"]["content"]["application/json"]["example"]["amount"] = "1"
    del operation["description"]
    return made


DOCUMENTS: dict[str, Callable[[], Any]] = {
    "openapi": document,
    "core": core_api,
    "asyncapi": asyncapi,
    "internal": internal_asyncapi,
    "spoiled": lambda: spoiled(document()),
}


@pytest.fixture(scope="module")
def findings(tmp_path_factory):
    """Lint all of them at once; return the rules that each broke."""
    if not (SPECTRAL.exists() and shutil.which("node")):
        leave_out("Spectral is not installed: `make documents` does so, with Node")
    folder = tmp_path_factory.mktemp("documents")
    for name, made in DOCUMENTS.items():
        (folder / f"{name}.json").write_text(json.dumps(made()))
    files = [f"{name}.json" for name in DOCUMENTS]
    options = ["--fail-severity", "hint", "--format", "json"]
    command = [str(SPECTRAL), "lint", "--ruleset", str(RULES), *options, *files]
    done = subprocess.run(
        command,
        cwd=folder,
        capture_output=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    assert done.returncode in {0, 1}, done.stderr.decode()
    told, _ = json.JSONDecoder().raw_decode(done.stdout.decode())
    return {
        name: [
            f"{each['code']}: {'.'.join(map(str, each['path']))}: {each['message']}"
            for each in told
            if Path(each["source"]).stem == name
        ]
        for name in DOCUMENTS
    }


@pytest.mark.parametrize("name", [name for name in DOCUMENTS if name != "spoiled"])
def test_the_linter_finds_nothing(findings, name):
    assert findings[name] == []


def test_it_would_find_something(findings):
    found = {each.partition(":")[0] for each in findings["spoiled"]}
    assert found == {"oas3-valid-media-example", "operation-description"}
