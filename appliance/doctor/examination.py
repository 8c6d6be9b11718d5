"""All checks together: by the service of itself, and from outside when it does not answer."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from appliance.admin.errors import AdminError
from appliance.config import Config
from appliance.doctor.check import Check, fail, ok
from appliance.doctor.host import host_checks
from appliance.doctor.interface import interface_checks
from appliance.doctor.packet_filter import filter_checks
from appliance.doctor.traffic import traffic_checks
from appliance.report import CallLine
from appliance.status import Status


def from_inside(config: Config, status: Status, calls: Sequence[CallLine]) -> list[Check]:
    """By the service itself. Takes a second; reads files, so that it belongs on a thread of its own."""
    return [
        ok("service", f"sipwarden {status.version} is running since {status.started[:19]}Z, mode {status.mode}"),
        *interface_checks(config.capture.interfaces, config.capture.promiscuous, running=True),
        *filter_checks(config.capture, sip_is_seen=status.traffic.sip_messages > 0),
        *traffic_checks(config, status, calls),
        *host_checks(config),
    ]


def from_outside(config: Config, why: AdminError) -> list[Check]:
    """What can be told while the service does not answer, and `why` it does not."""
    return [
        fail("service", why.message, why.hint),
        *_bundles(config),
        *interface_checks(config.capture.interfaces, config.capture.promiscuous, running=False),
        *filter_checks(config.capture, sip_is_seen=False),
        *host_checks(config),
        *_folder(Path(config.admin.socket).parent),
    ]


def _bundles(config: Config) -> Iterator[Check]:
    # NumPy and a TFLite runtime: only now are they needed
    from appliance.installed import InstalledBundles  # noqa: PLC0415
    from appliance.reload import scorers_of  # noqa: PLC0415
    from models.errors import ModelError  # noqa: PLC0415

    try:
        scorers = scorers_of(config, InstalledBundles(Path(config.service.state_dir)))
    except ModelError as error:
        yield fail("bundles", str(error), "sipwarden model verify; [screen] bundles names another folder")
    else:
        yield ok("bundles", ", ".join(scorer.bundle.label for scorer in scorers.values()))


def _folder(folder: Path) -> Iterator[Check]:
    if not folder.is_dir():
        yield fail(
            "socket", f"{folder} does not exist", "the unit makes it (RuntimeDirectory=sipwarden); by hand: --socket"
        )
