"""Garbage that refers to itself: Python looks for it at moments of its own choosing, which a live box cannot have.

To look through everything takes tens of milliseconds with the interpreter held, while packets wait. So what is there
after the start is never looked at again. What came since is at set times, before it is much, and everything since the
start once an hour. All other memory is given back at once, as its last reference goes.
"""

import asyncio
import gc

YOUNG_S = 0.5
ALL_S = 3600.0
MIDDLE_GENERATION = 1


async def collect() -> None:
    """A chore of the event loop, for as long as the service runs. What is there when it begins is taken to stay."""
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        while True:
            for _ in range(round(ALL_S / YOUNG_S)):
                await asyncio.sleep(YOUNG_S)
                gc.collect(MIDDLE_GENERATION)
            gc.collect()
    finally:
        gc.enable()
        gc.unfreeze()
