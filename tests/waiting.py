"""Waiting in tests: for the very thing that is asserted next, with patience that a busy machine does not use up."""

import time
from collections.abc import Callable

# Not a measure of what is right: only how long a test that has failed takes to say so.
PATIENCE_S = 60.0


def until(true: Callable[[], object], patience_s: float = PATIENCE_S, why: Callable[[], object] | None = None) -> None:
    """Waits until `true()` is. `why` is asked what there was instead, when it never came."""
    end_s, pause_s = time.monotonic() + patience_s, 0.001
    while not true():
        assert time.monotonic() < end_s, why() if why else "it did not come true"
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, 0.05)
