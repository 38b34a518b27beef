"""An append-only file of JSON lines that is whole again after its process is killed."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson


class Journal:
    """Each append is one unbuffered write: what was answered for is with the kernel.

    Without a path nothing is kept, and reading finds nothing.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        self._path = Path(path) if path is not None else None
        self._file: int | None = None

    def read(self) -> Iterator[dict[str, Any]]:
        """Yield the lines; one torn by a kill, which nobody was told of, is cut off."""
        if self._path is None or not self._path.exists():
            return
        whole_bytes = 0
        with self._path.open("rb") as lines:
            for line in lines:
                if not line.endswith(b"\n"):
                    break
                whole_bytes += len(line)
                yield orjson.loads(line)
        os.truncate(self._path, whole_bytes)

    def append(self, *lines: object) -> None:
        """Write the lines in one go, so that a kill keeps all or cuts the end."""
        if self._path is None:
            return
        if self._file is None:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
            self._file = os.open(self._path, flags, 0o600)
        os.write(
            self._file,
            b"".join(orjson.dumps(x, option=orjson.OPT_APPEND_NEWLINE) for x in lines),
        )

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None
