"""What the API says is told in one line; the key goes to it alone, and never open."""

import json

import pytest
from pydantic import SecretStr

from payment_service.cli import api_client
from payment_service.cli.api_client import ApiAccess, ApiRefused, Unreachable, access_of
from payment_service.cli.errors import Usage, Wrong, describe
from payment_service.settings import Settings
from tests.wires.certificates import authority, certificate
from tests.wires.proxy import proxied
from tests.wires.server import playing, saying, silence, with_length

KEY = "key-canary-0123456789"
LINE = b"HTTP/1.1 %d Said\r\nContent-Type: %b\r\nContent-Length: %d\r\n%b\r\n%b"
BOTH = {
    "PAYMENT_API_URL": "https://payments.example/base/",
    "PAYMENT_API_KEY": KEY,
}


def problem(status, detail, **members):
    said = json.dumps({"status": status, "detail": detail, **members}).encode()
    return LINE % (status, b"application/problem+json", len(said), b"", said)


def page(status, more=b"", kind=b"text/html", body=b"<p>no</p>"):
    return LINE % (status, kind, len(body), more, body)


async def asked(url, *path, method="POST", query=None, body=None):
    async with api_client.calling(ApiAccess(url, SecretStr(KEY))) as api:
        return await api.ask(method, *path, query=query, body=body)


async def failing(answer):
    """Return what a command says of an answer, and its exit code."""
    async with playing(saying(answer)) as server:
        with pytest.raises((Wrong, Usage)) as refused:
            await asked(server.url, "tasks", "t-1", "resolution", body={})
    told = describe(refused.value)
    line, code = told.line, told.exit_code
    assert line.count("\n") == 0
    assert KEY not in line
    return refused.value, line.replace(server.url, "URL"), code


