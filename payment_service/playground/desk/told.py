"""What the desk prints: exports, addresses, commands to copy, a line for each event."""

import json
import os
import shlex
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from payment_service.playground.world import Places, World

PROGRAM: Final = "payment-service"
WITHDRAWAL: Final[Mapping[str, Any]] = {
    "merchant_id": "m-1",
    "customer_id": "c-1",
    "amount": 12550,
    "currency": "EUR",
    "destination": {"type": "card", "token": "tok_sim:accept_then_succeed"},
    "cascade": [{"provider": "acme"}, {"provider": "zeta"}],
}
TOKENS: Final[Mapping[str, str]] = {
    "tok_sim:succeed": "is paid at once",
    "tok_sim:accept_then_succeed": "is paid after 2 s, which a webhook says",
    "tok_sim:acme=decline,zeta=succeed": "is declined by one and paid by the next",
    "tok_sim:accept_silence": "ends in a manual check after 8 s: `task resolve`",
}
EXPORTED: Final = (
    "PAYMENT_DATABASE_URL",
    "PAYMENT_NATS_URL",
    "PAYMENT_CORE_URL",
    "PAYMENT_CORE_TOKEN",
    "PAYMENT_CONFIG",
    "PAYMENT_HTTP_HOST",
    "PAYMENT_HTTP_PORT",
    "PAYMENT_PUBLIC_URL",
    "PAYMENT_API_KEYS",
    "DESK_SIMULATOR_URL",
)


def variables_of(stage: World) -> dict[str, str]:
    """Return what another terminal needs, for curl and for `payment-service`."""
    return {
        **{name: stage.env[name] for name in EXPORTED},
        "PAYMENT_API_URL": stage.api_url,
        # Of the one that decides about checks and cases; the others beside it.
        "PAYMENT_API_KEY": stage.keys["admin"],
        **{f"{role.upper()}_KEY": key for role, key in stage.keys.items()},
        **_path(),
    }


def exports_of(stage: World) -> str:
    """Return it as lines for a shell."""
    return "\n".join(
        f"export {name}={value if name == 'PATH' else shlex.quote(value)}"
        for name, value in variables_of(stage).items()
    )


def _path() -> dict[str, str]:
    """Return the way to the command, where the shell does not know it."""
    here = Path(sys.executable).parent
    found = shutil.which(PROGRAM)
    if found is not None and Path(found).parent == here:
        return {}
    return {"PATH": f'{shlex.quote(str(here))}:"$PATH"'}


def commands_of(stage: World) -> dict[str, str]:
    """Return three commands to copy: by HTTP, by NATS, and a look at the first."""
    by_http = json.dumps({"order_id": "w-1", **WITHDRAWAL})
    by_nats = json.dumps({"order_id": "w-2", **WITHDRAWAL})
    return {
        "a withdrawal by HTTP": (
            f"curl -sS {stage.api_url}/v1/withdrawals "
            '-H "Authorization: Bearer $UPSTREAM_KEY" '
            f"-H 'Content-Type: application/json' -d {shlex.quote(by_http)}"
        ),
        "a withdrawal by NATS": f"{PROGRAM} simulator upstream {shlex.quote(by_nats)}",
        "what became of the first, and why": f"{PROGRAM} order show w-1",
    }


def addresses_of(stage: World) -> dict[str, str]:
    """Return where everything is."""
    return {
        "API": stage.api_url,
        "NATS": stage.nats_url,
        "PostgreSQL": stage.database_url.rpartition("@")[2],
        "core": stage.core.url,
        "providers, services, partners": stage.simulator.url,
    }


def taken(stage: World, places: Places) -> list[str]:
    """Return which of the usual ports were taken, and what is used instead."""
    wanted = {
        "API": places.api,
        "NATS": places.nats,
        "PostgreSQL": places.postgres,
        "core": places.core,
        "providers, services, partners": places.simulator,
    }
    return [
        f"Port {wanted[name]} is taken: {name} is at {address}."
        for name, address in addresses_of(stage).items()
        if f":{wanted[name]}" != ":" + address.rpartition(":")[2].partition("/")[0]
    ]


def as_json(stage: World, places: Places) -> dict[str, Any]:
    """Return all of it for programs."""
    return {
        "addresses": addresses_of(stage),
        "keys": dict(stage.keys),
        "exports": {n: v for n, v in variables_of(stage).items() if n != "PATH"},
        "commands": commands_of(stage),
        "taken": taken(stage, places),
        "folder": str(stage.folder),
    }


def in_words(stage: World, places: Places, env_file: Path | None) -> str:
    """Return all of it for people; the exports can be pasted as they stand."""
    return "\n".join(_lines(stage, places, env_file))


def _lines(stage: World, places: Places, env_file: Path | None) -> Iterator[str]:
    yield "The desk is up. No money here is real, and its keys are good for it alone."
    yield from taken(stage, places)
    yield ""
    for name, address in addresses_of(stage).items():
        yield f"  {name:<30} {address}"
    yield f"  {'its log':<30} {stage.folder / 'service.log'}"
    yield ""
    if env_file is None:
        yield "In another terminal:"
        yield ""
        yield exports_of(stage)
    else:
        yield f"In another terminal:  . {shlex.quote(_sourced(env_file))}"
    yield "\nThen, to copy:"
    for name, command in commands_of(stage).items():
        yield f"\n# {name}\n{command}"
    yield "\nThe destination's token says what happens:"
    for token, does in TOKENS.items():
        yield f"  {token:<34} {does}"
    yield f"  {'all there are':<34} {PROGRAM} simulator scripts"
    yield "\nCtrl-C ends it. What happens to orders:"


def _sourced(path: Path) -> str:
    """Return the path as `.` finds it: without a slash it is sought in PATH."""
    return str(path) if os.sep in str(path) else f"./{path}"


def event_in_words(event: Mapping[str, Any]) -> str:
    """Return a line about an event, with what to type where a person is asked."""
    kind, _, what = str(event.get("type")).partition(".")
    at = str(event.get("at"))[11:19]
    who = str(event.get("order_id"))
    details = [str(event[name]) for name in ("provider", "code") if event.get(name)]
    line = f"{at}  {kind} {who}  {what.replace('_', ' ')}  {' '.join(details)}".rstrip()
    if what == "manual_check":
        task = event.get("task_id")
        line += f"\n          {PROGRAM} task resolve {task} positive --reason 'seen'"
    return line
