"""Packet filters: tcpdump syntax, compiled by libpcap to the BPF program that the kernel runs.

libpcap is used as it is, through ctypes. A filter for the kernel is compiled for the live interface, because the kernel
keeps a VLAN tag beside the packet and not in it: only then does `vlan 100` ask in the right place. To check a filter,
and to try it on samples, none is needed.

A filter such as `udp port 5060` means packets without tags, to libpcap and tcpdump alike, and a mirror port that adds
tags would go unseen. So a filter that says nothing of tags is taken to hold at any depth of them, up to two. Tunnels
cannot be filtered inside by the kernel: a filter that would miss SIP in a tunnel is kept as it is, and `blind_spots`
says what it will not see.
"""

import ctypes
import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from appliance.sources.errors import FilterError, InterfaceError

LIBRARY = "libpcap.so.0.8"
ETHERNET = 1  # DLT_ values; these two are those of LINKTYPE_, too
RAW = 12  # DLT_RAW on Linux, whose LINKTYPE_ is 101
ERROR_BYTES = 256  # PCAP_ERRBUF_SIZE
UNKNOWN_NETMASK = 0xFFFFFFFF
# Instructions of the largest filter that the kernel takes: BPF_MAXINSNS.
MAXIMUM_INSTRUCTIONS = 4096

# A filter with one of these words looks at tags itself.
_TAG_WORDS = re.compile(r"\b(vlan|mpls|pppoes)\b", re.IGNORECASE)


class _Instruction(ctypes.Structure):
    """bpf_insn of libpcap, laid out as sock_filter of the kernel."""

    _fields_ = (("code", ctypes.c_ushort), ("jt", ctypes.c_ubyte), ("jf", ctypes.c_ubyte), ("k", ctypes.c_uint32))


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_uint), ("instructions", ctypes.POINTER(_Instruction)))


class _PacketHeader(ctypes.Structure):
    _fields_ = (
        ("seconds", ctypes.c_long),
        ("microseconds", ctypes.c_long),
        ("captured", ctypes.c_uint32),
        ("wire", ctypes.c_uint32),
    )


