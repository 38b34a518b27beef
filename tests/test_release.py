import importlib.metadata
import tomllib
from pathlib import Path

import pytest

from payment_service import release
from payment_service.api.app import create_app
from payment_service.wire.asyncapi import asyncapi
from tests.api.fakes import World, deps_of

PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())
VERSION = PROJECT["project"]["version"]


def test_the_version_stands_in_one_place():
    assert release.version() == VERSION


def test_both_documents_tell_it():
    assert create_app(deps_of(World())).openapi()["info"]["version"] == VERSION
    assert asyncapi()["info"]["version"] == VERSION


def test_sources_that_are_not_installed_work_all_the_same(monkeypatch):
    monkeypatch.setattr(release, "NAME", "payment-service-that-nobody-installed")

    with pytest.raises(importlib.metadata.PackageNotFoundError):
        importlib.metadata.version(release.NAME)
    assert release.version() == "0+unknown"
