"""Calls out through a proxy as companies run it: tinyproxy, from Debian."""

import asyncio
from contextlib import asynccontextmanager, closing
from socket import create_server

import pytest

from ops.field.programs import TINYPROXY, path_of
from providers.http.outbound import Lost, Outbound, RequestNotSent, Response
from providers.http.proxies import Proxies
from providers.http.trust import trusting
from tests.wires.certificates import authority, certificate
from tests.wires.server import playing, saying, silence, with_length

pytestmark = pytest.mark.field

CONFIG = """
Port {port}
Listen 127.0.0.1
Allow 127.0.0.1
BasicAuth me hunter22
LogLevel Critical
"""
ANSWER = saying(with_length(b"{}"), then_hold=True)


def free_port():
    with closing(create_server(("127.0.0.1", 0))) as probe:
        return probe.getsockname()[1]


@asynccontextmanager
async def tinyproxy(folder):
    port = free_port()
    (folder / "tinyproxy.conf").write_text(CONFIG.format(port=port))
    process = await asyncio.create_subprocess_exec(
        path_of(TINYPROXY), "-d", "-c", str(folder / "tinyproxy.conf")
    )
    try:
        await _listens(port)
        yield process, f"127.0.0.1:{port}"
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _listens(port):
    async with asyncio.timeout(10):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                return


@asynccontextmanager
async def acme(folder, script):
    known = authority(folder, "Acme Root")
    shown = certificate(folder, known, "localhost").server()
    async with playing(script, ssl=shown) as server:
        yield server, server.url.replace("127.0.0.1", "localhost"), trusting(known.pem)


async def post(proxy, url, tls, *, user="me:hunter22", seconds=3.0):
    proxies = Proxies({"HTTPS_PROXY": f"http://{user}@{proxy}"})
    async with Outbound(proxies=proxies) as outbound:
        lane = outbound.lane(2, tls=tls)
        return await lane.request(
            "POST", url, json_body=b"{}", headers={}, timeout=seconds
        )


async def test_a_call_goes_through(tmp_path):
    async with tinyproxy(tmp_path) as (_, proxy), acme(tmp_path, ANSWER) as to:
        answer = await post(proxy, *to[1:])

    assert isinstance(answer, Response)


async def test_a_wrong_password_sends_nothing(tmp_path):
    async with tinyproxy(tmp_path) as (_, proxy), acme(tmp_path, ANSWER) as to:
        answer = await post(proxy, *to[1:], user="me:wrong")

    assert isinstance(answer, RequestNotSent)
    assert "asks for another user or password (401)" in answer.because
    assert to[0].connections == 0


async def test_whom_the_proxy_cannot_reach_was_sent_nothing(tmp_path):
    async with tinyproxy(tmp_path) as (_, proxy):
        answer = await post(proxy, f"https://127.0.0.1:{free_port()}/", None)

    assert isinstance(answer, RequestNotSent)
    assert "by the proxy" in answer.because


async def test_a_proxy_that_dies_under_a_call_loses_it(tmp_path):
    async with tinyproxy(tmp_path) as (process, proxy), acme(tmp_path, silence) as to:
        call = asyncio.create_task(post(proxy, *to[1:]))
        await to[0].asked.wait()
        process.kill()
        answer = await call

    assert isinstance(answer, Lost)
