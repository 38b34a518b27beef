"""`run` starts, stops gracefully, and says in one line what keeps it from starting."""

import asyncio
import json
import signal
import socket
import time
import urllib.request
from contextlib import closing

import nats
import psycopg
import pytest
from nats.js.api import RetentionPolicy, StreamConfig

from providers.http.targets import is_here
from providers.testing.simulator.core import SimulatedCore
from tests.bus.servers import account, serving
from tests.cli.stage import SECONDS_MAX, SECRET, TABLE, TOKEN
from tests.wires.certificates import authority, certificate
from tests.wires.proxy import proxied
from tests.wires.server import playing, silence


@pytest.fixture
def ready(at_database, nats_server, subject_prefix):
    """Give a shell with everything that `run` and `doctor` need, but for core."""
    table = TABLE.format(name="acme", url="http://127.0.0.1:1")
    (at_database.folder / "payment.toml").write_text(table)
    at_database.env |= {
        "PAYMENT_NATS_URL": nats_server.url,
        "PAYMENT_SUBJECT_PREFIX": subject_prefix,
        "PAYMENT_CORE_URL": "http://127.0.0.1:1",
        "PAYMENT_CORE_TOKEN": TOKEN,
        # Any that is free: one chosen here could be another's by then.
        "PAYMENT_HTTP_PORT": "0",
        "PAYMENT_METRICS_PORT": "0",
        "SECRET_OF_PROVIDERS": SECRET,
    }
    return at_database


def asked(port, path):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}") as answer:
        return answer.status


def started(process):
    """Wait until the process says that it is at work; return its port and its log.

    However long it takes: a machine that is busy with other tests is no fault, and
    one that never starts ends with its output, or at the test's own time limit.
    """
    log = []
    for line in process.stdout:
        log.append(line)
        if "service.started" in line:
            return json.loads(line)["port"], "".join(log)
    raise AssertionError(("".join(log), process.communicate()))


@pytest.mark.parametrize(
    "roles", ["api,worker,relay,sweeper", "worker", "relay, sweeper"]
)
def test_it_starts_and_a_signal_stops_it(ready, roles):
    process = ready.start("run", "--roles", roles)
    try:
        port, log = started(process)
        assert asked(port, "/readyz") == 200
    finally:
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=SECONDS_MAX)

    assert process.returncode == 0, (out, err)
    assert TOKEN not in log + out + err


def test_a_session_in_the_database_says_whose_it_is(ready, database_url):
    process = ready.start("run", "--roles", "sweeper,api")
    try:
        started(process)
        with psycopg.connect(database_url) as connection:
            asked_for = "SELECT application_name FROM pg_stat_activity"
            names = {name for (name,) in connection.execute(asked_for)}
    finally:
        process.kill()
        process.communicate(timeout=SECONDS_MAX)

    assert "payment-service api sweeper" in names


def test_a_database_behind_the_schema_is_told(ready, empty_database_url):
    answer = ready("run", PAYMENT_DATABASE_URL=empty_database_url)

    assert answer.code == 1
    assert "run `payment-service migrate`" in answer.err
    assert answer.err.count("\n") == 1


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"PAYMENT_DATABASE_URL": "postgresql://x:canary@127.0.0.1:1/x"}, "PostgreSQL"),
        ({"PAYMENT_NATS_URL": "nats://127.0.0.1:1"}, "PAYMENT_NATS_URL"),
    ],
)
def test_a_neighbour_that_is_away_is_told(ready, changed, said):
    answer = ready("run", **changed)

    assert answer.code == 1
    assert said in answer.err
    assert answer.err.count("\n") == 1
    assert "canary" not in answer.err + answer.out


def test_a_port_that_is_taken_is_told(ready):
    with closing(socket.socket()) as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]

        answer = ready("run", PAYMENT_HTTP_PORT=str(port))

    assert answer.code == 1
    assert f"127.0.0.1:{port}" in answer.err


def states(report):
    return {(f["area"], f["what"]): f["state"] for f in report["findings"]}


def test_the_doctor_names_what_is_missing(shell):
    answer = shell("doctor")

    assert answer.code == 2
    assert "PAYMENT_NATS_URL: is missing" in answer.out


def all_published(url):
    """Wait until nothing is left in the outbox."""
    with psycopg.connect(url, autocommit=True) as connection:
        while connection.execute("SELECT FROM outbox LIMIT 1").fetchone() is not None:
            time.sleep(0.05)


