"""Memory in the long run: the short version of `make soak`."""

from appliance.config import Limits
from benchmarks.soak import MOST_GROWTH, soak

# Full within the first tenth of the time, as those of the long version are.
LIMITS = Limits(calls=32768, callers=1024, callees=1024, sources=64, findings=256)


def test_memory_does_not_grow_in_twenty_minutes_of_200_calls_a_second():
    outcome = soak(1200, 200, LIMITS)
    assert outcome.summary["calls"] == 1200 * 200
    assert outcome.summary["evicted"] > 300_000
    assert outcome.stored > 0
    assert outcome.dropped == 0
    assert outcome.growth < MOST_GROWTH
