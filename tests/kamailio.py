"""A Kamailio that sends copies of its traffic as HEP, and sipp at both of its sides."""

import os
import signal
import subprocess
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.waiting import PATIENCE_S, until

PROXY = "127.0.0.1:5060"
# What the user part of the request line leads to: the port of a sipp that behaves so.
CALLEES = {"answer": 5081, "busy": 5082, "ring": 5083}

MODULES = [Path(f"/usr/lib/{machine}-linux-gnu/kamailio/modules") for machine in ("x86_64", "aarch64")]

CONFIG = """#!KAMAILIO
debug=-1
log_stderror=yes
children=1
auto_aliases=no
mpath="/usr/lib/x86_64-linux-gnu/kamailio/modules/:/usr/lib/aarch64-linux-gnu/kamailio/modules/"
listen=udp:127.0.0.1:5060
loadmodule "tm.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "sl.so"
loadmodule "siputils.so"
loadmodule "siptrace.so"
modparam("siptrace", "trace_to_database", 0)
modparam("siptrace", "trace_on", 1)
modparam("siptrace", "trace_mode", 1)
modparam("siptrace", "hep_mode_on", 1)
modparam("siptrace", "hep_version", 3)
modparam("siptrace", "hep_capture_id", 7)
modparam("siptrace", "duplicate_uri", "sip:127.0.0.1:{hep_port}{parameters}")
request_route {{
    if (has_totag()) {{
        if (loose_route() || t_check_trans()) t_relay();
        exit;
    }}
    if (method == "CANCEL") {{
        if (t_check_trans()) t_relay();
        exit;
    }}
    record_route();
    {routes}
    t_relay();
}}
"""


# Kamailio speaks TLS to others when it listens for it itself.
TLS = """enable_tls=yes
listen=tls:127.0.0.1:5061
loadmodule "tls.so"
modparam("tls", "config", "{folder}/tls.cfg")
"""
TLS_ENDS = """[server:default]
certificate = {certificate}
private_key = {key}
[client:default]
verify_certificate = yes
ca_list = {certificate}
"""


def config(hep_port, tls="", parameters=""):
    routes = "\n    ".join(f'if ($rU == "{user}") $du = "sip:127.0.0.1:{port}";' for user, port in CALLEES.items())
    text = CONFIG.format(hep_port=hep_port, routes=routes, parameters=parameters)
    return text.replace("loadmodule", f"{tls}loadmodule", 1)


@contextmanager
def running(command, folder):
    """`command` and what it starts, until the block ends."""
    with (folder / f"{Path(command[0]).name}.log").open("ab") as log:
        process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def until_bound(port, process):
    """Waits until somebody of this network has the UDP port."""

    def is_bound():
        assert process.poll() is None, f"{process.args[0]} has ended"
        return f":{port:04X} " in Path("/proc/thread-self/net/udp").read_text()

    until(is_bound, why=lambda: f"{process.args[0]} does not listen")


# A registrar that knows the users 100 to 109, each with a password of its own.
REGISTRAR = """#!KAMAILIO
debug=-1
log_stderror=yes
children=1
auto_aliases=no
mpath="/usr/lib/x86_64-linux-gnu/kamailio/modules/:/usr/lib/aarch64-linux-gnu/kamailio/modules/"
listen=udp:127.0.0.1:5060
loadmodule "pv.so"
loadmodule "sl.so"
loadmodule "siputils.so"
loadmodule "auth.so"
request_route {
    if (method == "ACK") exit;
    if (method == "REGISTER" && $tU =~ "^10[0-9]$") {
        if (!pv_www_authenticate("example.org", "of its own: $tU", "0")) www_challenge("example.org", "0");
        else sl_send_reply("200", "OK");
        exit;
    }
    if (method == "OPTIONS" && $rU =~ "^10[0-9]$") {
        sl_send_reply("200", "OK");
        exit;
    }
    sl_send_reply({others});
}
"""


def proxy(folder, hep_port):
    return kamailio(folder, config(hep_port))


def tls_proxy(folder, hep_port, certificate, key):
    """It sends HEP over TLS, to nobody who does not show `certificate`."""
    (folder / "tls.cfg").write_text(TLS_ENDS.format(certificate=certificate, key=key))
    return kamailio(folder, config(hep_port, TLS.format(folder=folder), ";transport=tls"))


def registrar(folder, others='"404", "Not Found"'):
    """`others`: what it says of all other users."""
    return kamailio(folder, REGISTRAR.replace("{others}", others))


@contextmanager
def kamailio(folder, text):
    path = folder / "kamailio.cfg"
    path.write_text(text)
    with running(
        ["kamailio", "-DD", "-E", "-f", str(path), "-Y", str(folder), "-P", str(folder / "pid")], folder
    ) as process:
        until_bound(5060, process)
        yield