async def test_an_answer_is_read_and_the_path_is_escaped():
    async with playing(saying(with_length(b'{"status": "recorded"}'))) as server:
        answer = await asked(
            f"{server.url}/base", "orders", "a/ö ?", "cancel", body={"reason": "x"}
        )

    head, _, body = server.heard[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /base/v1/orders/a%2F%C3%B6%20%3F/cancel HTTP/1.1\r\n")
    assert f"Authorization: Bearer {KEY}".encode() in head
    assert json.loads(body) == {"reason": "x"}
    assert answer.word("status") == "recorded"


async def test_parameters_that_are_not_given_are_left_out():
    async with playing(saying(with_length(b"{}"))) as server:
        query = {"limit": 5, "cursor": None, "subject": "a b"}
        await asked(server.url, "cases", method="GET", query=query)

    assert server.heard[0].startswith(b"GET /v1/cases?limit=5&subject=a+b HTTP/1.1\r\n")


@pytest.mark.parametrize("part", ["", ".", ".."])
async def test_a_part_that_would_lead_to_another_call_is_no_id(part):
    with pytest.raises(ApiRefused, match="is no id"):
        await asked("http://127.0.0.1:1", "orders", part, "cancel")


@pytest.mark.parametrize("status", [403, 404, 409, 413, 422, 429])
async def test_a_refusal_is_told_as_the_api_says_it(status):
    error, line, code = await failing(problem(status, "not\nthis way"))

    assert (type(error), error.status) == (ApiRefused, status)
    assert (line, code) == ("not; this way", 1)


async def test_a_key_that_is_not_known_is_a_wrong_setting():
    _, line, code = await failing(problem(401, "Send a key."))

    assert (line.partition(":")[0], code) == ("PAYMENT_API_KEY", 2)


async def test_what_an_id_may_mean_is_named():
    candidates = [
        {"queue_id": "q-1", "merchant_id": "m-1", "kind": "withdrawal"},
        {"queue_id": "q-2", "merchant_id": "m-2", "kind": "withdrawal"},
    ]
    _, line, _ = await failing(problem(409, "Several.", candidates=candidates))

    assert line == "Several. q-1 (withdrawal of m-1), q-2 (withdrawal of m-2)"


async def test_a_failure_of_the_api_is_told_with_its_number():
    _, line, code = await failing(problem(500, "Wrong here.", correlation_id="ab12"))

    assert (line, code) == ("the API failed (500): Wrong here. (ab12)", 1)


@pytest.mark.parametrize(
    "answer",
    [
        page(200),
        page(404),
        page(502),
        page(200, kind=b"application/json", body=b"[]"),
        page(200, kind=b"application/json", body=b'{"a": NaN}'),
        page(401, kind=b"application/json", body=b"{}"),
        page(403, kind=b"application/json", body=b'{"detail": "other"}'),
    ],
)
async def test_another_program_is_told_as_one(answer):
    _, line, code = await failing(answer)

    assert "not as payment-service does: see PAYMENT_API_URL" in line
    assert code == 1


async def test_an_answer_without_what_was_asked_for_is_another_programs():
    async with playing(saying(with_length(b'{"ok": true}'))) as server:
        answer = await asked(server.url, "cases", method="GET")

    with pytest.raises(Wrong, match="see PAYMENT_API_URL"):
        answer.word("status")


@pytest.mark.attack("port", "A server that redirects the command line gets no key")
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_the_key_goes_after_no_redirect(status):
    async with playing(saying(with_length(b'{"status": "recorded"}'))) as other:
        to = other.url.replace("://", f"://me:{KEY}@") + f"/?key={KEY}"
        more = b"Location: %b\r\n" % to.encode()
        _, line, _ = await failing(page(status, more))

    assert f"URL redirects to {other.url}, and no key is sent after it" in line
    assert other.heard == []


async def test_no_answer_leaves_open_whether_it_is_done(monkeypatch):
    monkeypatch.setattr(api_client, "SECONDS_MAX", 0.2)
    async with playing(silence) as server:
        with pytest.raises(Unreachable, match="it may be done, so look first"):
            await asked(server.url, "tasks", "t-1", "resolution", body={})


async def test_who_is_not_there_is_told_with_the_setting():
    with pytest.raises(Unreachable, match=r"cannot reach .* see PAYMENT_API_URL"):
        await asked("http://127.0.0.1:1", "cases", method="GET")


async def test_a_certificate_that_nobody_vouches_for_gets_no_key(tmp_path):
    names = certificate(tmp_path, authority(tmp_path, "Other Root"), "localhost")
    async with playing(saying(with_length(b"{}")), ssl=names.server()) as server:
        url = server.url.replace("127.0.0.1", "localhost")
        with pytest.raises(Unreachable, match="its certificate is refused"):
            await asked(url, "cases", method="GET")

    assert server.heard == []


async def test_an_open_key_goes_past_every_proxy(monkeypatch):
    async with playing(saying(with_length(b"{}"))) as server, proxied() as proxy:
        monkeypatch.setenv("ALL_PROXY", proxy.url)
        await asked(server.url, "cases", method="GET")

    assert len(server.heard) == 1
    assert proxy.asked == []


async def test_a_secured_key_goes_through_the_proxys_tunnel(monkeypatch, tmp_path):
    root = authority(tmp_path, "Root")
    served = certificate(tmp_path, root, "localhost").server()
    monkeypatch.setenv("SSL_CERT_FILE", str(root.pem))
    async with (
        playing(saying(with_length(b"{}")), ssl=served) as server,
        proxied() as proxy,
    ):
        monkeypatch.setenv("ALL_PROXY", proxy.url)
        url = server.url.replace("127.0.0.1", "localhost")
        await asked(url, "cases", method="GET")

    assert proxy.asked == [("CONNECT", url.removeprefix("https://"))]
    assert KEY.encode() not in proxy.passed


@pytest.fixture
def settings(monkeypatch):
    """Read settings with these variables and no other."""

    def read(**variables):
        for name in BOTH:
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        return Settings.read(env_file=None)

    return read


def test_both_settings_give_access_and_neither_gives_none(settings):
    assert access_of(settings()) is None
    given = access_of(settings(**BOTH))

    assert given is not None
    assert given.url == "https://payments.example/base"
    assert KEY not in repr(given)


@pytest.mark.parametrize("name", BOTH)
def test_one_setting_alone_is_told_and_is_not_neither(settings, name):
    with pytest.raises(Usage, match=r"PAYMENT_API_\w+ is missing") as refused:
        access_of(settings(**{name: BOTH[name]}))

    assert describe(refused.value).exit_code == 2


@pytest.mark.parametrize(
    ("url", "open_to_others"),
    [
        ("http://payments.example", True),
        ("http://10.0.0.7:8000", True),
        ("http://localhost.example", True),
        ("http://127.0.0.1.example", True),
        ("http://0.0.0.0:8000", True),
        ("http://127.0.0.1:8000", False),
        ("http://localhost:8000", False),
        ("http://[::1]:8000", False),
        ("https://payments.example", False),
    ],
)
def test_a_key_travels_open_on_this_machine_alone(settings, url, open_to_others):
    given = settings(PAYMENT_API_URL=url, PAYMENT_API_KEY=KEY)
    if not open_to_others:
        assert access_of(given) is not None
        return

    with pytest.raises(Usage, match="PAYMENT_API_URL: http:// would show the key"):
        access_of(given)


def test_the_key_is_hidden_wherever_the_process_tells_of_it(settings):
    settings(**BOTH)

    told = describe(Wrong(f"it was {KEY}"))
    assert (told.line, told.exit_code) == ("it was ***", 1)
