"""`sipwarden-collector boxes`: the fleet, one box, and its end."""

import time
from typing import Annotated, Any

import msgspec
import typer

from collector.shell import AsJson, actor, open_store, print_pages, print_rows, visible, when

NOTHING = "-"

boxes = typer.Typer(no_args_is_help=True, help="The boxes that report here.")


@boxes.command("list")
def list_boxes(as_json: AsJson = False) -> None:
    """List the boxes."""
    columns = {
        "box": lambda box: box.name,
        "state": lambda box: box.state,
        "last report": lambda box: when(box.last_report_ns),
        "version": lambda box: (box.health or {}).get("version", NOTHING),
        "clock ms": lambda box: NOTHING if box.clock_offset_ms is None else box.clock_offset_ms,
        "reports": lambda box: box.items,
        "lost": lambda box: box.lost,
    }
    nothing = "No boxes: `sipwarden-collector token create` says how one is enrolled."
    print_pages(open_store().fleet.boxes, as_json, columns, nothing)


@boxes.command("show")
def show_box(name: str, as_json: AsJson = False) -> None:
    """Show one box with its certificates and its last health report. Times of JSON are in nanoseconds since 1970."""
    fleet = open_store().fleet
    box = fleet.box(name)
    certificates = fleet.certificates(box.id)
    if as_json:
        print(msgspec.json.encode({"box": box, "certificates": certificates}).decode())
        return
    _print_fields(
        {
            "box": box.name,
            "state": "silent" if box.silent(time.time_ns()) else box.state,
            "enrolled": when(box.enrolled_ns),
            "revoked": when(box.revoked_ns),
            "last report": when(box.last_report_ns),
            "address": box.address or NOTHING,
            "clock": NOTHING if box.clock_offset_ms is None else f"{box.clock_offset_ms:+} ms",
            "reports": box.items,
            "lost": box.lost,
        }
    )
    print(f"\nlast health report: {when(box.health_ns)}")
    _print_fields({key: _words(value) for key, value in (box.health or {}).items() if key not in ("type", "time")})
    print("\ncertificates, newest first")
    columns = {
        "serial": lambda one: one.serial,
        "from": lambda one: when(one.not_before_ns),
        "until": lambda one: when(one.not_after_ns),
        "revoked": lambda one: when(one.revoked_ns),
        "reason": lambda one: one.reason or NOTHING,
    }
    print_rows(certificates, False, columns, "None.")


@boxes.command("revoke")
def revoke_box(name: str, reason: Annotated[str, typer.Option(help="For the record.")] = "revoked") -> None:
    """Void the certificates of a box: it is refused from its next report on."""
    open_store().fleet.revoke(name, actor(), reason[:32])
    print(f"{name} is revoked")


def _print_fields(fields: dict[str, Any]) -> None:
    width = max(map(len, fields), default=0)
    for name, value in fields.items():
        print(visible(f"{name.replace('_', ' '):{width}}  {value}"))


def _words(value: Any) -> Any:
    """A value of a health report, for people."""
    if isinstance(value, list):
        return "; ".join(map(str, value)) or "none"
    return NOTHING if value in (None, "") else value
