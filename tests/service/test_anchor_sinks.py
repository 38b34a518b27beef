"""Every place for anchors has each line, in order, whatever fails in between."""

import asyncio
import os
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import nats
import pytest
from nats.js.api import StreamConfig
from pydantic import SecretStr

from fsm.domain.anchors import FIRST_PREVIOUS, Anchor, Head, Root, signed
from fsm.domain.audit_keys import parse_audit_keys
from fsm.domain.errors import SinkUnavailable
from handlers.anchor import send_anchors
from payment_service.observability.metrics import Metrics
from payment_service.settings import Settings
from payment_service.storage import anchor_file
from payment_service.storage.anchor_file import FileSink
from payment_service.wiring.anchoring import Anchoring, sinks_of
from tests.bus.servers import FoundNats
from tests.playground.embedded.processes import memory_folder

KEYS = parse_audit_keys("k1:" + "5a" * 32)
OTHER = parse_audit_keys("k1:" + "6b" * 32)
SUBJECT = "books.anchors"
SECONDS_MAX = 30
ACCOUNTS = """
jetstream { store_dir: STORE }
accounts {
  PAYMENT { jetstream: enabled, users: [{ user: pay, password: p }] }
  BOOKS { jetstream: enabled, users: [
    { user: owner, password: o }
    { user: anchor, password: a, permissions: {
      publish: ["books.anchors", "$JS.API.STREAM.NAMES", "$JS.API.STREAM.MSG.GET.BOOKS"]
      subscribe: ["_INBOX.>"] } } ] }
}
"""


@dataclass
class Ledger:
    """The anchors of a database that is only a list."""

    anchors: list[Anchor] = field(default_factory=list)

    def grow(self, count, keys=KEYS):
        for _ in range(count):
            n = len(self.anchors) + 1
            root = Root()
            root.add([Head("e", "q", n, b"h")])
            anchor = signed(
                keys,
                n=n,
                at=datetime(2026, 1, 1, 0, n % 60, tzinfo=UTC),
                complete_to=datetime(2026, 1, 1, tzinfo=UTC),
                root=root,
                previous=self.anchors[-1].digest() if n > 1 else FIRST_PREVIOUS,
            )
            self.anchors.append(anchor)
        return self

    async def take(self, *, every):
        del every

    async def find(self, n):
        return self.anchors[n - 1] if 0 < n <= len(self.anchors) else None

    async def after(self, n, *, limit):
        return self.anchors[n : n + limit]

    @property
    def lines(self):
        return [anchor.line() for anchor in self.anchors]


class FilePlace:
    """A file, and what somebody else does to it."""

    def __init__(self, folder):
        self.path = folder / "anchors.jsonl"
        self.settings = Settings(anchor_file=self.path)

    async def put(self, line):
        with self.path.open("ab") as file:
            file.write(line + b"\n")

    async def seen(self):
        return self.path.read_bytes().splitlines() if self.path.exists() else []

    async def close(self):
        self.path.unlink(missing_ok=True)
        self.path.mkdir()

    async def reopen(self):
        self.path.rmdir()


class StreamPlace:
    """A stream of another account, and what its owner does to it."""

    def __init__(self, server):
        address = f"127.0.0.1:{server.port}"
        self.owner = f"nats://owner:o@{address}"
        self.settings = Settings(
            nats_url=SecretStr(f"nats://pay:p@{address}"),
            anchor_nats_url=SecretStr(f"nats://anchor:a@{address}"),
            anchor_stream=SUBJECT,
        )

    async def put(self, line):
        async with await nats.connect(self.owner) as client:
            await client.jetstream().publish(SUBJECT, line)

    async def seen(self):
        async with await nats.connect(self.owner) as client:
            stream = client.jetstream()
            state = (await stream.stream_info("BOOKS")).state
            numbers = range(1, state.last_seq + 1)
            return [(await stream.get_msg("BOOKS", seq)).data for seq in numbers]

    async def close(self):
        async with await nats.connect(self.owner) as client:
            await client.jetstream().delete_stream("BOOKS")

    async def reopen(self):
        async with await nats.connect(self.owner) as client:
            config = StreamConfig(name="BOOKS", subjects=[SUBJECT])
            await client.jetstream().add_stream(config)


