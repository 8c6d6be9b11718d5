"""Prints the manual page of a command, sipwarden or sipwarden-collector, made from the help of its commands.

usage: packaging/manual.py COMMAND
"""

import sys
from collections.abc import Iterator

import typer.main

SECTIONS = r""".TH {title} 1 "" "sipwarden" "User Commands"
.SH NAME
{name} \- {what}
.SH SYNOPSIS
.B {name}
.I COMMAND
[\fIOPTION\fR]... [\fIARGUMENT\fR]...
.SH COMMANDS"""
WHAT = {
    "sipwarden": "call screening on SIP and RTP: flags fraud calls and says why",
    "sipwarden-collector": "central collector of what many boxes report",
}
TAIL = {
    "sipwarden": r""".SH FILES
.TP
.I /etc/sipwarden/sipwarden.toml, /etc/sipwarden/conf.d/*.toml
The configuration; every key is described in it.
.TP
.I /etc/sipwarden/credentials/
Keys, one a file, which systemd hands to the service.
.TP
.I /var/lib/sipwarden
Findings, the spool, the last snapshot.
.TP
.I /run/sipwarden/admin.sock
Where the commands ask the service.
.SH ENVIRONMENT
.TP
.B SIPWARDEN_CONFIG
The configuration, in place of the file under /etc.
.SH SEE ALSO
/usr/share/doc/sipwarden/OPERATING.md""",
    "sipwarden-collector": r""".SH FILES
.TP
.I /etc/sipwarden/collector.toml
The configuration; every key is described in it.
.TP
.I /var/lib/sipwarden-collector
The embedded store, the certificate authority, the key of the pseudonyms.
.SH ENVIRONMENT
.TP
.B SIPWARDEN_COLLECTOR_CONFIG
The configuration, in place of the file under /etc.
.SH SEE ALSO
/usr/share/doc/sipwarden-collector/COLLECTOR.md""",
}


def escaped(text: str) -> str:
    """Plain text for roff: no line of it is a request."""
    lines = text.replace("\\", r"\e").replace("-", r"\-").splitlines()
    return "\n".join(rf"\&{line}" if line.startswith((".", "'")) else line for line in lines)


def entries(command, path: str) -> Iterator[str]:
    """`command`, then those under it, each with its arguments and options."""
    if hasattr(command, "commands"):
        for name, inner in sorted(command.commands.items()):
            if not inner.hidden:
                yield from entries(inner, f"{path} {name}")
        return
    context = command.make_context(path, [], resilient_parsing=True)
    usage = " ".join(command.collect_usage_pieces(context))
    yield f'.SS "{escaped(path.partition(" ")[2])} {escaped(usage)}"'
    yield escaped((command.help or "").split("\n\n")[0])
    for parameter in command.params:
        record = parameter.get_help_record(context)
        if record is not None:
            yield f".TP\n.B {escaped(record[0])}\n{escaped(record[1]) or '.'}"


def application(name: str) -> typer.Typer:
    """The command of a name. Each is imported alone: the box's environment has not what the collector needs."""
    if name == "sipwarden":
        from appliance.cli import app as box  # noqa: PLC0415
        from appliance.client import commands  # noqa: PLC0415

        commands.add_to(box)
        return box
    from collector.cli import app as collector  # noqa: PLC0415

    return collector


def main(name: str) -> None:
    head = SECTIONS.format(title=escaped(name.upper()), name=escaped(name), what=WHAT[name])
    command = typer.main.get_command(application(name))
    print(head, *entries(command, name), TAIL[name], sep="\n", file=sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1])
