"""A file read by a thread of its own, some blocks ahead of whoever works on them.

To copy a block from the page cache, and to inflate one, need no interpreter: both let go of its lock, and so does the
engine in its pass. The thread waits for a room to fill and is woken by the one that was left; nothing is polled.
"""

import threading
from collections.abc import Callable, Iterable
from queue import SimpleQueue
from typing import NamedTuple


class Block(NamedTuple):
    """What one read brought, and how the source stood behind it: later reads of the thread do not change that."""

    filled: int  # bytes that were put into the room; 0 at the end
    position: int  # bytes of the file that were read so far, as they lie on the disk
    problem: str | None  # why the source ended early


class ReadAhead:
    """Fills `rooms`, one after the other in their order, by `read`; the last block of a source is one of no bytes."""

    def __init__(self, read: Callable[[memoryview], Block], rooms: Iterable[memoryview]) -> None:
        self._read = read
        self._free: SimpleQueue[memoryview | None] = SimpleQueue()
        self._blocks: SimpleQueue[Block | Exception] = SimpleQueue()
        for room in rooms:
            self._free.put(room)
        self._thread = threading.Thread(target=self._run, name="read-ahead", daemon=True)
        self._thread.start()

    def next(self, left: memoryview) -> Block:
        """Gives back the room that was `left`, and waits for the next block. Raises what `read` raised in its place.

        Not to be asked again after that, nor after the last block.
        """
        self._free.put(left)
        block = self._blocks.get()
        if isinstance(block, Exception):
            raise block
        return block

    def close(self) -> None:
        """Waits for the thread to end: it fills at most the rooms that it still has."""
        self._free.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (room := self._free.get()) is not None:
            try:
                block = self._read(room)
            except Exception as error:
                self._blocks.put(error)
                return
            self._blocks.put(block)
            if block.filled == 0:
                return
