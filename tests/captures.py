"""Capture files made byte by byte, as the pcap and pcapng drafts describe them, for the tests of their readers."""

import struct

PCAP_US, PCAP_NS, PCAP_KUZNETZOV = 0xA1B2C3D4, 0xA1B23C4D, 0xA1B2CD34
ETHERNET = 1

Record = tuple[int, int, bytes, int]  # time_ns, link type, data, bytes on the wire


def pcap(records: list[Record], *, order: str = "<", magic: int = PCAP_US) -> bytes:
    link_type = records[0][1] if records else ETHERNET
    out = bytearray(pcap_header(order=order, magic=magic, link_type=link_type))
    for time_ns, _, data, wire_bytes in records:
        fraction = time_ns % 10**9 // (1 if magic == PCAP_NS else 1000)
        out += struct.pack(order + "IIII", time_ns // 10**9, fraction, len(data), wire_bytes)
        out += (bytes(8) if magic == PCAP_KUZNETZOV else b"") + data
    return bytes(out)


def pcap_header(*, order: str = "<", magic: int = PCAP_US, link_type: int = ETHERNET, version: int = 2) -> bytes:
    return struct.pack(order + "IHHiIII", magic, version, 4, 0, 0, 262144, link_type)


class Section:
    """The blocks of a pcapng section in one byte order."""

    def __init__(self, order: str = "<") -> None:
        self.order = order

    def header(self) -> bytes:
        return self.block(0x0A0D0D0A, self.pack("IHHq", 0x1A2B3C4D, 1, 0, -1))

    def interface(self, link_type: int = ETHERNET, *, snaplen: int = 0, options: bytes = b"") -> bytes:
        return self.block(1, self.pack("HHI", link_type, 0, snaplen) + options)

    def enhanced(
        self, ticks: int, data: bytes, *, interface: int = 0, wire: int | None = None, tail: bytes = b""
    ) -> bytes:
        wire = len(data) if wire is None else wire
        head = self.pack("IIIII", interface, ticks >> 32, ticks & 0xFFFFFFFF, len(data), wire)
        return self.block(6, head + padded(data) + tail)

    def obsolete(self, ticks: int, data: bytes, *, interface: int = 0) -> bytes:
        head = self.pack("HHIIII", interface, 0xFFFF, ticks >> 32, ticks & 0xFFFFFFFF, len(data), len(data))
        return self.block(2, head + padded(data))

    def simple(self, data: bytes, wire: int) -> bytes:
        return self.block(3, self.pack("I", wire) + padded(data))

    def statistics(self, *, interface: int = 0, **options: int) -> bytes:
        codes = {"received": 4, "if_dropped": 5, "os_dropped": 7}
        values = b"".join(self.option(codes[name], self.pack("Q", value)) for name, value in options.items())
        return self.block(5, self.pack("III", interface, 0, 0) + values + self.option(0, b""))

    def option(self, code: int, value: bytes) -> bytes:
        return self.pack("HH", code, len(value)) + padded(value)

    def block(self, kind: int, body: bytes) -> bytes:
        length = self.pack("I", 12 + len(body))
        return self.pack("I", kind) + length + body + length

    def pack(self, fields: str, *values: int) -> bytes:
        return struct.pack(self.order + fields, *values)


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
