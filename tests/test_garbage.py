"""Garbage that refers to itself goes at set times while the service runs, and at Python's own before and after."""

import asyncio
import gc
import weakref
from contextlib import suppress

import pytest

from appliance.live import garbage
from tests.waiting import PATIENCE_S


class Cycle:
    """Refers to itself."""

    def __init__(self) -> None:
        self.itself = self


@pytest.mark.parametrize("young", [True, False])
def test_a_cycle_goes_at_the_next_set_time_and_not_before(monkeypatch, young):
    monkeypatch.setattr(garbage, "YOUNG_S", 0.02 if young else 1000.0)

    async def alive_after_a_while():
        chore = asyncio.ensure_future(garbage.collect())
        await asyncio.sleep(0)
        assert not gc.isenabled()
        seen = weakref.ref(Cycle())
        patience_s = PATIENCE_S if young else 0.2
        with suppress(TimeoutError):
            async with asyncio.timeout(patience_s):
                while seen() is not None:
                    await asyncio.sleep(0.01)
        chore.cancel()
        await asyncio.gather(chore, return_exceptions=True)
        return seen() is not None

    assert asyncio.run(alive_after_a_while()) is not young
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0
