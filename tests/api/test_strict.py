"""What a call would not look at is refused or named, on every route of the router."""

import json

import pytest
from fastapi.routing import iter_route_contexts

from fsm.engine.words import CaseKind, CaseState, Kind, OrderState, State
from payment_service.api import params, strict
from payment_service.api.app import create_app
from payment_service.api.strict import StrictRoute
from payment_service.wire.no_cards import UNTOLD
from payment_service.wire.unknown import IGNORED
from tests.api.fakes import World, an_order, as_, calling, deps_of
from tests.wire.test_withdrawal import a_body as a_withdrawal

LENIENT = {"/webhooks/{provider}"}
HOLES = ("order", "order_id", "task_id", "item_id", "customer", "provider", "name")
WORDS = {
    ("/v1/orders", "state"): OrderState,
    ("/v1/orders", "task_state"): State,
    ("/v1/orders", "kind"): Kind,
    ("/v1/cases", "state"): CaseState,
    ("/v1/cases", "kind"): CaseKind,
}


def routes():
    """Return each call of the application, with the parameters that it knows."""
    for each in iter_route_contexts(create_app(deps_of(World())).routes):
        if each.path not in LENIENT:
            for method in sorted(each.methods or ()):
                yield method, each.path, each.original_route


def a_path(path):
    for hole in HOLES:
        path = path.replace(f"{{{hole}}}", "acme")
    return path


async def ask(session, method, path, query="", *, role=None, **more):
    role = role or ("upstream" if "partner-links" in path else None)
    for each in [role] if role else ["admin", "upstream"]:
        url = a_path(path) + query
        headers = {**as_(each), **more.pop("headers", {})}
        async with session.request(method, url, headers=headers, **more) as answer:
            text = await answer.text()
            if answer.status != 403 or each == "upstream":
                return answer.status, json.loads(text) if text[:1] == "{" else text
    raise AssertionError


def test_every_route_is_strict_but_those_of_strangers():
    every = list(iter_route_contexts(create_app(deps_of(World())).routes))

    lenient = {e.path for e in every if not isinstance(e.original_route, StrictRoute)}
    assert lenient == LENIENT
    assert len(every) > 30


async def test_a_parameter_that_there_is_not_is_422_with_those_that_there_are(world):
    world.put(an_order())
    async with calling(deps_of(world)) as session:
        for method, path, route in routes():
            for name in ("stat", "State", "LIMIT", "x" * 300, "4111111111111111"):
                where = (method, path, name)
                status, problem = await ask(session, method, path, f"?{name}=a")
                assert status == 422, where
                assert problem["detail"].count("no parameter that is known") == 1
                for known in route.known:
                    assert known in problem["detail"], where
                assert ("takes none" in problem["detail"]) == (not route.known)
                (error,) = problem["errors"]
                assert len(error["parameter"]) < 70
                assert "41111111" not in str(problem)
    assert not world.searches
    assert not world.said


async def test_a_parameter_twice_or_without_a_value_is_422(world):
    told = 0
    async with calling(deps_of(world)) as session:
        for method, path, route in routes():
            for name in route.known:
                for query, because in (
                    (f"?{name}=1&{name}=1", strict.TWICE),
                    (f"?{name}=", strict.EMPTY),
                    (f"?{name}", strict.EMPTY),
                ):
                    status, problem = await ask(session, method, path, query)
                    assert status == 422, (path, query)
                    assert problem["errors"] == [{"parameter": name, "detail": because}]
                    told += 1
    assert told > 60
    assert not world.searches


async def test_who_has_no_key_learns_of_no_parameter(world):
    async with calling(deps_of(world)) as session:
        for method, path, _ in routes():
            if path.startswith("/v1/"):
                async with session.request(method, a_path(path) + "?a=b") as answer:
                    assert answer.status == 401, path


async def test_a_body_of_a_get_is_422(world):
    """A search whose filters stand there would find everybody's orders."""
    asked = 0
    async with calling(deps_of(world)) as session:
        for method, path, _ in routes():
            if method == "GET":
                for sent in ({"json": {"state": "FAILED"}}, {"data": _chunks()}):
                    status, problem = await ask(session, method, path, **sent)
                    assert (status, problem["detail"]) == (422, strict.NO_BODY), path
                    asked += 1
    assert asked > 20
    assert not world.searches


async def _chunks():
    yield b"{}"