@pytest.fixture(params=["file", "stream"])
async def place(request, tmp_path):
    if request.param == "file":
        yield FilePlace(tmp_path)
        return
    with FoundNats(configuration=ACCOUNTS, within=memory_folder()) as server:
        place = StreamPlace(server)
        await place.reopen()
        yield place


@pytest.fixture
def sink(place):
    (sink,) = sinks_of(place.settings)
    return sink


async def test_every_line_is_there_in_order_and_once(place, sink):
    ledger = Ledger().grow(3)
    assert (await send_anchors(ledger, sink)).lines == 3
    assert (await send_anchors(ledger, sink)).lines == 0
    ledger.grow(2)
    sent = await send_anchors(ledger, sink)

    assert await place.seen() == ledger.lines
    assert (sent.lines, sent.strange, sent.newest) == (2, 0, ledger.anchors[-1].at)


async def test_nothing_is_skipped_by_a_place_that_takes_nothing(place, sink):
    ledger = Ledger().grow(2)
    await place.close()
    with pytest.raises(SinkUnavailable, match=r"anchors to the (file|stream): "):
        await send_anchors(ledger, sink)
    ledger.grow(1)
    await place.reopen()

    assert (await send_anchors(ledger, sink)).lines == 3
    assert await place.seen() == ledger.lines


async def test_who_died_half_way_is_gone_on_from(place, sink):
    ledger = Ledger().grow(4)
    async with sink.opened() as opened:
        for line in ledger.lines[:2]:
            await opened.append(line)

    assert (await send_anchors(ledger, sink)).lines == 2
    assert await place.seen() == ledger.lines


@pytest.mark.parametrize(
    "strange", [b"{}", b'{"n":9', b"\xff", Ledger().grow(9, OTHER).lines[-1]]
)
async def test_what_others_write_there_keeps_no_line_back(place, sink, strange):
    ledger = Ledger().grow(2)
    await send_anchors(ledger, sink)
    await place.put(strange)
    ledger.grow(1)

    sent = await send_anchors(ledger, sink)

    assert (sent.lines, sent.strange) == (1, 1)
    assert await place.seen() == [*ledger.lines[:2], strange, ledger.lines[2]]
    assert (await send_anchors(ledger, sink)).strange == 0


async def test_a_database_that_was_taken_back_goes_on_beside_what_was(place, sink):
    before = Ledger().grow(4)
    await send_anchors(before, sink)
    ledger = Ledger(before.anchors[:2]).grow(1, OTHER)

    sent = await send_anchors(ledger, sink)

    assert (sent.lines, sent.strange) == (1, 2)
    assert await place.seen() == [*before.lines, ledger.lines[2]]


async def test_more_lines_than_a_page_are_read_from_the_end(sink):
    ledger = Ledger().grow(300)
    await send_anchors(ledger, sink)

    async with sink.opened() as opened:
        assert [line async for line in opened.back()] == ledger.lines[::-1]


async def test_how_old_and_how_many_is_counted(place, sink):
    metrics = Metrics()
    ledger = Ledger().grow(2)
    anchoring = Anchoring(ledger, [sink], metrics, every=timedelta(minutes=1))

    def value(name, labels):
        return metrics.registry.get_sample_value(name, labels) or 0

    assert value("anchor_age_seconds", {"sink": sink.name}) < SECONDS_MAX

    await anchoring.go_on()
    await place.close()
    await anchoring.go_on()

    told = {"sink": sink.name}
    assert value("anchors_total", {**told, "outcome": "sent"}) == 2
    assert value("anchors_total", {**told, "outcome": "failed"}) == 1
    assert value("anchor_age_seconds", told) > SECONDS_MAX


async def test_one_place_that_fails_keeps_no_other_waiting(tmp_path):
    ledger, good = Ledger().grow(1), tmp_path / "good"
    sinks = [FileSink(tmp_path / "no" / "where"), FileSink(good)]

    await Anchoring(ledger, sinks, Metrics(), every=timedelta(minutes=1)).go_on()

    assert good.read_bytes().splitlines() == ledger.lines