@pytest.mark.usefixtures("orders")
def test_the_doctor_finds_everything_well(ready):
    process = ready.start("run")
    try:
        started(process)
        # They may have been there for longer than the doctor finds well.
        all_published(ready.env["PAYMENT_DATABASE_URL"])
    finally:
        process.terminate()
        process.communicate(timeout=SECONDS_MAX)

    async def examined():
        core = SimulatedCore(token=TOKEN)
        await core.start("127.0.0.1", 0)
        table = TABLE.format(name="acme", url=core.url)
        (ready.folder / "payment.toml").write_text(table)
        try:
            return await asyncio.to_thread(
                ready, "doctor", "--json", PAYMENT_CORE_URL=core.url
            )
        finally:
            await core.stop()

    report = asyncio.run(examined()).json
    found = states(report)
    prefix = ready.env["PAYMENT_SUBJECT_PREFIX"]

    wrong = {what for what, state in found.items() if state == "wrong"}
    assert wrong <= {("database", "fsync"), ("database", "full_page_writes")}
    assert found["nats", "schedules"] == "ok"
    assert found["nats", f"stream {prefix}_ORDER_TASKS"] == "ok"
    assert found["core", "reachable"] == "ok"
    assert found["providers", "acme"] == "ok"
    assert found["work", "manual checks"] == "advice"
    assert found["settings", "PAYMENT_PUBLIC_URL"] == "advice"


def test_the_doctor_names_who_does_not_answer(ready):
    answer = ready("doctor", "--json", PAYMENT_NATS_URL="nats://127.0.0.1:1")
    plain = ready("doctor")
    found = states(answer.json)

    assert answer.code == 1
    assert found["nats", "connection"] == "wrong"
    assert found["core", "reachable"] == "wrong"
    assert found["providers", "acme"] == "wrong"
    assert found["database", "schema"] == "ok"
    assert TOKEN not in answer.out + plain.out
    assert SECRET not in answer.out + plain.out
    assert "is not there yet: `payment-service run` makes it" in plain.out


BARE = """
[providers.bare]
adapter = "rest"
base_url = "http://127.0.0.1:1"
[providers.bare.webhook]
scheme = "token"
secrets = ["${SECRET_OF_PROVIDERS}"]
token = { header = "verif-hash", event_id_pointer = "/id" }
"""


def test_the_doctor_warns_of_a_bare_token(ready):
    file = ready.folder / "payment.toml"
    file.write_text(file.read_text() + BARE)

    answer = ready("doctor", "--json")

    found = states(answer.json)
    assert found["configuration", "webhooks of bare"] == "advice"
    assert ("configuration", "webhooks of acme") not in found
    assert SECRET not in answer.out


def test_the_doctor_sees_an_old_schema(ready, empty_database_url):
    report = ready("doctor", "--json", PAYMENT_DATABASE_URL=empty_database_url).json

    assert states(report)["database", "schema"] == "wrong"


async def examined_behind(ready, tmp_path, **settings):
    """Examine a service whose provider is known by a private CA, behind a proxy."""
    known = authority(tmp_path, "Acme Root")
    acme = certificate(tmp_path, known, "localhost")
    async with playing(silence, ssl=acme.server()) as server, proxied() as proxy:
        url = server.url.replace("127.0.0.1", "localhost")
        table = TABLE.format(name="acme", url=url)
        table += f'tls = {{ authority = "{known.pem}" }}\n'
        (ready.folder / "payment.toml").write_text(table)
        env = {"HTTPS_PROXY": proxy.url.replace("//", "//me:hunter22@"), **settings}
        answer = await asyncio.to_thread(ready, "doctor", "--json", **env)
    (told,) = (f for f in answer.json["findings"] if f["what"] == "acme")
    assert "hunter22" not in answer.out + answer.err
    return told, proxy, server


async def test_the_doctor_goes_the_way_of_the_calls(ready, tmp_path):
    told, proxy, server = await examined_behind(ready, tmp_path)

    assert told["state"] == "ok"
    assert told["told"].endswith(f"through the proxy {proxy.url} (HTTPS_PROXY)")
    assert proxy.asked == [("CONNECT", f"localhost:{server.url.rpartition(':')[2]}")]
    assert server.heard == []


async def test_the_doctor_goes_around_the_proxy_where_calls_do(ready, tmp_path):
    told, proxy, _ = await examined_behind(ready, tmp_path, NO_PROXY="localhost")

    assert (told["state"], proxy.asked) == ("ok", [])
    assert told["told"].endswith("connects (TLS)")


@pytest.mark.parametrize("command", ["doctor", "run", "verify --core"])
def test_a_proxy_that_is_none_is_a_wrong_setting(ready, command):
    answer = ready(*command.split(), HTTPS_PROXY="socks5://me:hunter22@proxy:1080")

    assert answer.code == 2
    assert "HTTPS_PROXY: only http:// and https://" in answer.out + answer.err
    assert "hunter22" not in answer.out + answer.err


def test_the_doctor_calls_a_fresh_bus_well(ready):
    found = states(ready("doctor", "--json").json)

    assert found.pop(("nats", "strangers")) == found.pop(("nats", "rights")) == "advice"
    assert {state for (area, _), state in found.items() if area == "nats"} == {"ok"}


