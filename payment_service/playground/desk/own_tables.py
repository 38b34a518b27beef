"""One's own configuration on the desk: its tables stand beside the desk's, or for them.

`${DESK_SIMULATOR_URL}/NAME` in it is a provider of its name that the simulator plays.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from providers.config import ConfigError, parse_config
from providers.config.file import read_raw

SIMULATOR: Final = "DESK_SIMULATOR_URL"
ACK_WAIT: Final = timedelta(seconds=30)
"""That of the settings, which the desk leaves as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnTables:
    """A file of one's own, read as the TOML that it is."""

    path: Path | None = None
    text: str = ""
    raw: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path | None) -> "OwnTables":
        """Read the file.

        :raises ConfigError: it cannot be read, or is not TOML.
        """
        if path is None:
            return cls()
        raw = read_raw(path, named_by="--config")
        return cls(path=path.resolve(), text=path.read_text(), raw=raw)

    @property
    def providers(self) -> tuple[str, ...]:
        """Return those that the desk does not have."""
        return tuple(self.raw.get("providers", {}))

    def lets_collect(self, name: str) -> bool:
        """Tell whether a provider of the desk's collects: not without a `charge`."""
        own = self._section("providers").get(name)
        return not isinstance(own, dict) or "charge" in own

    def beside(self, desks: Mapping[tuple[str, str], str], simulator_url: str) -> str:
        """Return one text of both, without those of the desk's that are one's own too.

        :raises ConfigError: names what is wrong with one's own, by table and key.
        """
        others = [
            text
            for (section, name), text in desks.items()
            if name not in self._section(section)
        ]
        text = "\n".join([self.text, *others])
        environment = {**os.environ, SIMULATOR: simulator_url}
        try:
            parse_config(text, ack_wait=ACK_WAIT, environment=environment)
        except ConfigError as error:
            whose = "the desk" if self.path is None else f"--config {self.path}"
            raise ConfigError([f"{whose}: {each}" for each in error.problems]) from None
        return text

    def _section(self, name: str) -> Mapping[str, Any]:
        found = self.raw.get(name, {})
        return found if isinstance(found, dict) else {}
