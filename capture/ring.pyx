# cython: language_level=3
"""The packets of an AF_PACKET ring (TPACKET_V3), read where the kernel wrote them.

Source: Documentation/networking/packet_mmap.rst and include/uapi/linux/if_packet.h of Linux. The ring is memory shared
with the kernel, in blocks. The kernel fills one block after the other, and hands each over by setting TP_STATUS_USER in
its header; we hand it back by clearing that. What lies between is plain memory: nothing is copied, and no system call
is made for a packet or a block. Who waits for blocks polls the socket.

A VLAN tag of which the kernel (or the card) has relieved the frame is put back where it stood, in the four bytes that
PACKET_RESERVE keeps free in front of the frame: a record is the frame as it was on the wire. libpcap does the same.

The kernel is believed, but what it says of lengths is compared with the block all the same: a ring that is not one
gives RECORD_MALFORMED rather than a crash.
"""
from cpython.buffer cimport PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport int64_t, uint16_t
from libc.string cimport memmove

from capture.link cimport ETHERTYPE_VLAN, LINKTYPE_ETHERNET
from capture.source cimport RECORD_FOUND, RECORD_LEAVING, RECORD_MALFORMED, RECORD_NEED_MORE

cdef extern from *:
    """
    #include <linux/if_packet.h>
    #define sw_take_status(block) \\
        __atomic_load_n(&((struct tpacket_block_desc *)(block))->hdr.bh1.block_status, __ATOMIC_ACQUIRE)
    #define sw_give_back(block) \\
        __atomic_store_n(&((struct tpacket_block_desc *)(block))->hdr.bh1.block_status, TP_STATUS_KERNEL, \\
                         __ATOMIC_RELEASE)
    """
    uint32_t take_status "sw_take_status"(const void* block) noexcept nogil
    void give_back "sw_give_back"(void* block) noexcept nogil

cdef extern from "linux/if_packet.h" nogil:
    enum:
        TP_STATUS_USER
        TP_STATUS_VLAN_VALID
        TP_STATUS_VLAN_TPID_VALID
    struct tpacket_hdr_v1:
        uint32_t num_pkts
        uint32_t offset_to_first_pkt
    union tpacket_bd_header_u:
        tpacket_hdr_v1 bh1
    struct tpacket_block_desc:
        tpacket_bd_header_u hdr
    struct tpacket_hdr_variant1:
        uint32_t tp_vlan_tci
        uint16_t tp_vlan_tpid
    struct tpacket3_hdr:
        uint32_t tp_next_offset
        uint32_t tp_sec
        uint32_t tp_nsec
        uint32_t tp_snaplen
        uint32_t tp_len
        uint32_t tp_status
        uint16_t tp_mac
        tpacket_hdr_variant1 hv1

cdef enum:
    MAC_ADDRESSES_BYTES = 12
    TAG_BYTES = 4               # IEEE 802.1Q; the headroom that PACKET_RESERVE asks for

HEADROOM = TAG_BYTES


cdef inline void put_tag_back(tpacket3_hdr* header, uint8_t* frame) noexcept nogil:
    """Moves the MAC addresses into the headroom in front of `frame`, and writes the tag behind them."""
    cdef uint16_t kind = ETHERTYPE_VLAN
    cdef uint8_t* tag = frame - TAG_BYTES + MAC_ADDRESSES_BYTES
    if header.tp_status & TP_STATUS_VLAN_TPID_VALID:
        kind = header.hv1.tp_vlan_tpid
    memmove(frame - TAG_BYTES, frame, MAC_ADDRESSES_BYTES)
    tag[0] = kind >> 8
    tag[1] = kind & 0xff
    tag[2] = (header.hv1.tp_vlan_tci >> 8) & 0xff
    tag[3] = header.hv1.tp_vlan_tci & 0xff


cdef class Ring(RecordSource):
    """Reads `memory`, a writable buffer of blocks of `block_bytes` each, shared with the kernel.

    `link_type` is the LINKTYPE_ value of what the socket hands over.
    """

    def __cinit__(self, memory not None, uint32_t block_bytes, int32_t link_type):
        PyObject_GetBuffer(memory, &self.buffer, PyBUF_WRITABLE)
        if block_bytes < sizeof(tpacket_block_desc) or self.buffer.len < block_bytes or self.buffer.len % block_bytes:
            raise ValueError("the memory of a ring is a number of blocks")
        self.memory = <uint8_t*>self.buffer.buf
        self.block_bytes = block_bytes
        self.block_count = <uint32_t>(self.buffer.len // block_bytes)
        self.link_type = link_type

    def __dealloc__(self):
        PyBuffer_Release(&self.buffer)

    def close(self) -> None:
        """Lets go of the memory; after this no record is found."""
        self.memory = NULL
        self.left = 0
        PyBuffer_Release(&self.buffer)      # does nothing the second time

    cdef int next(self, Record* record) noexcept nogil:
        cdef uint8_t* block
        cdef uint8_t* frame
        cdef tpacket3_hdr* header
        while self.left == 0:
            if self.held and not self.leaving:
                self.leaving = True
                return RECORD_LEAVING
            self.leaving = False
            if not self._next_block():
                return RECORD_MALFORMED if self.broken else RECORD_NEED_MORE
        block = self.memory + <size_t>self.current * self.block_bytes
        if self.place > self.block_bytes - sizeof(tpacket3_hdr):
            return self._broken()
        header = <tpacket3_hdr*>(block + self.place)
        if (header.tp_mac < sizeof(tpacket3_hdr) + TAG_BYTES
                or self.left > 1 and header.tp_next_offset < sizeof(tpacket3_hdr)
                or header.tp_snaplen > self.block_bytes
                or header.tp_mac + header.tp_snaplen > self.block_bytes - self.place):
            return self._broken()
        frame = <uint8_t*>header + header.tp_mac
        record.time_ns = <int64_t>header.tp_sec * 1_000_000_000 + header.tp_nsec
        record.data = frame
        record.captured_bytes = header.tp_snaplen
        record.wire_bytes = max(header.tp_len, header.tp_snaplen)
        record.link_type = self.link_type
        if (header.tp_status & TP_STATUS_VLAN_VALID and self.link_type == LINKTYPE_ETHERNET
                and header.tp_snaplen >= MAC_ADDRESSES_BYTES):
            put_tag_back(header, frame)
            record.data -= TAG_BYTES
            record.captured_bytes += TAG_BYTES
            record.wire_bytes += TAG_BYTES
            self.tagged += 1
        self.left -= 1
        self.place += min(header.tp_next_offset, self.block_bytes)
        self.packets += 1
        self.bytes += record.wire_bytes
        return RECORD_FOUND

    cdef bint _next_block(self) noexcept nogil:
        """Gives the block that was read back, and takes the one after it when the kernel has let go of it."""
        cdef tpacket_block_desc* block
        if self.memory == NULL or self.broken:
            return False
        block = <tpacket_block_desc*>(self.memory + <size_t>self.current * self.block_bytes)
        if self.held:
            give_back(block)
            self.held = False
            self.current = self.current + 1 if self.current + 1 < self.block_count else 0
            block = <tpacket_block_desc*>(self.memory + <size_t>self.current * self.block_bytes)
        if not take_status(block) & TP_STATUS_USER:
            return False
        self.held = True
        self.left = block.hdr.bh1.num_pkts
        self.place = block.hdr.bh1.offset_to_first_pkt
        return True

    cdef int _broken(self) noexcept nogil:
        self.broken = True
        self.left = 0
        return RECORD_MALFORMED
