"""A connection that failed for our own lack is told from a provider that is away.

The limits are the kernel's own, set on this very process for as long as one call takes.
"""

import errno
import os
import resource
import socket
import ssl
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvloop

from providers.answering import unanswered
from providers.health.observed import heard_in
from providers.http import trust
from providers.http.outbound import Outbound, RequestNotSent, Response
from providers.http.proxies import Proxies
from providers.http.shortage import is_shortage
from providers.http.tunnel import ProxyFailed
from tests.wires.proxy import REFUSED, proxied
from tests.wires.server import playing, saying, with_length

ANSWER = saying(with_length(b"{}"), then_hold=True)
NOBODY = Proxies({})


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request):
    """Run on the loop of the tests, and on the one of the service."""
    if request.param == "uvloop":
        return uvloop.run
    import asyncio  # noqa: PLC0415 - the other one's counterpart

    return asyncio.run


@contextmanager
def descriptors(spare):
    """Leave this process so many descriptors more than it has open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    opened = [os.open(os.devnull, os.O_RDONLY) for _ in range(spare)]
    holes = _fill()
    for each in opened:
        os.close(each)
    try:
        yield
    finally:
        for each in holes:
            os.close(each)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def _fill():
    """Take every number below a limit, which is set just above the highest taken."""
    top = max(int(each.name) for each in Path("/proc/self/fd").iterdir()) + 1
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (top, hard))
    taken = []
    while True:
        try:
            taken.append(os.open(os.devnull, os.O_RDONLY))
        except OSError:
            return taken


async def call(outbound, url):
    lane = outbound.lane(4)
    return await lane.request("POST", url, json_body=b"{}", headers={}, timeout=5)


def lacking(run, url_of, *, spare=0, proxies=NOBODY):
    async def main():
        async with (
            playing(ANSWER) as server,
            Outbound(proxies=proxies) as outbound,
        ):
            with descriptors(spare):
                answer = await call(outbound, url_of(server))
            return answer, await call(outbound, server.url), server

    return run(main())


@pytest.mark.parametrize(
    "url_of",
    [
        lambda server: server.url,
        lambda server: server.url.replace("127.0.0.1", "localhost"),
        lambda server: server.url.replace("http:", "https:"),
        lambda _: "http://nobody-knows-this.invalid/",
    ],
    ids=["address", "name", "tls", "unknown name"],
)
def test_without_a_descriptor_nobody_is_away(run, url_of):
    answer, later, server = lacking(run, url_of)

    assert isinstance(answer, RequestNotSent)
    assert answer.lacking
    assert heard_in(unanswered(answer)) is None
    assert isinstance(later, Response)
    assert len(server.heard) == 1


def test_a_proxy_is_not_away_either(run):
    away = Proxies({"HTTP_PROXY": "http://127.0.0.1:9", "NO_PROXY": "127.0.0.1"})
    answer, _, _ = lacking(run, lambda _: "http://acme.example/", proxies=away)

    assert answer.lacking
    assert "by the proxy" in answer.because


def test_who_is_away_is_away_though_descriptors_are_few(run):
    answer, _, _ = lacking(run, lambda _: "http://127.0.0.1:9/", spare=8)

    assert isinstance(answer, RequestNotSent)
    assert not answer.lacking
    assert not answer.ours


def test_a_context_is_made_while_it_can_be_read_whom_to_trust(run):
    trust._READ.clear()

    async def main():
        async with Outbound() as outbound:
            with descriptors(0):
                return outbound._default_tls()

    made = run(main())

    assert made.cert_store_stats() == ssl.create_default_context().cert_store_stats()


@pytest.mark.parametrize(
    "error",
    [
        *(
            OSError(number, os.strerror(number))
            for number in (
                errno.EMFILE,
                errno.ENFILE,
                errno.ENOBUFS,
                errno.ENOMEM,
                errno.EAGAIN,
                errno.EADDRNOTAVAIL,
                errno.EADDRINUSE,
                errno.ENETDOWN,
                errno.ENETUNREACH,
            )
        ),
        socket.gaierror(socket.EAI_AGAIN, "try again"),
        socket.gaierror(socket.EAI_MEMORY, "no memory"),
        socket.gaierror(socket.EAI_SYSTEM, "see errno"),
        OSError("Multiple exceptions: [Errno 111] refused, [Errno 24] too many"),
        OSError("Multiple exceptions: [Errno 99] no such address, [Errno 101] no net"),
        MemoryError(),
        RuntimeError("can't start new thread"),
    ],
    ids=str,
)
def test_these_are_ours(error):
    assert is_shortage(error)


@pytest.mark.parametrize(
    "error",
    [
        ConnectionRefusedError(errno.ECONNREFUSED, "refused"),
        ConnectionResetError(errno.ECONNRESET, "reset"),
        OSError(errno.EHOSTUNREACH, "no route to host"),
        # Where IPv6 is switched off, an address of it is nowhere; the other counts.
        OSError("Multiple exceptions: [Errno 99] no such address, [Errno 111] refused"),
        socket.gaierror(socket.EAI_NONAME, "not known"),
        ssl.SSLCertVerificationError("self-signed"),
        TimeoutError(),
        OSError(),
        UnicodeError("no name of a host"),
        RuntimeError("a mistake"),
    ],
    ids=str,
)
def test_these_are_the_other_sides(error):
    assert not is_shortage(error)


@pytest.mark.parametrize(("status", "ours"), [(407, True), (401, True), (503, False)])
async def test_a_proxy_that_was_not_even_let_try_tells_nothing(status, ours):
    async with proxied(answer=REFUSED % status) as proxy:
        proxies = Proxies({"HTTP_PROXY": proxy.url})
        async with Outbound(proxies=proxies) as outbound:
            answer = await call(outbound, "http://acme.example/")

    assert (answer.ours, answer.lacking) == (ours, ours)


def test_a_proxy_that_lacks_nothing_keeps_what_was_beneath():
    failed = ProxyFailed("too many open files")
    failed.__cause__ = OSError(errno.EMFILE, "too many open files")

    assert is_shortage(failed)