def scenario(*steps):
    return (
        '<?xml version="1.0"?>\n<!DOCTYPE scenario SYSTEM "sipp.dtd">\n<scenario>\n'
        + "\n".join(steps)
        + "\n</scenario>\n"
    )


def reply(line, *, to_tag=";tag=[pid]sipp[call_number]", cseq="[last_CSeq:]", contact=True):
    lines = [
        line,
        "[last_Via:]",
        "[last_Record-Route:]",
        "[last_From:]",
        f"[last_To:]{to_tag}",
        "[last_Call-ID:]",
        cseq,
    ]
    lines += ["Contact: <sip:[local_ip]:[local_port]>"] if contact else []
    return _sent(lines)


def _sent(lines, attributes=""):
    text = "\n".join([*lines, "Content-Length: 0", "", ""])
    return f"<send {attributes}><![CDATA[\n{text}\n]]></send>"


def request(method, *, cseq=1, to="[peer_tag_param]", transaction=1, ruri="sip:[service]@[remote_ip]:[remote_port]"):
    """Those of transaction 1 have the branch of the INVITE (RFC 3261): itself, CANCEL, the ACK of a failure."""
    lines = [
        f"{method} {ruri} SIP/2.0",
        f"Via: SIP/2.0/UDP [local_ip]:[local_port];branch=z9hG4bK-[pid]-[call_number]-{transaction}",
        *(["[routes]"] if transaction > 1 else []),
        "From: <sip:+493012345678@127.0.0.1>;tag=[pid]sipp[call_number]",
        f"To: <sip:[service]@127.0.0.1>{to}",
        "Call-ID: [call_id]",
        f"CSeq: {cseq} {method}",
        "Contact: <sip:[local_ip]:[local_port]>",
        "Max-Forwards: 70",
    ]
    return _sent(lines, 'retrans="500"' if method != "ACK" else "")


def received(status, **attributes):
    said = " ".join(f'{name}="{value}"' for name, value in attributes.items())
    return f'<recv response="{status}" {said}></recv>'


def heard(method):
    return f'<recv request="{method}" rrs="true"></recv>'


def pause(milliseconds):
    return f'<pause milliseconds="{milliseconds}"/>'


OPTIONAL = {"optional": "true"}
INVITE = request("INVITE", to="")
SETUP = [INVITE, received(100, **OPTIONAL), received(180, **OPTIONAL)]
ANSWERED = [*SETUP, received(200, rrs="true"), request("ACK", transaction=2, ruri="[next_url]")]

# Caller -> what it does, and to whom.
CALLERS = {
    "completed": (
        "answer",
        scenario(*ANSWERED, pause(50), request("BYE", cseq=2, transaction=3, ruri="[next_url]"), received(200)),
    ),
    "answered": ("answer", scenario(*ANSWERED)),
    "rejected": ("busy", scenario(*SETUP, received(486), request("ACK"))),
    "cancelled": (
        "ring",
        scenario(
            INVITE,
            received(100, **OPTIONAL),
            received(180),
            pause(50),
            request("CANCEL", to=""),
            received(200),
            received(487),
            request("ACK"),
        ),
    ),
}
CALLEE_SCENARIOS = {
    "answer": scenario(
        heard("INVITE"),
        reply("SIP/2.0 180 Ringing"),
        reply("SIP/2.0 200 OK"),
        heard("ACK"),
        heard("BYE"),
        reply("SIP/2.0 200 OK", to_tag=""),
    ),
    "busy": scenario(heard("INVITE"), reply("SIP/2.0 486 Busy Here"), heard("ACK")),
    "ring": scenario(
        heard("INVITE"),
        reply("SIP/2.0 180 Ringing"),
        heard("CANCEL"),
        reply("SIP/2.0 200 OK", contact=False),
        reply("SIP/2.0 487 Request Terminated", cseq="CSeq: 1 INVITE", contact=False),
        heard("ACK"),
    ),
}


@contextmanager
def callee(folder, user, port):
    """A sipp that answers at `port` as `user` does."""
    path = folder / f"{user}.xml"
    path.write_text(CALLEE_SCENARIOS[user])
    with running(["sipp", "-sf", str(path), "-i", "127.0.0.1", "-p", str(port), "-nostdin"], folder) as process:
        until_bound(port, process)
        yield


def caller(folder, kind, calls):
    """The command of a sipp that makes calls of a kind through the proxy; their Call-IDs begin with the kind."""
    user, steps = CALLERS[kind]
    path = folder / f"call-{kind}.xml"
    path.write_text(steps)
    numbered = ["-m", str(calls), "-r", "20", "-cid_str", f"{kind}-%u-%p@%s", "-s", user]
    ends = ["-i", "127.0.0.1", "-p", "5070", "-nostdin", "-timeout", f"{PATIENCE_S:.0f}s"]
    return ["sipp", "-sf", str(path), *ends, *numbered, PROXY]