TRUSTED = '[forwarders.svc]\nproviders = ["acme"]\ntrust = "nats"\n'


def test_an_open_server_is_told_and_never_trusted(ready):
    assert "anybody who reaches it may read every request" in ready("doctor").out
    file = ready.folder / "payment.toml"
    file.write_text(file.read_text() + TRUSTED)

    report, started = ready("doctor", "--json"), ready("run")

    assert (report.code, started.code) == (1, 2)
    assert states(report.json)["nats", "strangers"] == "wrong"
    assert "[forwarders.svc] trust: NATS takes a connection without" in started.err


def test_a_user_with_its_own_rights_on_a_closed_server_is_well(ready):
    rights = ready("spec", "streams").json["permissions"]
    allowed = json.dumps([*rights["publish"], *rights["make"]])
    heard = json.dumps(rights["subscribe"])
    limited = f"publish: {allowed}, subscribe: {heard}"
    with serving(account(limited)) as server:
        ready.env["PAYMENT_NATS_URL"] = server.url_of("svc:pw")
        found = states(ready("doctor", "--json").json)

    assert found["nats", "strangers"] == found["nats", "rights"] == "ok"


def test_the_doctor_names_what_goes_in_the_clear_and_who_decides_alone(ready):
    file = ready.folder / "payment.toml"
    file.write_text(TABLE.format(name="acme", url="http://192.0.2.1:1"))
    core = {"PAYMENT_CORE_URL": "http://192.0.2.1:1", "PAYMENT_CORE_TIMEOUT": "100ms"}

    alone = states(ready("doctor", "--json", **core).json)
    together = states(ready("doctor", "--json", PAYMENT_FOUR_EYES_FROM="100000").json)

    assert alone["calls", "core"] == alone["calls", "provider acme"] == "advice"
    assert alone["settings", "PAYMENT_FOUR_EYES_FROM"] == "advice"
    assert ("settings", "PAYMENT_FOUR_EYES_FROM") not in together
    assert ("calls", "core") not in together


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("nats://127.0.0.1:4222", True),
        ("nats://me:pw@[::1]:4222", True),
        ("http://localhost", True),
        ("http://localhost.example", False),
        ("http://10.0.0.1", False),
        ("http://nats:4222", False),
    ],
)
def test_this_machine_is_told_from_others(url, here):
    assert is_here(url) is here


RIGHTS = (
    'publish: { deny: ["$JS.API.STREAM.CREATE.>", "$JS.API.CONSUMER.CREATE.>", '
    '"$JS.ACK.>"] }'
)


def test_the_doctor_calls_missing_streams_wrong_that_nobody_will_make(ready):
    with serving(account(RIGHTS)) as server:
        ready.env["PAYMENT_NATS_URL"] = server.url_of("svc:pw")
        plain = ready("doctor").out
        started = ready("run")

    assert "is missing, and publishing to $JS.API.STREAM.CREATE." in plain
    assert "publishing to $JS.ACK." in plain
    assert started.code == 1
    assert "ORDER_TASKS is missing" in started.err
    assert "payment-service spec streams" in started.err


@pytest.mark.parametrize(
    ("configuration", "login", "said"),
    [
        (account(), "svc:wrong", "Authorization Violation"),
        (account(limits="disabled"), "svc:pw", "enable JetStream"),
        (account("subscribe: x"), "svc:pw", "permit this user to subscribe to _INBOX"),
        (account("publish: x"), "svc:pw", "publishing to $JS.API.CONSUMER.MSG.NEXT"),
        (account() + "\nmax_payload: 128KB", "svc:pw", "max_payload is 131072"),
    ],
)
def test_the_doctor_says_what_nats_refuses(ready, configuration, login, said):
    with serving(configuration) as server:
        ready.env["PAYMENT_NATS_URL"] = server.url_of(login)

        assert said in ready("doctor").out


def test_the_doctor_sees_what_an_operator_has_set(ready, nats_server):
    prefix = ready.env["PAYMENT_SUBJECT_PREFIX"]

    async def make():
        async with await nats.connect(nats_server.url) as client:
            await client.jetstream().add_stream(
                StreamConfig(
                    name=f"{prefix}_PAYMENT_REQUESTS",
                    subjects=[f"{prefix}.*.requested", f"{prefix}.*.*.requested"],
                    retention=RetentionPolicy.WORK_QUEUE,
                    max_bytes=1 << 20,
                )
            )

    asyncio.run(make())
    plain = ready("doctor").out

    assert "PAYMENT_REQUESTS: has max_bytes with discard 'old'" in plain
    assert "PAYMENT_STREAM_REQUESTS_DISCARD=old" in plain