async def test_a_line_that_a_crash_has_torn_stands_alone(tmp_path):
    path, ledger = tmp_path / "anchors", Ledger().grow(2)
    whole, torn = ledger.lines[0], ledger.lines[1][:40]
    path.write_bytes(whole + b"\n" + torn)

    sent = await send_anchors(ledger, FileSink(path))

    assert (sent.lines, sent.strange) == (1, 1)
    assert path.read_bytes().splitlines() == [whole, torn, ledger.lines[1]]


async def test_a_full_disk_leaves_no_piece_of_a_line(tmp_path, monkeypatch):
    path, ledger = tmp_path / "anchors", Ledger().grow(1)
    await send_anchors(ledger, FileSink(path))
    ledger.grow(1)
    write = os.write
    written: list[bytes] = []

    def short(number, data):
        if written:
            raise OSError(28, "No space left on device")
        written.append(data)
        return write(number, data[:10])

    monkeypatch.setattr(os, "write", short)
    with pytest.raises(SinkUnavailable, match="No space left on device"):
        await send_anchors(ledger, FileSink(path))
    monkeypatch.undo()
    assert path.read_bytes().splitlines() == ledger.lines[:1]
    await send_anchors(ledger, FileSink(path))

    assert path.read_bytes().splitlines() == ledger.lines


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
async def test_a_file_that_may_not_be_written_is_told(tmp_path):
    path = tmp_path / "anchors"
    path.touch(0o400)

    with pytest.raises(SinkUnavailable, match="Permission denied"):
        await send_anchors(Ledger().grow(1), FileSink(path))


async def test_a_pipe_that_nobody_reads_is_told_and_not_waited_for(tmp_path):
    path = tmp_path / "anchors"
    os.mkfifo(path)

    with pytest.raises(SinkUnavailable, match="it is no file"):
        await send_anchors(Ledger().grow(1), FileSink(path))


@pytest.mark.parametrize("hanging", ["fsync", "write", "fstat"])
async def test_a_disk_that_never_answers_is_left_alone(tmp_path, monkeypatch, hanging):
    sink, gate = FileSink(tmp_path / "anchors"), asyncio.Event()
    ledger = Ledger().grow(2)
    loop = asyncio.get_running_loop()
    monkeypatch.setattr(anchor_file, "SECONDS_MAX", 0.05)

    answer = getattr(os, hanging)

    def hang(*asked):
        asyncio.run_coroutine_threadsafe(gate.wait(), loop).result()
        return answer(*asked)

    monkeypatch.setattr(os, hanging, hang)
    with pytest.raises(SinkUnavailable, match="has not answered"):
        await send_anchors(ledger, sink)
    with pytest.raises(SinkUnavailable, match="still does not answer"):
        await send_anchors(ledger, sink)
    monkeypatch.undo()
    gate.set()

    async with asyncio.timeout(SECONDS_MAX):
        while True:
            with suppress(SinkUnavailable):
                await send_anchors(ledger, sink)
                break
            await asyncio.sleep(0.01)
    assert (tmp_path / "anchors").read_bytes().splitlines()[-1] == ledger.lines[-1]


async def test_of_two_processes_at_one_file_one_writes(tmp_path):
    path, ledger = tmp_path / "anchors", Ledger().grow(2)
    async with FileSink(path).opened():
        with pytest.raises(SinkUnavailable, match="another process"):
            await send_anchors(ledger, FileSink(path))

    assert (await send_anchors(ledger, FileSink(path))).lines == 2


async def test_a_stream_that_is_not_there_is_told_with_how_to_make_it(tmp_path):
    del tmp_path
    with FoundNats(configuration=ACCOUNTS, within=memory_folder()) as server:
        (sink,) = sinks_of(StreamPlace(server).settings)
        with pytest.raises(SinkUnavailable, match="nats stream add"):
            await send_anchors(Ledger().grow(1), sink)
