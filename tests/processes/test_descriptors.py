"""A worker that may open nothing more: its providers are well, and so it says."""

import asyncio
from dataclasses import replace

import psycopg
import pytest

from tests.chaos.fleet import PROVIDERS
from tests.chaos.load import SWIFT
from tests.processes.stage import REST_SECONDS_MAX, log_of, staged

pytestmark = pytest.mark.waits

# Longer than all attempts of the configuration take together.
HELD_SECONDS = 14.0
# Enough for the work and a few probes; a crowd would have all of them.
SPARE = 60
DESCRIPTORS = 300
PROBES = ("/healthz", "/readyz", "/metrics")
PASSED_OVER = """
SELECT count(*) FROM order_tasks
WHERE code = 'not_sent' OR state = 'MANUAL_CHECK'
"""


@pytest.mark.attack(
    "port",
    "Descriptors that are used up are our lack: no provider is passed over for it",
)
async def test_no_provider_is_passed_over_by_a_worker_without_descriptors():
    async with staged(workers=1, ways=SWIFT, proxied=[PROVIDERS]) as stage:
        worker = stage.fleet.service["worker-1"]
        async with stage.sending():
            await stage.accepted(20)
            with worker.descriptors(more=0):
                stage.fleet.proxies[PROVIDERS].reset_all()
                await asyncio.sleep(HELD_SECONDS)
                harmed = await _count(stage)
            await stage.accepted(20)

        assert "Too many open files" in log_of(worker) + await _trail(stage)
        assert harmed == 0
        await stage.judged()


@pytest.mark.attack("port", "A crowd at the metrics takes nothing from the work")
async def test_a_crowd_before_the_metrics_takes_nothing_from_the_work():
    async with staged(workers=1, ways=SWIFT) as stage:
        worker = stage.fleet.service["worker-1"]
        port = int(worker.program.env["PAYMENT_METRICS_PORT"])
        async with stage.sending():
            with worker.descriptors(more=SPARE):
                crowd = asyncio.create_task(_crowd(port))
                await stage.accepted(100)
                left = await _at_rest(stage)
                crowd.cancel()
                await asyncio.gather(crowd, return_exceptions=True)

        assert left
        await stage.judged()


@pytest.mark.attack("port", "A crowd at the API shuts out neither probes nor senders")
async def test_a_crowd_before_the_api_shuts_out_neither_probes_nor_senders():
    async with staged(workers=1, ways=SWIFT, http_share=1) as stage:
        servant = stage.fleet.service["servant-1"]
        port = int(servant.program.env["PAYMENT_HTTP_PORT"])
        await _restarted_with(servant, descriptors=DESCRIPTORS)
        crowd = asyncio.create_task(_crowd(port, b"GET /healthz HTTP/1.1\r\n"))
        async with stage.sending():
            await stage.accepted(40)
            pages = [await _page(port, path) for path in PROBES]
        crowd.cancel()
        await asyncio.gather(crowd, return_exceptions=True)

        assert all(pages)
        assert "Too many open files" not in log_of(servant)
        await stage.judged()


async def _restarted_with(process, *, descriptors):
    """Start it again as where it may open no more than that."""
    await process.stop()
    limited = ("sh", "-c", f'ulimit -n {descriptors}; exec "$@"', "sh")
    program = process.program
    process.program = replace(program, argv=(*limited, *program.argv))
    process.launch()
    await process.until_ready()


async def _page(port, path):
    """Ask as a probe does, which tries a few times before it gives up."""
    for _ in range(5):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(f"GET {path} HTTP/1.1\r\nConnection: close\r\n\r\n".encode())
            async with asyncio.timeout(5):
                answer = await reader.read()
        except (OSError, TimeoutError):
            continue
        finally:
            writer.transport.abort()
        if answer.startswith(b"HTTP/1.1 200"):
            return answer
    return b""


async def _crowd(port, said=b""):
    """Keep more callers at a port than the process has descriptors."""
    async with asyncio.TaskGroup() as group:
        for _ in range(2 * SPARE):
            group.create_task(_caller(port, said))


async def _caller(port, said):
    while True:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(said)
                await reader.read()
            finally:
                writer.transport.abort()
        except OSError:
            pass
        await asyncio.sleep(0.5)


async def _at_rest(stage):
    """Tell whether orders end while the crowd is still there."""
    async with asyncio.timeout(REST_SECONDS_MAX):
        while await _ended(stage) < 60:  # noqa: ASYNC110 - nobody tells us
            await asyncio.sleep(0.2)
    return True


async def _ended(stage):
    query = "SELECT count(*) FROM order_queues WHERE state <> 'ACTIVE'"
    async with await psycopg.AsyncConnection.connect(stage.fleet.database_url) as one:
        return (await (await one.execute(query)).fetchall())[0][0]


async def _count(stage):
    async with await psycopg.AsyncConnection.connect(stage.fleet.database_url) as one:
        rows = await (await one.execute(PASSED_OVER)).fetchall()
    return rows[0][0]


async def _trail(stage):
    """Return what the audit trail says of creates that were not sent."""
    query = (
        "SELECT detail::text FROM order_task_events WHERE trigger = 'provider.not_sent'"
    )
    async with await psycopg.AsyncConnection.connect(stage.fleet.database_url) as one:
        return str(await (await one.execute(query)).fetchall())
