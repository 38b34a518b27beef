"""A standby takes over, and the old primary lives on and takes no writes."""

import asyncio
import time
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import pairwise

import psycopg
import pytest

from providers.testing.simulator import Book
from tests.chaos.postgres import address_of
from tests.chaos.sent import Way
from tests.field.cluster import demote, fence, promote
from tests.field.rigs import Agent, HAProxy
from tests.field.watch import watching
from tests.processes.stage import staged

WAYS = (
    Way("succeed", 3, 0),
    Way("decline", 2, 0),
    Way("accept_then_succeed?pace=0.3", 3, 1.5),
    Way("accept_then_fail?pace=0.3", 2, 1.5),
)
RATE = 15.0
ROLES = {"workers": 2, "apis": 1, "relays": 1, "sweepers": 1, "servants": 0}
# How long nobody takes writes, how soon that is to be told, and how soon it is over.
FENCED_SECONDS = 4.0
TOLD_SECONDS = 2.0
FLOWS_SECONDS = 5.0
GAP_SECONDS = 2.0
STEADY_SECONDS = 8.0


@contextmanager
def several_hosts(pair):
    """Name both in the URL, and nothing else: it finds the primary by itself."""
    ends = map(address_of, pair.nodes())
    hosts = ",".join(f"{host}:{port}" for host, port in ends)
    credentials = pair.primary.url.split("//")[1].rpartition("@")[0]
    yield f"postgresql://{credentials}@{hosts}/postgres"


@contextmanager
def haproxy(pair, agents, **settings):
    """Name HAProxy alone, which asks the agents for the primary."""
    with ExitStack() as stack:
        for node in pair.nodes():
            agent = Agent(node.url, is_primary=node is pair.primary)
            agents.append(stack.enter_context(agent))
        yield stack.enter_context(HAProxy(*agents, **settings)).url


@pytest.mark.parametrize("returns", [False, True])
async def test_writes_go_on_where_both_hosts_are_named(measured, returns):
    await _fail_over(several_hosts, measured, returns=returns)


@pytest.mark.parametrize("shuts_sessions", [True, False])
async def test_writes_go_on_behind_haproxy(measured, shuts_sessions):
    agents: list[Agent] = []
    between = partial(haproxy, agents=agents, shuts_sessions=shuts_sessions)
    await _fail_over(between, measured, agents=agents)


async def test_writes_go_on_behind_pgbouncer_and_haproxy(measured, pgbouncer):
    agents: list[Agent] = []

    @contextmanager
    def between(pair):
        with haproxy(pair, agents) as url:
            yield pgbouncer(url, server_login_retry=1).url

    await _fail_over(between, measured, agents=agents)


async def _fail_over(between, measured, *, agents=(), returns=False):
    """Fence, wait, promote; then see what was promised.

    ``returns``: the old primary is soon restarted as the standby of the new one.
    """
    async with staged(
        rate=RATE,
        ways=WAYS,
        http_share=1,
        standby=True,
        between=between,
        **ROLES,
    ) as stage:
        pair = stage.fleet.pair
        async with stage.sending(), watching(stage) as watch:
            await stage.accepted(20)
            await fence(pair)
            fenced = time.time()
            await asyncio.sleep(FENCED_SECONDS)
            for agent in agents:
                agent.is_primary = not agent.is_primary
            promoted = time.time()
            await promote(pair)
            if returns:
                await demote(pair)
            await asyncio.sleep(STEADY_SECONDS)
            steady = time.time()

        measured(_flowed(watch, promoted, steady))
        _told(watch, fenced, promoted, steady)
        assert all(p.running and p.starts == 1 for p in stage.fleet.service.values())
        await stage.judged()
        assert _webhooks_lost(stage.fleet) == set()


def _flowed(watch, promoted, steady):
    times = watch.accepted(promoted, steady)
    assert times, "no request was acknowledged after the promotion"
    first = times[0] - promoted
    since = promoted + FLOWS_SECONDS
    flow = [since, *watch.accepted(since, steady), steady]
    gap = max(after - before for before, after in pairwise(flow))
    assert first < FLOWS_SECONDS
    assert gap < GAP_SECONDS
    return f"first 202 {first:.1f} s after the promotion, never {gap:.1f} s without"


def _told(watch, fenced, promoted, steady):
    assert watch.accepted(fenced + TOLD_SECONDS, promoted) == []
    meanwhile = watch.ready_between(fenced + TOLD_SECONDS, promoted)
    afterwards = watch.ready_between(promoted + FLOWS_SECONDS, steady)
    assert len(meanwhile) == len(afterwards) == sum(ROLES.values())
    for name, answers in meanwhile.items():
        assert set(answers) == {503}, f"{name} took no writes and said {answers}"
    for name, answers in afterwards.items():
        assert set(answers) == {200}, f"{name} could work and said {answers}"


def _webhooks_lost(fleet):
    """Return what a provider was told had been taken, and is not stored."""
    payouts = Book(fleet.books[1]).payouts.values()
    acknowledged = {(p.order.provider, e) for p in payouts for e in p.delivered}
    assert acknowledged
    with psycopg.connect(fleet.database_url) as connection:
        stored = connection.execute("SELECT provider, event_id FROM webhook_inbox")
        return acknowledged - set(stored.fetchall())
