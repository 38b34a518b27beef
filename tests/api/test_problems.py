import re

import pytest

from fsm.domain.errors import (
    BrokenInvariant,
    CoreUnavailable,
    StaleWrite,
    StoreUnavailable,
)
from tests.api.fakes import as_, calling, deps_of

SECRET_WORDS = "tok_canary at /srv/x.py line 7"


async def test_what_nobody_expected_is_500_and_says_nothing_inside(world, caplog):
    world.broken = ZeroDivisionError(SECRET_WORDS)
    async with (
        calling(deps_of(world)) as session,
        session.get("/v1/orders/w-1", headers=as_("viewer")) as answer,
    ):
        text = await answer.text()
        problem = await answer.json(content_type=None)
    assert (answer.status, answer.content_type) == (500, "application/problem+json")
    assert answer.headers["Cache-Control"] == "no-store"
    assert "canary" not in text
    assert "ZeroDivision" not in text
    assert world.reports == [(problem["correlation_id"], world.broken)]
    assert "canary" not in caplog.text


@pytest.mark.parametrize(
    ("failure", "status"),
    [
        (StoreUnavailable(SECRET_WORDS), 503),
        (CoreUnavailable("freeze", SECRET_WORDS), 503),
        (StaleWrite(SECRET_WORDS), 503),
        (BrokenInvariant(SECRET_WORDS), 500),
    ],
)
async def test_faults_are_answered_without_their_words(world, failure, status):
    world.broken = failure
    async with (
        calling(deps_of(world)) as session,
        session.get("/v1/orders/w-1", headers=as_("viewer")) as answer,
    ):
        assert answer.status == status
        assert "canary" not in await answer.text()
        assert ("Retry-After" in answer.headers) == (status == 503)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/v1/nothing", 404),
        ("GET", "/v1/orders/", 404),
        ("GET", "/docs", 404),
        ("GET", "/redoc", 404),
        ("DELETE", "/v1/orders", 405),
        ("GET", "/v1/withdrawals", 405),
        ("PUT", "/webhooks/acme", 405),
        ("POST", "/healthz", 405),
    ],
)
async def test_wrong_paths_and_methods_are_problems(world, method, path, status):
    async with calling(deps_of(world)) as session:
        headers = as_("viewer")
        async with session.request(method, path, headers=headers) as answer:
            problem = await answer.json(content_type="application/problem+json")
    assert answer.status == problem["status"] == status
    assert {"type", "title", "detail"} <= set(problem)
    assert ("Allow" in answer.headers) == (status == 405)


async def test_probes_tell_alive_from_able(world):
    async with calling(deps_of(world)) as session:
        world.unready = ["database"]
        async with session.get("/healthz") as answer:
            assert answer.status == 200
        async with session.get("/readyz") as answer:
            assert answer.status == 503
            assert (await answer.json(content_type=None))["problems"] == ["database"]
        async with session.get("/metrics") as answer:
            assert await answer.text() == "dlq_size 0\n"
            assert answer.headers["Content-Type"].startswith("text/plain; version=")


async def test_every_answer_has_the_security_headers(world):
    async with calling(deps_of(world)) as session:
        for path in ("/healthz", "/metrics", "/openapi.json", "/nowhere", "/v1/orders"):
            async with session.get(path) as answer:
                assert answer.headers["X-Content-Type-Options"] == "nosniff"
                assert answer.headers["X-Frame-Options"] == "DENY"
                policy = answer.headers["Content-Security-Policy"]
                assert re.match("default-src 'none'", policy)