async def test_a_word_that_there_is_not_is_422_with_those_that_there_are(world):
    async with calling(deps_of(world)) as session:
        for (path, name), words in WORDS.items():
            first = next(iter(words)).value
            for typo in (f"{first}x", first.swapcase(), " "):
                status, problem = await ask(session, "GET", path, f"?{name}={typo}")
                assert status == 422
                for word in words:
                    assert word.value in problem["detail"], (path, name)
    assert not world.searches


async def test_a_provider_that_is_not_configured_is_named(world):
    async with calling(deps_of(world)) as session:
        status, page = await ask(session, "GET", "/v1/orders", "?provider=acmee")
        _, known = await ask(session, "GET", "/v1/orders", "?provider=acme")
        _, partner = await ask(session, "GET", "/v1/orders", "?provider=northbank")

    assert status == 200
    (warning,) = page["warnings"]
    assert warning["parameter"] == "provider"
    assert "acme, mute, northbank, zeta" in warning["detail"]
    assert "warnings" not in known
    assert "warnings" not in partner


async def test_a_cursor_goes_on_with_its_own_search_alone(world):
    world.put(an_order())
    world.service_trail = []
    first = "?state=ACTIVE&from=2026-01-01T00:00:00Z"
    async with calling(deps_of(world)) as session:
        _, page = await ask(session, "GET", "/v1/orders", first)
        cursor = page["next_cursor"]
        same = f"?cursor={cursor}&limit=7&from=2026-01-01T00%3A00%3A00Z&state=ACTIVE"
        assert (await ask(session, "GET", "/v1/orders", same))[0] == 200
        for path, other in (
            ("/v1/orders", "?"),
            ("/v1/orders", "?state=FAILED&from=2026-01-01T00:00:00Z&"),
            ("/v1/orders", f"{first}&customer_id=c-9&"),
            ("/v1/cases", "?"),
            ("/v1/dead-letters", "?"),
            ("/v1/service-events", "?"),
            ("/v1/keys", "?"),
        ):
            query = f"{other}cursor={cursor}"
            status, problem = await ask(session, "GET", path, query)
            assert status == 422, query
            assert params.OTHER_SEARCH in problem["detail"]
    assert [search.cursor for search in world.searches] == [None, "next"]


@pytest.mark.parametrize(
    ("wait", "status"), [("60s", 404), ("60001ms", 422), ("61s", 422), ("1h", 422)]
)
async def test_nobody_waits_for_longer_than_a_minute(world, wait, status):
    async with calling(deps_of(world)) as session:
        for method, path in (
            ("GET", "/v1/orders/{order}"),
            ("POST", "/v1/withdrawals"),
            ("POST", "/v1/checkouts"),
            ("POST", "/v1/partner-links"),
            ("POST", "/v1/partner-links/{order_id}/unlink"),
        ):
            if method == "POST" and status != 422:
                continue
            found, problem = await ask(
                session, method, path, f"?wait={wait}", role="upstream"
            )
            assert found == status, path
            if status == 422:
                assert problem["errors"][0]["parameter"] == "wait"
                assert "60s" in problem["detail"]
    assert not world.orders


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("from=2026-01-31T00:00:00", "no zone"),
        ("to=2026-01-31%2000:00:00", "no zone"),
        ("from=31.01.2026", "from: is not a time like"),
        ("from=1767225600", "from: is not a time like"),
        ("from=2026-02-01&to=2026-01-31", "from: is after the end"),
    ],
)
async def test_a_time_that_could_be_another_is_422(world, query, told):
    async with calling(deps_of(world)) as session:
        status, problem = await ask(session, "GET", "/v1/orders", f"?{query}")

    assert status == 422
    assert told in problem["detail"]
    assert not world.searches


async def test_what_is_not_known_of_a_body_is_named_and_nothing_refused_for_it(world):
    sent = a_withdrawal() | {"webhook_url": "https://x", "metadata": {"any": {"a": 1}}}
    sent["cascade"] = [{"provider": "acme", "slaa": "1m"}, {"provider": "zeta"}]
    sent["destination"] = {**sent["destination"], "name": "Max"}
    async with calling(deps_of(world)) as session:
        for wanted in (202, 200):
            status, told = await ask(
                session, "POST", "/v1/withdrawals", role="upstream", json=sent
            )
            assert status == wanted
            assert {each["pointer"] for each in told["warnings"]} == {
                "/cascade/0/slaa",
                "/destination/name",
                "/webhook_url",
            }
        _, whole = await ask(
            session, "POST", "/v1/withdrawals", role="upstream", json=a_withdrawal()
        )
    assert "warnings" not in whole


