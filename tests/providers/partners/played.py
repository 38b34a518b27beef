"""A partner on a real socket that answers as it is told, and remembers questions."""

from contextlib import asynccontextmanager
from datetime import timedelta

import orjson
from aiohttp import web

from handlers.ports.partners import PartnerCall
from providers.config import parse_config
from providers.http.outbound import Outbound
from providers.registry import build_partners

TASK = "019c1f5e-0000-7000-8000-000000000001"
TOKEN = "tok_8f2a_never_told"
ORDER = {
    "task_id": TASK,
    "order_id": "l-1",
    "queue_id": "q-1",
    "merchant_id": "m-1",
    "customer_id": "c-1",
    "partner": "northbank",
    "card": {"token": TOKEN, "bin": "451012", "country": "CA"},
    "metadata": {"channel": "app"},
}
CALL = PartnerCall(task_id=TASK, key=f"{TASK}:1", n=1, order=ORDER)
AGAIN = PartnerCall(task_id=TASK, key=f"{TASK}:2", n=2, order=ORDER)
NOTICE = PartnerCall(task_id=TASK, key=f"{TASK}:revoked", n=0, order=ORDER)
TABLE = """
[partners.northbank]
base_url = "{base_url}"
countries = ["CA"]
bins = ["4510"]
{lines}
"""


class FakePartner:
    """Answers everything with one status and one body; None breaks the connection."""

    def __init__(self):
        self.says(200, {})
        self.asked = []

    def says(self, status, body=b"", headers=None):
        self._answer = status, body, headers

    async def handle(self, request):
        raw = await request.read()
        told = orjson.loads(raw) if raw else None
        self.asked.append((request.method, request.path, dict(request.headers), told))
        status, body, headers = self._answer
        if status is None:
            request.transport.abort()
        raw = body if isinstance(body, bytes) else orjson.dumps(body)
        return web.Response(status=status or 200, body=raw, headers=headers)


@asynccontextmanager
async def played(lines="", *, url=None, environment=None, **options):
    """Give the partner of a table, and who plays it."""
    fake = FakePartner()
    runner = web.ServerRunner(web.Server(fake.handle, access_log=None))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    base_url = url or f"http://127.0.0.1:{runner.addresses[0][1]}/api"
    config = parse_config(
        TABLE.format(base_url=base_url, lines=lines),
        ack_wait=timedelta(seconds=30),
        environment=environment or {},
    )
    async with Outbound() as outbound:
        yield build_partners(config, outbound, **options).get("northbank"), fake
    await runner.cleanup()
