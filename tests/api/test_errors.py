"""Programs find what is wrong with a request by `errors`: pointers and parameters."""

from dataclasses import replace

import pytest

from fsm.domain.field_errors import in_body, pointer_to
from fsm.domain.keys import KeyRole
from payment_service.api.keyring import Keyring
from payment_service.wire.checkout import EXAMPLE as CHECKOUT
from payment_service.wire.models import PROBLEMS_MAX
from payment_service.wire.partner import EXAMPLE as LINK
from payment_service.wire.withdrawal import EXAMPLE
from tests.api.fakes import WallClock, an_order, api_keys, as_, calling, deps_of

CARD = "4111111111111111"
PATHS = {
    "w": ("/v1/withdrawals", EXAMPLE),
    "c": ("/v1/checkouts", CHECKOUT),
    "l": ("/v1/partner-links", LINK),
}
WISHES = {
    "/v1/orders/w-1/cancel": ("support", {"reason": ""}, "/reason"),
    "/v1/tasks/0195f2c4-7c1e-7d52-b3a6-5f0f3f1d2a10/resolution": (
        *("support", {"decision": "perhaps", "reason": "x"}, "/decision"),
    ),
    "/v1/keys": ("admin", {"name": "ann", "role": "king"}, "/role"),
    "/v1/four-eyes": ("admin", {"currency": "XXQ", "from": 1}, "/currency"),
    "/v1/providers/acme/pause": ("admin", {"reason": "x", "for": "now"}, "/for"),
}


def resolved(document, parts):
    """Follow a JSON pointer as RFC 6901 says; raise where it leads nowhere."""
    for part in parts:
        name = part.replace("~1", "/").replace("~0", "~")
        document = document[int(name) if isinstance(document, list) else name]
    return document


async def refusal(session, path, role, **more):
    method = "POST" if more else "GET"
    headers = as_(role)
    async with session.request(method, path, headers=headers, **more) as answer:
        assert answer.content_type == "application/problem+json"
        return answer.status, await answer.json(content_type=None)


@pytest.mark.parametrize(
    ("kind", "changes", "pointers"),
    [
        ("w", {"amount": "12550"}, ["/amount"]),
        ("w", {"order_id": 1, "currency": "EURO"}, ["/currency", "/order_id"]),
        ("w", {"destination": {"type": "card"}}, ["/destination/token"]),
        ("w", {"destination": []}, ["/destination"]),
        ("w", {"cascade": [{"provider": "nobody"}]}, ["/cascade/0/provider"]),
        (
            *("w", {"cascade": [EXAMPLE["cascade"][0]] * 3}),
            ["/cascade/1", "/cascade/2"],
        ),
        ("w", {"metadata": {"a/b~": [0, CARD]}}, ["/metadata/a~1b~0/1"]),
        # The pointer to what nobody may see ends before its name.
        ("w", {"metadata": {"a": {CARD: 1}}}, ["/metadata/a"]),
        ("w", {"metadata": {"n" * 65: {"b": CARD}}}, ["/metadata"]),
        ("c", {"amount": 1}, ["/amount"]),
        ("c", {"items": [{"sku": "a"}]}, ["/items/0/quantity"]),
        ("c", {"delivery": {"to": {"n": CARD}}}, ["/delivery/to/n"]),
        ("l", {"partner": "nobody"}, ["/partner"]),
        ("l", {"card": {"token": "t", "bin": "x", "country": 1}}, None),
    ],
)
async def test_what_is_wrong_in_a_body_is_found_by_pointer(
    world, kind, changes, pointers
):
    path, example = PATHS[kind]
    body = {**example, **changes}
    async with calling(deps_of(world)) as session:
        status, problem = await refusal(session, path, "upstream", json=body)
    errors = problem["errors"]
    found = sorted(error["pointer"] for error in errors)

    assert status == 422
    assert found == (pointers or ["/card/bin", "/card/country"])
    for error in errors:
        assert error["detail"] in problem["detail"]
        # What is missing is missing within something that is there.
        is_missing = error["detail"].startswith("is missing")
        parts = error["pointer"].split("/")[1:]
        place = resolved(body, parts[:-1] if is_missing else parts)
        assert not is_missing or parts[-1] not in place
    assert CARD not in str(problem)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"a": 1, "a": 2}', b"\xff"])
@pytest.mark.parametrize("path", ["/v1/withdrawals", "/v1/orders/w-1/cancel"])
async def test_what_is_no_body_at_all_is_wrong_as_a_whole(world, data, path):
    async with calling(deps_of(world)) as session:
        status, problem = await refusal(session, path, "upstream", data=data)
    assert (status, [e["pointer"] for e in problem["errors"]]) == (422, [""])


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("orders?limit=0", "limit"),
        ("orders?limit=500&history=true", "limit"),
        ("orders?kind=gift", "kind"),
        ("orders?from=yesterday", "from"),
        ("orders?customer_id=", "customer_id"),
        ("orders?cursor=%00", "cursor"),
        ("orders/w-1?wait=soon", "wait"),
        ("cases?queue_id=w-1", "queue_id"),
        ("keys?limit=none", "limit"),
    ],
)
async def test_what_is_wrong_with_a_parameter_is_found_by_its_name(
    world, query, parameter
):
    world.put(an_order())
    role = "admin" if query.startswith("keys") else "viewer"
    async with calling(deps_of(world)) as session:
        status, problem = await refusal(session, f"/v1/{query}", role)
    (error,) = problem["errors"]
    assert (status, error["parameter"]) == (422, parameter)
    assert problem["detail"] == f"{parameter}: {error['detail']}"
    assert "pointer" not in error


@pytest.mark.parametrize("path", WISHES)
async def test_what_people_ask_for_is_told_the_same_way(world, path):
    world.put(an_order())
    role, body, pointer = WISHES[path]
    async with calling(deps_of(world)) as session:
        status, problem = await refusal(session, path, role, json=body)
    assert (status, problem["errors"][0]["pointer"]) == (422, pointer)


async def test_a_conflict_and_anothers_merchant_have_their_places(world):
    upstream = next(key for key in api_keys() if key.role is KeyRole.UPSTREAM)
    bound = Keyring((replace(upstream, merchants=frozenset({"m-1"})),), WallClock())
    async with calling(deps_of(world, keys=bound)) as session:
        path = "/v1/withdrawals"
        async with session.post(path, json=EXAMPLE, headers=as_("upstream")):
            pass
        changed = {**EXAMPLE, "amount": 1}
        status, problem = await refusal(session, path, "upstream", json=changed)
        assert (status, problem["errors"]) == (
            409,
            [{"pointer": "/order_id", "detail": problem["error"]}],
        )
        foreign = {**EXAMPLE, "merchant_id": "m-7"}
        status, problem = await refusal(session, path, "upstream", json=foreign)
        assert (status, problem["errors"][0]["pointer"]) == (403, "/merchant_id")


async def test_no_more_are_told_than_the_text_tells(world):
    body = {**EXAMPLE, "cascade": [{"provider": f"p-{n}"} for n in range(60)]}
    async with calling(deps_of(world)) as session:
        _, problem = await refusal(session, "/v1/withdrawals", "upstream", json=body)
    assert len(problem["errors"]) == PROBLEMS_MAX
    assert problem["detail"].endswith("and 40 more")


def test_a_pointer_is_written_as_the_standard_says():
    assert pointer_to(()) == ""
    assert pointer_to(("a", 0, "", "m~n/o")) == "/a/0//m~0n~1o"
    assert str(in_body(("a", 0, "b"), "is odd")) == "a[0].b: is odd"
