"""Builds the image that a Dockerfile describes: its own lines, in fresh folders."""

import re
import shutil
import subprocess
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.containers import cells, machine
from tests.containers.dockerfile import Instruction, NotUnderstoodError, instructions
from tests.containers.ignored import sent

_VARIABLE = re.compile(r"\$(\w+)|\$\{(\w+)\}")


class BuildError(Exception):
    """A line of the Dockerfile failed; what it said is in the message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How often to ask, and what; times in seconds."""

    test: tuple[str, ...] = ()
    interval: float = 30.0
    timeout: float = 30.0
    start_period: float = 0.0
    retries: int = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A root and how it is run."""

    root: Path
    env: Mapping[str, str] = field(default_factory=lambda: dict(machine.ENVIRONMENT))
    workdir: str = "/"
    uid: int = 0
    gid: int = 0
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    health: Health | None = None
    stop_signal: str = "SIGTERM"


def build(
    context: Path, folder: Path, base: Path, *, targets: Collection[str] = ()
) -> dict[str, Image]:
    """Replay ``context/Dockerfile`` in the folder; return the stages that are wanted.

    Without any that is its last one, by the name it has there or its number.
    """
    here = folder / "context"
    for path in sent(context):
        (here / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(context / path, here / path)
    replay = _Replay(here, folder, base)
    for instruction in instructions((context / "Dockerfile").read_text()):
        replay.follow(instruction)
    return replay.finish(targets)


class _Replay:
    def __init__(self, context: Path, folder: Path, base: Path) -> None:
        self._context, self._folder, self._base = context, folder, base
        self._stages: dict[str, Image] = {}
        self._stage = ""
        self.image = Image(root=base)

    def follow(self, line: Instruction) -> None:
        image = self.image
        match line.word:
            case "FROM":
                self._begin(line)
            case "RUN":
                self._run(line)
            case "COPY":
                self._copy(line)
            case "ENV":
                env = {n: _filled(v, image.env) for n, v in line.pairs.items()}
                self.image = replace(image, env={**image.env, **env})
            case "WORKDIR":
                (image.root / line.rest.lstrip("/")).mkdir(parents=True, exist_ok=True)
                self.image = replace(image, workdir=line.rest)
            case "USER":
                uid, _, gid = line.rest.partition(":")
                self.image = replace(image, uid=int(uid), gid=int(gid))
            case "ENTRYPOINT":
                self.image = replace(
                    image, entrypoint=tuple(line.exec_form()), command=()
                )
            case "CMD":
                self.image = replace(image, command=tuple(line.exec_form()))
            case "HEALTHCHECK":
                self.image = replace(image, health=_health(line))
            case "STOPSIGNAL":
                self.image = replace(image, stop_signal=line.rest)
            case "LABEL" | "EXPOSE":
                pass
            case other:
                raise NotUnderstoodError(f"line {line.line}: {other} is not replayed")

    def finish(self, targets: Collection[str]) -> dict[str, Image]:
        """Return the stages that are wanted; nothing comes of the others any more."""
        self._end_stage()
        wanted = {name: self._stages.pop(name) for name in targets or (self._stage,)}
        for image in self._stages.values():
            shutil.rmtree(image.root)
        return wanted

    def _begin(self, line: Instruction) -> None:
        self._end_stage()
        name, *named = line.words
        if name not in self._stages and machine.PLAYED.fullmatch(name) is None:
            raise NotUnderstoodError(
                f"line {line.line}: FROM {name}; this machine can play {machine.IMAGE}"
            )
        begun = self._stages.get(name, Image(root=self._base))
        root = self._folder / f"stage-{len(self._stages)}"
        _copy_all(begun.root, root)
        self._stage = named[1] if named else str(len(self._stages))
        self.image = replace(begun, root=root)

    def _end_stage(self) -> None:
        if self._stage:
            self._stages[self._stage] = self.image

    def _run(self, line: Instruction) -> None:
        cell = cells.Cell(
            root=str(self.image.root),
            argv=line.argv,
            env={"HOME": machine.HOME, **cells.client_environment(), **self.image.env},
            cwd=self.image.workdir,
            uid=self.image.uid,
            gid=self.image.gid,
            layered=False,
            mounts=cells.client_mounts(),
        )
        done = cells.run(cell)
        if done.returncode != 0:
            raise BuildError(f"line {line.line}: RUN {line.rest}\n{done.stdout}")

    def _copy(self, line: Instruction) -> None:
        *sources, to = line.words
        stage = line.flags.get("from")
        origin = self._stages[stage].root if stage else self._context
        place = self.image.root / Path(self.image.workdir, to).relative_to("/")
        for name in sources:
            source = origin / name.lstrip("/")
            if source.is_dir():
                _copy_all(source, place)
            elif source.is_file():
                into = place / source.name if to.endswith("/") else place
                into.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, into)
            else:
                raise BuildError(
                    f"line {line.line}: COPY {name}: not found in what is sent"
                )


def _copy_all(source: Path, into: Path) -> None:
    """Copy a tree of tens of thousands of files: Python takes many times as long."""
    into.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cp", "--archive", f"{source}/.", str(into)], check=True)


def _filled(text: str, env: Mapping[str, str]) -> str:
    return _VARIABLE.sub(lambda found: env.get(found[1] or found[2], ""), text)


def _health(line: Instruction) -> Health:
    word, _, test = line.rest.partition(" ")
    if word != "CMD":
        raise NotUnderstoodError(
            f"line {line.line}: HEALTHCHECK {word} is not replayed"
        )
    argv = replace(line, rest=test.strip()).exec_form()
    return health_from(
        ["CMD", *argv], {n.replace("-", "_"): v for n, v in line.flags.items()}
    )


def health_from(test: list[str], times: Mapping[str, str]) -> Health:
    """Read what a Dockerfile and a compose file say about a health check."""
    if test[0] == "CMD-SHELL":
        test = ["CMD", "/bin/sh", "-c", *test[1:]]
    known: dict[str, Any] = {
        name: int(value) if name == "retries" else _seconds(value)
        for name, value in times.items()
    }
    return Health(test=tuple(test[1:]), **known)


def _seconds(text: str) -> float:
    found = re.fullmatch(r"([0-9.]+)(ms|s|m)", text)
    if found is None:
        raise NotUnderstoodError(f"{text!r} is no duration that is understood here")
    return float(found[1]) * {"ms": 0.001, "s": 1.0, "m": 60.0}[found[2]]
