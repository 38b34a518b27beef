"""Providers are made by the adapters that their tables name."""

from datetime import timedelta
from importlib.metadata import EntryPoint

import orjson
import pytest
from aiohttp import web

from fsm.domain.money import Money
from handlers.ports.provider import Accepted, Payout
from providers import registry
from providers.config import ConfigError, parse_config
from providers.http.outbound import Outbound
from providers.registry import build_providers
from providers.rest import RestProvider

PAYOUT = Payout(
    reference="t-1", money=Money(1, "EUR"), destination={}, terminal_id=None
)


def configured(text, **options):
    config = parse_config(text, ack_wait=timedelta(seconds=30), environment={})
    return build_providers(config, Outbound(), **options)


def table(name, adapter, *lines):
    return "\n".join([f"[providers.{name}]", f'adapter = "{adapter}"', *lines, ""])


def test_providers_are_found_by_name():
    rest = table("zeta", "rest", 'base_url = "http://z.example"')

    providers = configured(rest + table("acme", "simulator"))

    assert providers.names() == ["acme", "zeta"]
    assert isinstance(providers.get("zeta"), RestProvider)
    assert providers.get("beta") is None


def test_a_module_and_class_will_do():
    path = "providers.testing.simulator.adapter:simulated_provider"

    assert configured(table("acme", path)).get("acme").name == "acme"


def test_an_entry_point_will_do(monkeypatch):
    path = "providers.testing.simulator.adapter:simulated_provider"
    point = EntryPoint("mine", path, registry.GROUP)

    def found(*, group, name):
        return [point] if (group, name) == (registry.GROUP, "mine") else []

    monkeypatch.setattr(registry, "entry_points", found)

    assert configured(table("acme", "mine")).names() == ["acme"]


@pytest.mark.parametrize(
    ("adapter", "problem"),
    [
        ("bank", "'bank' is neither rest, stripe"),
        ("no.such.module:Class", "No module named"),
        ("providers.registry:Nothing", "'providers.registry:Nothing' is not there"),
        ("providers.registry:GROUP", "is not a class or function"),
        ("providers.registry:Adapter", "Protocols cannot be instantiated"),
        ("a:b:c", "'a:b:c' is neither"),
    ],
)
def test_an_adapter_that_cannot_be_used_is_named(adapter, problem):
    with pytest.raises(ConfigError) as refused:
        configured(table("acme", adapter) + table("zeta", "bank"))

    first, second = refused.value.problems
    assert first.startswith("[providers.acme] adapter: ")
    assert problem in first
    assert second.startswith("[providers.zeta] adapter: ")


async def asked_by(text, **options):
    """Return what a provider is asked when a payout is created."""
    asked = []

    async def handle(request):
        asked.append((request.path, orjson.loads(await request.read())))
        return web.json_response({"status": "accepted"})

    runner = web.ServerRunner(web.Server(handle, access_log=None))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    text = text.replace("PORT", str(runner.addresses[0][1]))
    config = parse_config(text, ack_wait=timedelta(seconds=30), environment={})
    async with Outbound() as outbound:
        acme = build_providers(config, outbound, **options).get("acme")
        assert acme is not None
        assert isinstance(await acme.create(PAYOUT), Accepted)
    await runner.cleanup()
    return asked


@pytest.mark.parametrize("adapter", ["rest", "simulator"])
async def test_a_provider_is_told_where_to_send_its_webhooks(adapter):
    text = table("acme", adapter, 'base_url = "http://127.0.0.1:PORT/a/"')

    ((path, body),) = await asked_by(text, public_url="https://me.example/pay")

    assert path == "/a/payouts"
    assert body["callback_url"] == "https://me.example/pay/webhooks/acme"


async def test_a_simulator_has_a_usual_place(monkeypatch):
    places = {}

    def placed(table, _outbound, **where):
        places[table.name] = where["base_url"]

    monkeypatch.setattr("providers.testing.simulator.adapter.RestProvider", placed)
    configured(table("acme", "simulator"))

    assert places == {"acme": "http://127.0.0.1:9300/acme"}


CALLED_BACK = """
[providers.acme]
adapter = "rest"
base_url = "https://acme.example"
status = false
idempotent_create = true
create.path = "/payouts"
create.body = { ref = "{reference}", sum = "{amount}", cur = "{currency}", to = "{destination}", tell = "HOLE" }
create.answers = { accepted = [202] }
"""  # noqa: E501 - as a table is written


def test_a_call_that_needs_our_address_is_refused_where_nobody_knows_it():
    needs = CALLED_BACK.replace("HOLE", "{callback_url}")

    with pytest.raises(ConfigError) as refused:
        configured(needs)

    (problem,) = refused.value.problems
    assert problem.startswith("[providers.acme] create: needs {callback_url}, and ")
    assert "PAYMENT_PUBLIC_URL" in problem
    assert configured(needs, public_url="https://pay.example").get("acme")
    assert configured(CALLED_BACK.replace("HOLE", "{callback_url?}")).get("acme")