async def test_a_misspelt_key_is_named_beside_what_is_missing(world):
    sent = a_withdrawal() | {"amountt": 1}
    del sent["amount"]
    async with calling(deps_of(world)) as session:
        status, problem = await ask(
            session, "POST", "/v1/withdrawals", role="upstream", json=sent
        )
        assert status == 422
        assert [each["pointer"] for each in problem["errors"]] == ["/amount"]
        assert [each["pointer"] for each in problem["warnings"]] == ["/amountt"]

        pause = {"reason": "late", "form": "2h"}
        path = "/v1/providers/{name}/pause"
        status, told = await ask(session, "POST", path, json=pause)
        assert status == 200
        assert [each["pointer"] for each in told["warnings"]] == ["/form"]

        status, problem = await ask(session, "POST", path, json={"raeson": "x"})
        assert status == 422
        assert [each["pointer"] for each in problem["warnings"]] == ["/raeson"]


async def test_names_that_nobody_may_see_are_not_told(world):
    odd = {"4111111111111111": 1, "x" * 400: 2, "a/b~c": 3}
    odd |= {f"key{n}": n for n in range(40)}
    async with calling(deps_of(world)) as session:
        _, told = await ask(
            session,
            "POST",
            "/v1/withdrawals",
            role="upstream",
            json=a_withdrawal() | odd,
        )
    assert "41111111" not in str(told)
    assert len(str(told)) < 3000
    assert {"pointer": "", "detail": f"{UNTOLD} in it {IGNORED}"} in told["warnings"]
    assert "/a~1b~0c" in {each.get("pointer") for each in told["warnings"]}
    assert told["warnings"][-1] == {"detail": "and 22 more"}


async def test_a_header_that_means_nothing_here_is_named(world):
    """Whoever relies on it would pay twice: another order_id is another payout."""
    headers = {**as_("upstream"), "Idempotency-Key": "k-1", "X-Wait": "5s"}
    async with (
        calling(deps_of(world)) as session,
        session.post("/v1/withdrawals", json=a_withdrawal(), headers=headers) as answer,
    ):
        told = await answer.json()
    assert answer.status == 202
    warned = {each["parameter"]: each["detail"] for each in told["warnings"]}
    assert {*warned} == {"Idempotency-Key", "X-Wait"}
    assert "order_id" in warned["Idempotency-Key"]


async def test_a_key_twice_is_422(world):
    twice = json.dumps(a_withdrawal())[:-1] + ', "amount": 1}'
    async with calling(deps_of(world)) as session:
        status, _ = await ask(
            session, "POST", "/v1/withdrawals", role="upstream", data=twice
        )
    assert status == 422
    assert not world.orders


async def test_what_is_near_a_path_is_not_the_path(world):
    world.put(an_order())
    async with calling(deps_of(world)) as session:
        for path in ("/v1/orders/", "/v1//orders", "/V1/orders", "/v1/orders/w-1/"):
            status, _ = await ask(session, "GET", path)
            assert status == 404, path
        for method in ("PUT", "PATCH", "OPTIONS", "DELETE"):
            status, problem = await ask(session, method, "/v1/orders", role="admin")
            assert (status, problem["status"]) == (405, 405)
    assert not world.searches


async def test_every_503_says_when_to_come_again(world):
    world.down = True
    world.unready = ["nothing works"]
    seen = set()
    async with calling(deps_of(world)) as session:
        for method, path, _ in routes():
            for role in ("admin", "upstream"):
                sent = {} if method == "GET" else {"json": _any_body()}
                url = a_path(path).replace("/acme", f"/{an_order().queue_id}", 1)
                async with session.request(
                    method, url, headers=as_(role), **sent
                ) as answer:
                    again = answer.headers.get("Retry-After")
                    assert (answer.status == 503) == (again is not None), (path, again)
                    if answer.status == 503:
                        assert int(again) >= 1
                        seen.add(path)
    assert {"/readyz", "/v1/orders", "/v1/withdrawals", "/v1/cases"} <= seen


def _any_body():
    wish = {"reason": "r", "decision": "positive", "owner": "o"}
    return a_withdrawal() | wish
