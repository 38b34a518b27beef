"""A proxy that opens tunnels, as a company has one; it may be told to fail."""

import asyncio
import contextlib
from contextlib import asynccontextmanager

from tests.wires.server import left

ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"
REFUSED = (
    b"HTTP/1.1 %d No\r\nContent-Type: text/html\r\nContent-Length: 22\r\n\r\n"
    b"<html>no proxy</html>\n"
)


class TunnelProxy:
    """Asks for credentials where it has some, and connects to whom it is asked for.

    ``answer`` is said instead; ``cuts_after`` bytes from the client it hangs up.
    """

    def __init__(
        self, *, credentials=None, answer=None, cuts_after=float("inf"), to=None
    ):
        self.url = ""
        self.asked = []
        self.heads = []
        self.passed = bytearray()
        self.tasks = set()
        self._credentials = credentials
        self.answer = answer
        self._cuts_after = cuts_after
        self._to = to

    async def serve(self, reader, writer):
        self.tasks.add(asyncio.current_task())
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            self.heads.append(head)
            await self._serve(head, reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _serve(self, head, reader, writer):
        method, target, _ = head.split(b"\r\n")[0].decode().split(" ")
        self.asked.append((method, target))
        if self.answer is not None:
            writer.write(self.answer)
            await writer.drain()
            await reader.read()
        elif self._credentials and self._credentials not in head:
            writer.write(REFUSED % 407)
        elif method != "CONNECT":
            writer.write(REFUSED % 405)
        else:
            await self._connect(target, reader, writer)

    async def _connect(self, target, reader, writer):
        host, _, port = target.rpartition(":")
        try:
            far = await asyncio.open_connection(*(self._to or (host.strip("[]"), port)))
        except OSError:
            writer.write(REFUSED % 502)
            return
        writer.write(ESTABLISHED)
        try:
            await asyncio.gather(
                self._pass(reader, far[1], count=True), self._pass(far[0], writer)
            )
        finally:
            far[1].close()

    async def _pass(self, source, target, *, count=False):
        with contextlib.suppress(OSError):
            while data := await source.read(65536):
                if count:
                    self.passed += data
                    if len(self.passed) > self._cuts_after:
                        break
                target.write(data)
                await target.drain()
        target.close()


@asynccontextmanager
async def proxied(*, tls=None, **behaviour):
    """Serve one; its ``url`` is where."""
    proxy = TunnelProxy(**behaviour)
    listener = await asyncio.start_server(proxy.serve, "127.0.0.1", 0, ssl=tls)
    port = listener.sockets[0].getsockname()[1]
    proxy.url = f"{'https://localhost' if tls else 'http://127.0.0.1'}:{port}"
    try:
        yield proxy
    finally:
        listener.close()
        await left(proxy.tasks)
