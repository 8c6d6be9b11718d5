"""Prints the manual page sipwarden(1), made from the help of the commands themselves."""

import sys
from collections.abc import Iterator

import typer.main

from appliance import admin_commands
from appliance.cli import app

HEAD = r""".TH SIPWARDEN 1 "" "sipwarden" "User Commands"
.SH NAME
sipwarden \- call screening on SIP and RTP: flags fraud calls and says why
.SH SYNOPSIS
.B sipwarden
.I COMMAND
[\fIOPTION\fR]... [\fIARGUMENT\fR]...
.SH COMMANDS"""
TAIL = r""".SH FILES
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
/usr/share/doc/sipwarden/OPERATING.md"""


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
    yield f'.SS "{escaped(path.removeprefix("sipwarden "))} {escaped(usage)}"'
    yield escaped((command.help or "").split("\n\n")[0])
    for parameter in command.params:
        record = parameter.get_help_record(context)
        if record is not None:
            yield f".TP\n.B {escaped(record[0])}\n{escaped(record[1]) or '.'}"


def main() -> None:
    admin_commands.add_to(app)
    print(HEAD, *entries(typer.main.get_command(app), "sipwarden"), TAIL, sep="\n", file=sys.stdout)


if __name__ == "__main__":
    main()