@cache
def _libpcap() -> ctypes.CDLL:
    try:
        library = ctypes.CDLL(LIBRARY)
    except OSError as error:
        raise FilterError(f"{LIBRARY}, which compiles filters, is not installed") from error
    handle, text = ctypes.c_void_p, ctypes.c_char_p
    for name, result, arguments in (
        ("pcap_open_dead", handle, (ctypes.c_int, ctypes.c_int)),
        ("pcap_create", handle, (text, text)),
        ("pcap_set_snaplen", ctypes.c_int, (handle, ctypes.c_int)),
        ("pcap_activate", ctypes.c_int, (handle,)),
        ("pcap_statustostr", text, (ctypes.c_int,)),
        ("pcap_compile", ctypes.c_int, (handle, ctypes.POINTER(_Program), text, ctypes.c_int, ctypes.c_uint32)),
        ("pcap_offline_filter", ctypes.c_int, (ctypes.POINTER(_Program), ctypes.POINTER(_PacketHeader), text)),
        ("pcap_geterr", text, (handle,)),
        ("pcap_freecode", None, (ctypes.POINTER(_Program),)),
        ("pcap_close", None, (handle,)),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def at_any_tag(expression: str) -> str:
    """The filter as it is meant: one that says nothing of tags holds behind up to two VLAN tags as well."""
    expression = expression.strip()
    if not expression or _TAG_WORDS.search(expression):
        return expression
    # each `vlan` moves what comes after it one tag further in (pcap-filter(7))
    return f"({expression}) or (vlan and ({expression})) or (vlan and ({expression}))"


def check(expression: str) -> None:
    """Raises FilterError, with libpcap's reason, unless `expression` is a filter for Ethernet."""
    _checked_text(expression)
    if not expression.strip():  # takes everything, without libpcap
        return
    # first as it was written: what libpcap says of the longer one would puzzle who wrote the short one
    for text in (expression, at_any_tag(expression)):
        with _offline_program(text, ETHERNET):
            pass


def for_interface(expression: str, interface: str, snaplen: int) -> bytes:
    """The program for an Ethernet interface that is up: sock_filter structures, one after the other.

    What it takes is cut to `snaplen` bytes. Names of hosts are looked up once, now. Raises FilterError and
    InterfaceError.
    """
    _checked_text(expression)
    library = _libpcap()
    message = ctypes.create_string_buffer(ERROR_BYTES)
    handle = library.pcap_create(interface.encode(), message)
    if not handle:
        raise InterfaceError(message.value.decode(errors="replace"))
    try:
        library.pcap_set_snaplen(handle, snaplen)
        status = library.pcap_activate(handle)
        if status < 0:  # above 0 is a warning
            said = library.pcap_geterr(handle) or library.pcap_statustostr(status)
            raise InterfaceError(said.decode(errors="replace"))
        with _program(handle, at_any_tag(expression)) as program:
            return _code(program)
    finally:
        library.pcap_close(handle)


def for_packets(expression: str, snaplen: int) -> bytes:
    """The same for interfaces whose link header the kernel takes off, so that packets begin with IP."""
    _checked_text(expression)
    with _offline_program(expression, RAW, snaplen) as program:
        return _code(program)


def everything(snaplen: int) -> bytes:
    """The program that takes every packet, cut to `snaplen` bytes."""
    return struct.pack("=HBBI", 0x06, 0, 0, snaplen)  # BPF_RET | BPF_K


def blind_spots(expression: str) -> list[str]:
    """What a filter that lets plain SIP through would not see of SIP in tunnels: names, for a warning.

    A filter for certain addresses says nothing about the samples, and nothing is said about it.
    """
    if not expression.strip():
        return []
    with _offline_program(at_any_tag(expression), ETHERNET) as program:
        if not _takes(program, _SIP):
            return []
        return [name for name, frame in _TUNNELLED.items() if not _takes(program, frame)]


def sees_sip(expression: str) -> bool:
    """Whether a SIP request from and to port 5060, between addresses of nobody, would come through."""
    with _offline_program(at_any_tag(expression), ETHERNET) as program:
        return _takes(program, _SIP)


def _checked_text(expression: str) -> None:
    if "\0" in expression:
        raise FilterError("a filter has no null bytes")


@contextmanager
def _offline_program(expression: str, link_type: int, snaplen: int = 65535) -> Iterator[_Program]:
    library = _libpcap()
    handle = library.pcap_open_dead(link_type, snaplen)
    try:
        with _program(handle, expression) as program:
            yield program
    finally:
        library.pcap_close(handle)


@contextmanager
def _program(handle: int, expression: str) -> Iterator[_Program]:
    library = _libpcap()
    program = _Program()
    if library.pcap_compile(handle, ctypes.byref(program), expression.encode(), 1, UNKNOWN_NETMASK) < 0:
        raise FilterError(library.pcap_geterr(handle).decode(errors="replace"))
    try:
        yield program
    finally:
        library.pcap_freecode(ctypes.byref(program))


def _code(program: _Program) -> bytes:
    if program.length > MAXIMUM_INSTRUCTIONS:
        raise FilterError(f"compiles to {program.length} instructions; the kernel takes {MAXIMUM_INSTRUCTIONS}")
    return ctypes.string_at(program.instructions, program.length * ctypes.sizeof(_Instruction))


def _takes(program: _Program, frame: bytes) -> bool:
    header = _PacketHeader(0, 0, len(frame), len(frame))
    return _libpcap().pcap_offline_filter(ctypes.byref(program), ctypes.byref(header), frame) != 0


def _ethernet(ethertype: int, payload: bytes) -> bytes:
    return bytes(12) + struct.pack("!H", ethertype) + payload


def _ipv4(protocol: int, payload: bytes) -> bytes:
    ends = bytes((192, 0, 2, 1)), bytes((192, 0, 2, 2))
    return struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 0, 0, 64, protocol, 0, *ends) + payload


def _udp(port: int, payload: bytes) -> bytes:
    return struct.pack("!HHHH", port, port, 8 + len(payload), 0) + payload


_REQUEST = _ipv4(17, _udp(5060, b"OPTIONS sip:a@192.0.2.2 SIP/2.0\r\n\r\n"))
_SIP = _ethernet(0x0800, _REQUEST)
_TUNNELLED = {
    "GRE": _ethernet(0x0800, _ipv4(47, struct.pack("!HH", 0, 0x0800) + _REQUEST)),
    "ERSPAN": _ethernet(0x0800, _ipv4(47, struct.pack("!HHIII", 0x1000, 0x88BE, 0, 0, 0) + _SIP)),
    "IP in IP": _ethernet(0x0800, _ipv4(4, _REQUEST)),
    "VXLAN": _ethernet(0x0800, _ipv4(17, _udp(4789, struct.pack("!II", 0x08000000, 0) + _SIP))),
    "GTP-U": _ethernet(0x0800, _ipv4(17, _udp(2152, struct.pack("!BBHI", 0x30, 255, len(_REQUEST), 0) + _REQUEST))),
    "MPLS": _ethernet(0x8847, struct.pack("!I", 0x140) + _REQUEST),
}
