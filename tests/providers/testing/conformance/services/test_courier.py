"""The example of a service keeps every promise that the kit asks about."""

import json
import threading
import tomllib
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from providers.config.services import ServiceTable
from providers.testing.conformance.services import (
    SERVICE_SCENARIOS,
    Samples,
    ServiceCandidate,
)

FOLDER = Path(__file__).parents[5] / "ops/examples/courier"
HAS_NO_MEANING = {"load-fetched", "pending-ends"}


@pytest.fixture(scope="module")
def candidate(tmp_path_factory):
    spec = spec_from_file_location("courier", FOLDER / "courier.py")
    assert spec is not None
    assert spec.loader is not None
    courier = module_from_spec(spec)
    spec.loader.exec_module(courier)
    server = courier.server(0, tmp_path_factory.mktemp("courier") / "courier.db")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    raw = tomllib.loads((FOLDER / "payment.toml").read_text())["services"]["delivery"]
    told = {**raw, "name": "delivery"}
    told["base_url"] = f"http://127.0.0.1:{server.server_address[1]}"
    orders = json.loads((FOLDER / "orders.json").read_text())
    yield ServiceCandidate(ServiceTable.model_validate(told), Samples(**orders))
    server.shutdown()
    server.server_close()
    thread.join(60)


@pytest.mark.parametrize("scenario", SERVICE_SCENARIOS, ids=str)
async def test_it_keeps_every_promise(candidate, scenario):
    outcome = await candidate.play(scenario)

    assert outcome.wrong == ()
    assert (outcome.not_here is not None) == (scenario.name in HAS_NO_MEANING)
