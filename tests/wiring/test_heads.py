"""What callers may send before it is known who they are, on real sockets."""

import asyncio
import resource
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from fastapi import FastAPI, Request, Response

from payment_service.wiring.api import served
from payment_service.wiring.http_limits import HeadLimits, api_limits, probe_limits

LIMITS = HeadLimits(
    connections=4,
    head_bytes=4_000,
    headers=20,
    request_bytes=100_000,
    head_seconds=0.5,
    body_seconds=0.6,
    answer_seconds=1.2,
    idle_seconds=1.0,
)
MEGABYTE = 1024 * 1024
# Until what never comes is given up: no promise, for a busy machine takes its time.
SOON = 60.0


def an_application():
    app = FastAPI()

    @app.post("/echo")
    async def echo(request: Request):
        return Response(await request.body())

    @app.get("/plain")
    async def plain():
        return Response(b"ok")

    @app.get("/held")
    async def held():
        await asyncio.sleep(1)
        return Response(b"ok")

    @app.get("/large")
    async def large():
        return Response(b"x" * 30 * MEGABYTE)

    return app


class Caller:
    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    async def says(self, data):
        self.writer.write(data)
        await self.writer.drain()

    async def hears(self):
        """Return all until the other side hangs up."""
        async with asyncio.timeout(SOON):
            try:
                return await self.reader.read()
            except ConnectionError:
                return b""


@asynccontextmanager
async def port(**changes):
    refused: list[str] = []
    async with served(
        an_application(),
        host="127.0.0.1",
        port=0,
        limits=replace(LIMITS, **changes),
        on_refused=refused.append,
    ) as number:
        yield number, refused


@asynccontextmanager
async def caller(number):
    reader, writer = await asyncio.open_connection("127.0.0.1", number)
    try:
        yield Caller(reader, writer)
    finally:
        writer.transport.abort()


async def flooded(number, pieces):
    """Say one piece after the other until nobody takes them; return the answer."""
    async with caller(number) as one:
        hearing = asyncio.create_task(one.hears())
        sent = 0
        try:
            for piece in pieces:
                if hearing.done():
                    break
                await one.says(piece)
                sent += len(piece)
                await asyncio.sleep(0)
        except ConnectionError:
            pass
        return await hearing, sent


PLAIN = b"GET /plain HTTP/1.1\r\nHost: x\r\n"
HEADS = {
    "a header that never ends": [PLAIN + b"X-A: ", *[b"a" * 65_536] * 320],
    "headers that never end": [PLAIN, *[b"X-A: " + b"a" * 90 + b"\r\n"] * 40_000],
    "many small headers": [PLAIN, b"A: b\r\n" * 30 + b"\r\n"],
    "one large header": [PLAIN + b"X-A: " + b"a" * 5_000 + b"\r\n\r\n"],
    "an address that never ends": [b"GET /", *[b"a" * 65_536] * 320],
}


@pytest.mark.attack(
    "port", "A head that is too large is refused before any key is looked at"
)
@pytest.mark.parametrize("name", list(HEADS))
async def test_a_head_has_a_size(name):
    async with port(head_seconds=SOON) as (number, refused):
        answer, sent = await flooded(number, HEADS[name])

    # Whoever goes on sending may be hung up on before the answer arrives.
    assert answer == b"" or answer.startswith(b"HTTP/1.1 431 ")
    assert refused == ["head"]
    assert sent < 8 * MEGABYTE


async def test_a_plain_request_and_the_next_are_answered():
    async with port() as (number, refused), caller(number) as one:
        for _ in range(3):
            await one.says(PLAIN + b"\r\n")
            head = await one.reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 OK")
            assert await one.reader.readexactly(2) == b"ok"

    assert refused == []


@pytest.mark.attack("port", "Whoever says nothing, or half of something, is hung up on")
@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"\r\n",
        b"GET /plain HTTP/1.1\r\nX: ",
        b"POST /echo HTTP/1.1\r\nContent-Length: 5\r\n\r\nab",
    ],
    ids=["nothing", "an empty line", "half a head", "half a body"],
)
async def test_whoever_is_slow_is_hung_up_on(said):
    async with port() as (number, refused), caller(number) as one:
        await one.says(said)
        await one.hears()

    assert refused == ["time"]


