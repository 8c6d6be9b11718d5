"""How much memory a configuration may take: what the tables come to when all are full, and the unit's limits by that.

ARCHITECTURE.md, "Bounds", lists the tables. The sum is an upper bound: memory is taken as slots are first used.
"""

from appliance.call_reasons import CALL_REASONS_BYTES
from appliance.config import Config
from appliance.findings import FINDING_BYTES
from appliance.live.recorder import QUEUE_BYTES
from kernels.calls import CALL_BYTES
from kernels.profiles import PROFILE_BYTES
from kernels.signalling import STYLE_BYTES
from kernels.subscribers import SUBSCRIBER_BYTES

MIB = 1 << 20
# Python, NumPy, the TFLite runtime, feature rows, and the tables that no key sizes.
PROGRAM_BYTES = 160 * MIB
# Of an index: twice the entries, rounded up to a power of two, of 24 bytes at most.
INDEX_BYTES = 4 * 24
# A stream with what is expected of it, and one that is being proved; a direction of a TCP connection.
STREAM_BYTES = 2 * 256 + 2 * 72
TCP_BYTES = 2 * 320
# Above the bound: where the kernel begins to slow the service down, and where it ends it. Neither is ever reached
# unless something is wrong; a snapshot is copied out in pieces.
HIGH, MAX = 1.25, 1.5
STEP_MIB = 64


def bound_bytes(config: Config) -> int:
    """The most that the service takes with `config`."""
    limits, capture = config.limits, config.capture
    tables = (
        (limits.calls, CALL_BYTES + CALL_REASONS_BYTES),
        (limits.callers, PROFILE_BYTES["caller"]),
        (limits.callees, PROFILE_BYTES["callee"]),
        (limits.sources, PROFILE_BYTES["source"] + STYLE_BYTES),
        (limits.subscribers, SUBSCRIBER_BYTES),
        (limits.findings, FINDING_BYTES),
        (limits.streams, STREAM_BYTES),
        (limits.tcp_connections, TCP_BYTES),
    )
    entries = sum(count * (size + INDEX_BYTES) for count, size in tables)
    rings = capture.ring_mib * MIB * len(capture.interfaces)
    return PROGRAM_BYTES + entries + limits.tcp_bytes + rings + QUEUE_BYTES


def unit_limits(config: Config) -> str:
    """A drop-in for sipwarden.service (systemd.resource-control) that suits `config`."""
    bound = bound_bytes(config)
    high, most = (STEP_MIB * -(-int(bound * share) // (STEP_MIB * MIB)) for share in (HIGH, MAX))
    return (
        f"# Made by `sipwarden check-config --unit`: the tables of this configuration take up to {bound // MIB} MiB.\n"
        f"[Service]\nMemoryHigh={high}M\nMemoryMax={most}M\nCPUQuota={100 * config.service.cpus}%\n"
    )
