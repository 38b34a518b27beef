"""NATS as a service: users by JWT, tiers of limits, credentials that end."""

import asyncio

import pytest

from fsm.domain.errors import BusUnavailable
from payment_service.bus import (
    Access,
    JetStreamApi,
    Names,
    TopologyRefused,
    ensure,
    wanted,
)
from payment_service.bus.connection import connect
from tests.bus.operators import Managed
from tests.bus.servers import serving
from tests.bus.stage import ACK_WAIT, forget, until

MIB = 1 << 20
TIER = {
    "mem_storage": 0,
    "disk_storage": 320 * MIB,
    "streams": 10,
    "consumer": 100,
    "max_bytes_required": True,
}
TIERS = {"tiered_limits": {"R1": TIER}}
NAMES = Names("pay")


@pytest.fixture(scope="module")
def managed():
    return Managed(TIERS)


@pytest.fixture(scope="module")
def server(managed):
    with serving(managed.configuration) as running:
        yield running


@pytest.fixture
def creds(managed, tmp_path):
    def write(**changes):
        file = tmp_path / "user.creds"
        file.write_text(managed.creds(**changes), newline="")
        return file

    return write


async def reached(server, file, errors=None):
    return await connect(
        [server.url],
        name="test",
        on_closed=forget,
        on_error=[].append if errors is None else errors.append,
        access=Access(creds=file),
        seconds_max=4.0,
    )


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
async def test_a_tier_that_demands_limits_gets_them(server, creds, line_end):
    wire = await reached(server, creds(line_end=line_end))
    api = JetStreamApi(wire)

    await ensure(api, wanted(NAMES, replicas=1, ack_wait=ACK_WAIT))

    info = await api.call("STREAM.INFO.pay_ORDER_TASKS")
    assert info["config"]["max_bytes"] == 80 * MIB
    await wire.close()


async def test_a_tier_that_is_not_there_is_told(server, creds):
    wire = await reached(server, creds())

    with pytest.raises(TopologyRefused, match="PAYMENT_STREAM_REPLICAS"):
        await ensure(
            JetStreamApi(wire), wanted(Names("r3"), replicas=3, ack_wait=ACK_WAIT)
        )
    await wire.close()


async def test_credentials_that_ended_are_told(server, creds):
    with pytest.raises(BusUnavailable, match=r"(?i)authorization violation"):
        await reached(server, creds(seconds=-10))


async def test_credentials_that_end_and_are_renewed_go_on(server, creds):
    errors: list[str] = []
    wire = await reached(server, creds(seconds=2), errors)

    async def ended():
        return any("authentication expired" in error for error in errors)

    await until(ended)
    creds()

    async def back():
        return wire.is_connected and await _asked(wire)

    await until(back)
    assert not wire.is_closed
    await wire.close()


async def _asked(wire):
    try:
        return await asyncio.wait_for(JetStreamApi(wire).call("INFO"), 2)
    except (BusUnavailable, TimeoutError):
        return False


async def test_the_end_of_credentials_is_known(creds):
    assert Access(creds=creds()).expires() is None
    assert Access(creds=creds(seconds=3600)).expires() is not None
