"""Searches every small world and prints what was found."""

import sys

from tests.model.charges import CHARGES, WIDE_CHARGES
from tests.model.checker import Setup, check
from tests.model.households import HOUSEHOLDS, WIDE
from tests.model.links import LINKS
from tests.model.sagas import SAGAS, WIDE_SAGAS
from tests.model.setups import SETUPS


def main() -> int:
    """Search the worlds of the engine, then those of each flow."""
    sagas = (*SAGAS, *WIDE_SAGAS, *CHARGES, *WIDE_CHARGES, *LINKS)
    verdicts, worlds = [], list[Setup]([*HOUSEHOLDS, *WIDE, *sagas, *SETUPS])
    for setup in worlds:
        verdicts.append(check(setup))
        print(verdicts[-1], flush=True)  # noqa: T201 - what it is for
    states = sum(verdict.states for verdict in verdicts)
    edges = sum(verdict.edges for verdict in verdicts)
    seconds = sum(verdict.seconds for verdict in verdicts)
    print(f"all: {states} states, {edges} edges, {seconds:.1f} s")  # noqa: T201
    return int(any(verdict.broken for verdict in verdicts))


if __name__ == "__main__":
    sys.exit(main())
