"""How much one sender may do: token buckets, for as many senders as are remembered."""

import ipaddress
import threading
import time
from collections import OrderedDict

MAX_SENDERS = 10_000  # the one longest silent is forgotten, and starts with a full bucket again


def network_of(address: str) -> str:
    """What an address is counted under. Who has one address of IPv6 has its /64 (RFC 4291, 2.5.4), to come from a new
    one each time: all of it counts as one."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 4 or parsed.ipv4_mapped:
        return address
    return str(ipaddress.IPv6Network((int(parsed) >> 64 << 64, 64)))


class Buckets:
    """A bucket for each sender: `rate_per_s` flows in, up to `burst`. For any thread."""

    def __init__(self, rate_per_s: float, burst: float) -> None:
        self._rate = rate_per_s
        self._burst = burst
        self._lock = threading.Lock()
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()  # sender -> (level, at)

    def take(self, sender: str, amount: float = 1) -> float:
        """Takes `amount` and returns 0, or takes nothing and returns the seconds after which it would do.

        More than the bucket holds is given from a full one: the sender then waits accordingly longer.
        """
        now = time.monotonic()
        with self._lock:
            level, at = self._levels.pop(sender, (self._burst, now))
            level = min(self._burst, level + (now - at) * self._rate)
            wait = max(0.0, (min(amount, self._burst) - level) / self._rate)
            self._levels[sender] = (level if wait else level - amount, now)
            if len(self._levels) > MAX_SENDERS:
                self._levels.popitem(last=False)
            return wait
