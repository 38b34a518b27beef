"""How a playground is stopped: by a signal, once, and in good order.

A second Ctrl-C would leave what the first was about to stop: it is heard, no more.
"""

import asyncio
import signal
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

T = TypeVar("T")
SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run_until_told(work: Coroutine[Any, Any, T], said: Callable[[str], None]) -> T:
    """Run the work; the first signal cancels it, and none hurries its end.

    ``said`` is told what goes on, in a line.

    :raises asyncio.CancelledError: a signal came.
    """

    async def until_told() -> T:
        task = asyncio.ensure_future(work)
        told = False

        def stop() -> None:
            nonlocal told
            said("Still stopping …" if told else "Stopping …")
            if not told:
                told = True
                task.cancel()

        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.add_signal_handler(number, stop)
        return await task

    return asyncio.run(until_told())


async def finished(*calls: Callable[[], object]) -> None:
    """Make the calls at once, each in a thread, and wait for all of them.

    A thread cannot be cancelled: whoever is cancelled here waits all the same, so that
    what a call has started is there to be stopped.
    """
    threads = [asyncio.create_task(asyncio.to_thread(call)) for call in calls]
    try:
        await asyncio.wait(threads)
    except asyncio.CancelledError:
        await asyncio.wait(threads)
        raise
    for thread in threads:
        thread.result()
