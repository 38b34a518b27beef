"""What of nats-py is private and used all the same, and what breaks where it changes.

The pin in pyproject.toml is to the minor version; this says what to read again before
the pin is moved.
"""

import ast
import asyncio
import hashlib
import inspect
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from nats.aio.client import Client
from nats.aio.subscription import Subscription
from nats.aio.transport import TcpTransport
from nats.protocol.parser import Parser

from payment_service.bus import nats_client, reader, transport

ROOT = Path(__file__).parents[2]

# Attributes of a new client: the types that they may have, and what we do with them.
STATE = {
    "_subs": (dict, "what this connection listens to, told where it is refused"),
    "_pending": (list, "whole frames are put into the next write"),
    "_pending_data_size": (int, "counts what is pending, or nothing is written"),
    "_flush_queue": (type(None), "wakes the flusher; there once connected"),
    "_pongs": (list, "the round trip waits for its pong there"),
    "_pongs_received": (int, "a pong whose waiter has gone counts all the same"),
    "_pings_outstanding": (int, "as above, or the connection is taken for stale"),
    "_server_info": (dict, "the server's version; TLS is asked for before a name is"),
    "_inbox_prefix": (bytearray, "answers come to where the account may listen"),
    "_ps": (Parser, "our reader of frames in place of the client's"),
    "_transport": (type(None), "our transport in place of the client's"),
    "_reading_task": (type(None), "whether anybody reads; ended with a failed start"),
    "_ping_interval_task": (type(None), "ended with a failed start"),
    "_flusher_task": (type(None), "ended with a failed start"),
    "_current_server": (type(None), "whose name and password are sent"),
    "_public_nkey": (type(None), "who signs the server's nonce"),
    "_err": (type(None), "the last error, as the client's own users read it"),
    "options": (dict, "the name and password of the next CONNECT"),
}
# Methods that we call, by their parameters.
CALLED = {
    "_remove_sub": "(self, sid, max_msgs)",
    "_process_op_err": "async (self, e)",
    "_process_ping": "async (self)",
}
# Methods in place of which ours stand, by their parameters and the digest of their
# text: where one is written anew, ours may mend what is mended, or miss what is new.
REPLACED = {
    (Client, "_process_msg"): (
        "async (self, sid, subject, reply, data, headers)",
        "48a216307c69",
    ),
    (Client, "_read_loop"): ("async (self)", "24cc1f010038"),
    (Client, "_process_pong"): ("async (self)", "ae844c61a9c0"),
    (Client, "_process_err"): ("async (self, err_msg)", "de28a209ca74"),
    (Client, "_process_info"): (
        "async (self, info, initial_connection)",
        "ddba6eba1c8d",
    ),
    (Client, "_process_connect_init"): ("async (self)", "dfbe216eea30"),
    (Client, "_connect_command"): ("(self)", "d6a3a65bb364"),
    (TcpTransport, "connect"): (
        "async (self, uri, buffer_size, connect_timeout)",
        "2a1a2b0b43c1",
    ),
    (TcpTransport, "readline"): ("async (self)", "5b4bf747cd97"),
    (TcpTransport, "wait_closed"): ("async (self)", "90ee7b120071"),
    (Parser, "reset"): ("(self)", "e4c12e2ceaf3"),
    (Parser, "parse"): ("async (self, data)", "f7e0531def46"),
}
# Of other classes, and of a client that is connected.
ELSEWHERE = {
    "_id": "a subscription's number on the wire",
    "_io_reader": "what the transport has read beyond the first line",
    "_io_writer": "a silent peer's transport is aborted; whether it is TLS",
    "_error_cb": "an error is told without ending the connection",
}


def shape(function):
    words = inspect.signature(function).parameters
    kind = "async " if inspect.iscoroutinefunction(function) else ""
    return f"{kind}({', '.join(words)})"


def digest(function):
    text = " ".join(inspect.getsource(function).split())
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def private(name):
    return name.startswith("_") and not name.startswith("__")


def names(module):
    """Return the private names that a module uses, and those that it makes itself."""
    used, made = set(), set()
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        match node:
            case ast.Attribute(attr=name, ctx=ast.Store()) if private(name):
                used.add(name)
                made.add(name)
            case ast.Attribute(attr=name) if private(name):
                used.add(name)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                made |= {name} if private(name) else set()
            case _:
                pass
    return used, made


KNOWN = {*STATE, *CALLED, *ELSEWHERE, *(name for _, name in REPLACED)}


@pytest.fixture
async def client():
    return Client()


@pytest.mark.parametrize("name", STATE)
async def test_the_client_has_the_state_that_is_used(client, name):
    kind, because = STATE[name]

    assert hasattr(client, name), because
    assert isinstance(getattr(client, name), kind), because


@pytest.mark.parametrize("name", CALLED)
def test_the_client_has_the_methods_that_are_called(name):
    assert shape(getattr(Client, name)) == CALLED[name]


@pytest.mark.parametrize(
    ("owner", "name"), REPLACED, ids=lambda each: getattr(each, "__name__", each)
)
def test_what_is_replaced_is_what_it_was(owner, name):
    """Read it beside ours, then write its new digest down."""
    replaced = getattr(owner, name)

    assert (shape(replaced), digest(replaced)) == REPLACED[owner, name]


async def test_a_subscription_has_a_number(client):
    assert Subscription(client, 7, "a.b")._id == 7


async def test_a_transport_has_the_ends_of_its_socket():
    made = TcpTransport()

    assert (made._io_reader, made._io_writer) == (None, None)
    assert hasattr(asyncio.StreamReader(), "_buffer")


async def test_the_client_keeps_a_transport_that_it_is_given(client):
    given = nats_client.NatsClient()._transport
    client._transport = given

    client._setup_server_pool("nats://127.0.0.1:4222")

    assert client._transport is given


@pytest.mark.parametrize("module", [nats_client, reader, transport])
def test_everything_private_that_is_used_is_written_down(module):
    used, made = names(module)

    assert used - made <= KNOWN | {"_buffer"}


@pytest.mark.parametrize("module", [nats_client, reader, transport])
def test_nothing_of_ours_has_a_name_of_theirs(client, module):
    """A version that brings such a name would lose it, or take ours for its own."""
    _, made = names(module)
    theirs = {*dir(client), *dir(TcpTransport()), *dir(Parser())}

    assert made & theirs <= KNOWN


def test_nothing_is_written_down_that_is_not_used():
    used = set().union(
        *(each for module in (nats_client, reader, transport) for each in names(module))
    )
    public = {"options", "connect", "readline", "wait_closed", "reset", "parse"}

    assert KNOWN - public <= used


def test_the_pin_is_to_the_minor_version():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    major, minor, *_ = version("nats-py").split(".")

    assert (
        f"nats-py>={major}.{minor},<{major}.{int(minor) + 1}"
        in (project["dependencies"])
    )
