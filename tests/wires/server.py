"""A server that plays a script, byte by byte, and keeps all that it was sent."""

import asyncio
import socket
import struct
from contextlib import asynccontextmanager

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


class Server:
    """Plays one script for each connection and keeps every byte it was sent."""

    def __init__(self, script):
        self._script = script
        self.heard = []
        self.asked = asyncio.Event()
        self.connections = 0
        self.tasks = set()
        self.url = ""

    async def serve(self, reader, writer):
        self.connections += 1
        self.tasks.add(asyncio.current_task())
        try:
            await self._script(self, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def hear(self, reader):
        head = await reader.readuntil(b"\r\n\r\n")
        length = 0
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        self.heard.append(head + await reader.readexactly(length))
        self.asked.set()


@asynccontextmanager
async def playing(script, **options):
    server = Server(script)
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0, **options)
    scheme = "https" if options.get("ssl") else "http"
    server.url = f"{scheme}://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    try:
        yield server
    finally:
        listener.close()
        await left(server.tasks)


async def left(tasks):
    """Hang up on whoever is still there."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.sleep(0)


def saying(answer, *, then_hold=False):
    async def script(server, reader, writer):
        while True:
            await server.hear(reader)
            writer.write(answer)
            await writer.drain()
            if not then_hold:
                return

    return script


async def silence(server, reader, _):
    await server.hear(reader)
    await reader.read()


async def reset(server, reader, writer):
    await server.hear(reader)
    linger = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(
        socket.SOL_SOCKET, socket.SO_LINGER, linger
    )
    writer.transport.abort()


async def drip(server, reader, writer):
    await server.hear(reader)
    writer.write(OK + b"Content-Length: 1000\r\n\r\n")
    while True:
        writer.write(b" ")
        await writer.drain()
        if await gone(reader):
            return


async def gone(reader):
    try:
        async with asyncio.timeout(0.02):
            return await reader.read(1) == b""
    except TimeoutError:
        return False


def with_length(body):
    return OK + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
