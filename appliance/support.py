"""What is sent to who helps with a box: how it is and how it is set up, without numbers and without secrets."""

import platform
import resource
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec

from appliance.doctor.check import Check
from appliance.log import SECRET, SECRET_FIELD
from appliance.status import Status

LIBRARIES = ("numpy", "tflite-runtime", "ai-edge-litert", "msgspec", "typer", "rich", "phonenumbers", "sdnotify")
# Of /proc/self/status: memory, threads, capabilities.
PROCESS_FIELDS = ("VmRSS", "VmHWM", "Threads", "CapEff", "voluntary_ctxt_switches", "nonvoluntary_ctxt_switches")


class Support(msgspec.Struct, frozen=True, kw_only=True):
    """The service's part of a support dump."""

    status: Status
    config: dict
    doctor: list[Check]
    metrics: str
    process: dict[str, str]


def without_secrets(settings: dict) -> dict:
    """A configuration whose secrets are not shown, at any depth."""
    return {
        key: without_secrets(value)
        if isinstance(value, dict)
        else SECRET
        if SECRET_FIELD.search(key) and value
        else value
        for key, value in settings.items()
    }


def versions() -> dict[str, str]:
    """Of sipwarden, of what it stands on, and of the machine."""
    found = {"python": sys.version.split()[0], "kernel": platform.release(), "machine": platform.machine()}
    for name in ("sipwarden", *LIBRARIES):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    try:
        release = Path("/etc/os-release").read_text()
        found["system"] = release.partition('PRETTY_NAME="')[2].partition('"')[0]
    except OSError:
        pass
    return found


def process_facts() -> dict[str, str]:
    """Of this process: the service when it is asked."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    facts = {"cpu_s": f"{usage.ru_utime + usage.ru_stime:.1f}"}
    for line in Path("/proc/self/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name in PROCESS_FIELDS:
            facts[name] = value.strip()
    return facts
