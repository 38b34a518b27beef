"""Speaks NATS by hand, to say what no client lets one say."""

import asyncio
from contextlib import asynccontextmanager
from urllib.parse import urlsplit


class Raw:
    """A connection that sends any bytes; the server's words are not listened to."""

    def __init__(self, reader, writer):
        self._reader = reader
        self._writer = writer

    async def publish(self, subject, body=b"{}", *, headers=b"", reply=b""):
        """Publish; the server has it once this returns."""
        await self._say(_frame(subject, body, headers, reply))

    async def publish_all(self, subject, body, headers, times):
        """Publish the same so often, a thousand at a time."""
        frame = _frame(subject, body, headers, b"")
        for done in range(0, times, 1_000):
            await self._say(frame * min(1_000, times - done))

    async def _say(self, frames):
        self._writer.write(frames + b"PING\r\n")
        await self._writer.drain()
        while await self._reader.readline() != b"PONG\r\n":
            pass


def _frame(subject, body, headers, reply):
    if headers:
        sizes = b"%d %d" % (len(headers), len(headers) + len(body))
        line = b"HPUB %b %b %b\r\n" % (subject, reply, sizes)
    else:
        line = b"PUB %b %b %d\r\n" % (subject, reply, len(body))
    return line + headers + body + b"\r\n"


@asynccontextmanager
async def raw(url):
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(b'CONNECT {"verbose": false, "headers": true}\r\n')
    try:
        yield Raw(reader, writer)
    finally:
        writer.close()


def block(*lines):
    """Return a block of headers with these bytes in its lines."""
    return b"NATS/1.0\r\n" + b"".join(line + b"\r\n" for line in lines) + b"\r\n"