@pytest.mark.attack("port", "A head that comes drop by drop wins no time")
async def test_a_drop_at_a_time_wins_no_time():
    async with port() as (number, refused):
        drops = [PLAIN, *[b"X: y\r\n"] * 15]
        async with caller(number) as one:
            hearing = asyncio.create_task(one.hears())
            while drops and not hearing.done():
                await one.says(drops.pop(0))
                await asyncio.wait({hearing}, timeout=0.2)
            await hearing

    assert refused == ["time"]
    assert drops, "it was waited for"


async def test_whoever_does_not_read_the_answer_is_hung_up_on():
    async with port() as (number, refused), caller(number) as one:
        await one.says(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        one.writer.transport.pause_reading()
        async with asyncio.timeout(SOON):
            while not refused:  # noqa: ASYNC110 - nobody tells us
                await asyncio.sleep(0.05)

    assert refused == ["time"]


@pytest.mark.attack("port", "Chunks and trailers without end are refused")
async def test_a_body_and_what_is_around_it_has_a_size():
    head = b"POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    trailer = [head, b"1\r\na\r\n0\r\n", *[b"X: " + b"a" * 900 + b"\r\n"] * 4_000]
    async with port(body_seconds=SOON) as (number, refused):
        answer, _ = await flooded(number, trailer)
        chunks = [head, *[b"1000\r\n" + b"a" * 4096 + b"\r\n"] * 2_000]
        await flooded(number, chunks)

    assert b"200 OK" not in answer
    assert len(refused) == 2


@pytest.mark.attack("port", "A port has so many places and no more")
async def test_no_more_are_let_in_than_there_are_places_for():
    async with port(head_seconds=SOON) as (number, refused):
        opened = [await asyncio.open_connection("127.0.0.1", number) for _ in range(12)]
        async with asyncio.timeout(SOON):
            while len(refused) < 8:  # noqa: ASYNC110 - nobody tells us
                await asyncio.sleep(0.02)
        for _, writer in opened:
            writer.transport.abort()
        async with asyncio.timeout(SOON):
            while True:
                async with caller(number) as one:
                    await one.says(PLAIN + b"Connection: close\r\n\r\n")
                    if (await one.hears()).startswith(b"HTTP/1.1 200"):
                        break

    assert {*refused} == {"connections"}


async def silent(number, crowd, left):
    """Keep a place for as long as nobody takes it away, and take another then."""
    while not left.is_set():
        async with caller(number) as one:
            crowd.append(one)
            await one.says(PLAIN)
            await one.hears()
            await asyncio.sleep(0.05)


@pytest.mark.attack("port", "Who says nothing keeps no place from who does")
async def test_a_crowd_that_says_nothing_shuts_nobody_out():
    left = asyncio.Event()
    async with port(head_seconds=60.0) as (number, refused):
        crowd: list[Caller] = []
        async with asyncio.TaskGroup() as group:
            for _ in range(12):
                group.create_task(silent(number, crowd, left))
            async with asyncio.timeout(SOON):
                while len(crowd) < 12:  # noqa: ASYNC110 - nobody tells us
                    await asyncio.sleep(0.01)
            answers = []
            for _ in range(20):
                async with caller(number) as one:
                    await one.says(PLAIN + b"Connection: close\r\n\r\n")
                    answers.append((await one.hears())[:12])
            left.set()
            while crowd:
                crowd.pop().writer.transport.abort()

    # One that was let in may be the slowest of four before its request is read.
    assert answers.count(b"HTTP/1.1 200") > 15
    assert {*refused} == {"connections"}


HELD = b"GET /held HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


async def test_whoever_is_being_answered_makes_room_for_nobody():
    held = port(connections=1, answer_seconds=SOON)
    async with held as (number, refused), caller(number) as one:
        await one.says(HELD)
        await asyncio.sleep(0.2)
        async with caller(number) as other:
            assert await other.hears() == b""
        answer = await one.hears()

    assert answer.startswith(b"HTTP/1.1 200")
    assert refused == ["connections"]


@pytest.mark.parametrize(
    "said", [b"\xff\xfe\r\n\r\n", b"GET / HTTP/9\r\n\r\n", b"\0" * 64]
)
async def test_what_is_no_http_is_refused(said):
    async with port() as (number, refused), caller(number) as one:
        await one.says(said)
        answer = await one.hears()

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert refused == ["syntax"]


@pytest.mark.attack("port", "Callers cannot have all descriptors")
def test_callers_never_have_all_descriptors():
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    api, probes = api_limits(), probe_limits()

    assert api.connections + api.backlog < soft
    assert probes.connections + probes.backlog <= 32
