"""Plays the desk: starts it, says where everything is, tells what happens, stops."""

import asyncio
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from payment_service.playground import world
from payment_service.playground.desk import told
from payment_service.playground.desk.live import events_told
from payment_service.playground.desk.neighbours import cast_of
from payment_service.playground.desk.own_tables import SIMULATOR, OwnTables
from payment_service.playground.embedded.process import (
    HOST,
    EmbeddedServerError,
    is_free,
)
from payment_service.playground.stopping import run_until_told
from payment_service.playground.world import Places, World

API_PORT: Final = 8000
PLACES: Final = Places(
    api=API_PORT, nats=4222, postgres=5432, core=8081, simulator=8082
)
"""The usual ports; one that is taken is said, and another is used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskOptions:
    """What `payment-service dev` was asked for."""

    port: int | None = None
    config: Path | None = None
    env_file: Path | None = None
    keep: Path | None = None
    as_json: bool = False
    quiet: bool = False


def run_desk(options: DeskOptions) -> int:
    """Run the desk until a signal; return 0, for to be stopped is its end.

    :raises ConfigError: one's own configuration cannot be used.
    :raises EmbeddedServerError: a server is not installed, or does not start.
    """
    own = OwnTables.read(options.config)
    places = _places(options)

    def said(line: str) -> None:
        stream = sys.stderr if options.as_json else sys.stdout
        stream.write(f"{line}\n")
        stream.flush()

    try:
        run_until_told(_played(options, own, places, said), said)
    except asyncio.CancelledError:
        kept = f"; {options.keep} has what it knew" if options.keep else ""
        said(f"Everything is stopped{kept}.")
    return 0


def _places(options: DeskOptions) -> Places:
    """Return where the desk is to be.

    :raises EmbeddedServerError: the port that was asked for is taken.
    """
    if options.port is not None and not is_free(options.port):
        raise EmbeddedServerError(
            f"--port {options.port}: something listens on {HOST}:{options.port} "
            "already: choose another one, or leave --port out"
        )
    folder = options.keep
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        # PostgreSQL may run as another user, who has to pass through.
        folder.chmod(0o711)
        folder = folder.resolve()
    return replace(PLACES, folder=folder, api=options.port or API_PORT)


async def _played(
    options: DeskOptions, own: OwnTables, places: Places, said: Callable[[str], None]
) -> None:
    said("Starting PostgreSQL, NATS, core, providers, services, partners, and this …")
    cast = cast_of(own, places.folder)
    async with world.opened(cast, places, name="desk") as bare:
        stage = _with_ways(bare, own)
        async with world.service(stage):
            with _env_file(options.env_file, stage):
                await events_told(
                    stage,
                    listening=lambda: _tell(stage, options, places, said),
                    said=_teller(options),
                )


def _with_ways(stage: World, own: OwnTables) -> World:
    """Add what one's own tables need: where the simulator is, and their modules."""
    env = {**stage.env, SIMULATOR: stage.simulator.url}
    if own.path is not None:
        modules = [str(own.path.parent), os.environ.get("PYTHONPATH", "")]
        env["PYTHONPATH"] = os.pathsep.join(filter(None, modules))
    return replace(stage, env=env)


def _tell(
    stage: World, options: DeskOptions, places: Places, said: Callable[[str], None]
) -> None:
    if options.as_json:
        sys.stdout.write(json.dumps(told.as_json(stage, places)) + "\n")
        sys.stdout.flush()
    else:
        said(told.in_words(stage, places, options.env_file))


def _teller(options: DeskOptions) -> Callable[[dict[str, Any]], None]:
    """Return what is done with each event: a line, as JSON, or nothing."""

    def tell(event: dict[str, Any]) -> None:
        line = json.dumps(event) if options.as_json else told.event_in_words(event)
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()

    return (lambda _: None) if options.quiet else tell


@contextmanager
def _env_file(path: Path | None, stage: World) -> Iterator[None]:
    """Keep the exports in a file for as long as the desk is up; it has keys in it."""
    if path is None:
        yield
        return
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(fresh, os.O_CREAT | os.O_WRONLY, 0o600), "w") as file:
            file.write(told.exports_of(stage) + "\n")
        # Whoever waits for it finds all of it, or none.
        fresh.replace(path)
        yield
    finally:
        fresh.unlink(missing_ok=True)
        path.unlink(missing_ok=True)
