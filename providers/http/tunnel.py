"""A connection through a proxy: CONNECT first, and the request once it stands.

It is asked for plain http too: of an answer to a request that a proxy passes on, nobody
can tell whether it is the proxy's own, and a proxy's 404 must never be a provider's.
"""

import asyncio
import ssl
from typing import Final, cast

from providers.http.connection import HttpConnection
from providers.http.proxies import Proxy, authority

HEAD_BYTES_MAX: Final = 16 * 1024

_END: Final = b"\r\n\r\n"
_OPEN: Final = range(200, 300)
# tinyproxy says 401 of credentials that are wrong, 407 only where there are none.
_UNKNOWN_TO_IT: Final = frozenset({401, 407})
_NOT_REACHED: Final = frozenset({500, 502, 503, 504})
# Of these a proxy is mended, and not of what it says of one host.
_OURS: Final = _UNKNOWN_TO_IT | {408, 429}


class ProxyFailed(OSError):
    """The proxy opened no tunnel: nothing was sent to whom the call was for.

    ``is_ours``: it did not even try, so that nothing is known of whom it was for.
    """

    def __init__(self, because: str, *, is_ours: bool = True) -> None:
        super().__init__(because)
        self.is_ours = is_ours


async def through(
    proxy: Proxy,
    host: str,
    port: int,
    *,
    tls: ssl.SSLContext | None,
    proxy_tls: ssl.SSLContext | None,
) -> HttpConnection:
    """Return a connection to the host, which ``tls`` secures end to end.

    :raises ProxyFailed: there is no tunnel.
    :raises OSError: there is one, and the handshake at its end failed.
    """
    loop = asyncio.get_running_loop()
    asked = authority(host, port)
    try:
        transport, tunnel = await loop.create_connection(
            lambda: _Tunnel(_request(proxy, asked)),
            proxy.host,
            proxy.port,
            ssl=proxy_tls,
        )
    except (OSError, UnicodeError) as error:
        raise ProxyFailed(why_not(error)) from error
    try:
        await tunnel.stands
        return await _end_to_end(transport, host, tls)
    except BaseException:
        transport.abort()
        raise


async def _end_to_end(
    stream: asyncio.Transport, host: str, tls: ssl.SSLContext | None
) -> HttpConnection:
    connection = HttpConnection()
    if tls is None:
        stream.set_protocol(connection)
    else:
        loop = asyncio.get_running_loop()
        secured = await loop.start_tls(stream, connection, tls, server_hostname=host)
        stream = cast("asyncio.Transport", secured)
    if stream.is_closing():
        raise ConnectionResetError("it was closed as soon as it stood")
    connection.connection_made(stream)
    return connection


def why_not(error: Exception) -> str:
    """Say why there is no connection; nothing in it is secret."""
    if isinstance(error, UnicodeError):
        return "that is no name of a host"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is refused: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"no TLS: {(error.reason or 'it failed').lower().replace('_', ' ')}"
    if isinstance(error, TimeoutError) and not error.strerror:
        return "not in time"
    told = error.strerror if isinstance(error, OSError) else None
    return told or str(error) or type(error).__name__


def _request(proxy: Proxy, asked: str) -> bytes:
    known = (
        f"Proxy-Authorization: {proxy.authorization}\r\n" if proxy.authorization else ""
    )
    agent = "User-Agent: payment-service\r\n"
    lines = f"CONNECT {asked} HTTP/1.1\r\nHost: {asked}\r\n{agent}{known}\r\n"
    return lines.encode("ascii")


class _Tunnel(asyncio.Protocol):
    """Asks the proxy for a way through, and reads no further than its answer."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self._head = b""
        self.stands: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        # Who stopped waiting asks no more.
        self.stands.add_done_callback(lambda done: done.cancelled() or done.exception())

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask."""
        cast("asyncio.Transport", transport).write(self._request)

    def data_received(self, data: bytes) -> None:
        """Read the head of the answer; there is none behind it that we asked for."""
        self._head += data
        head, end, more = self._head.partition(_END)
        if not end:
            if len(self._head) > HEAD_BYTES_MAX:
                self._fail("its answer never ends")
            return
        status = _status(head)
        if status is None:
            self._fail("it does not speak HTTP")
        elif status not in _OPEN:
            self._fail(_refusal(status), is_ours=status in _OURS)
        elif more:
            self._fail("it spoke for whom it was to connect")
        elif not self.stands.done():
            self.stands.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail, where it did not stand yet."""
        self._fail("it hung up" if exc is None else type(exc).__name__)

    def _fail(self, because: str, *, is_ours: bool = True) -> None:
        if not self.stands.done():
            self.stands.set_exception(ProxyFailed(because, is_ours=is_ours))


def _status(head: bytes) -> int | None:
    version, _, rest = head.partition(b"\r\n")[0].partition(b" ")
    code = rest[:3]
    if not version.startswith(b"HTTP/1.") or not code.isdigit():
        return None
    return int(code)


def _refusal(status: int) -> str:
    if status in _UNKNOWN_TO_IT:
        return f"it asks for another user or password ({status})"
    if status in _NOT_REACHED:
        return f"it could not connect ({status})"
    return f"it does not let us through ({status})"
