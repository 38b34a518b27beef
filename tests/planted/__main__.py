"""Plants every bug in turn and prints a table of who caught it, and how soon."""

import sys
import time

from tests.planted.bugs import BUGS
from tests.planted.catching import catch


def main() -> int:
    escaped = 0
    for name, bug in BUGS.items():
        began = time.perf_counter()
        caught = catch(name)
        seconds = time.perf_counter() - began
        escaped += caught is None
        told = f"{caught.after:32} {caught.what[:90]}" if caught else "ESCAPED"
        print(f"{name:55} | {bug.layer:17} | {seconds:5.1f} s | {told}", flush=True)  # noqa: T201 - what it is for
    print(f"{len(BUGS)} bugs planted, {escaped} escaped")  # noqa: T201 - as above
    return int(escaped > 0)


if __name__ == "__main__":
    sys.exit(main())
