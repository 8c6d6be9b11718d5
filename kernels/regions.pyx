# cython: language_level=3
"""Which parts of an engine are kept in a snapshot, and what they look like."""
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memset

from kernels.behaviour cimport CalleeProfile, CallerProfile, SourceProfile
from kernels.bindings cimport BINDINGS_A_SET, Binding
from kernels.calls cimport Call
from kernels.crowds cimport CROWDS_A_SET, Crowd
from kernels.groups cimport Group
from kernels.heavy cimport Heavy
from kernels.pairs cimport PAIR_ENTRIES, PairEntry
from kernels.profiles cimport RANGE_TABLES, Profiles
from kernels.relations cimport Relations
from kernels.signalling cimport Style
from kernels.spellings cimport Spellings
from kernels.subscriber cimport Subscriber
from kernels.subscribers cimport SubscriberNote

from kernels.schema import CALL_SCHEMA_HASH, SOURCE_SCHEMA_HASH

# Raised with each change of meaning that neither the sizes of the structs nor the hashes of the features show.
FORMAT = 1


cdef void add_column(Region* region, void* data, size_t entry_bytes) noexcept nogil:
    region.columns[region.column_count].data = <char*>data
    region.columns[region.column_count].entry_bytes = entry_bytes
    region.column_count += 1


cdef Region* add_table(Region* regions, int* count, const char* name, SlotTable* table) noexcept nogil:
    cdef Region* region = &regions[count[0]]
    count[0] += 1
    region.name = name
    region.table = table
    region.entries = table.capacity
    add_column(region, table.keys, sizeof(uint64_t))
    add_column(region, table.generations, sizeof(uint32_t))
    add_column(region, table.lives, sizeof(uint8_t))
    return region


cdef void add_array(Region* regions, int* count, const char* name, void* data, size_t entry_bytes,
                    uint32_t entries) noexcept nogil:
    cdef Region* region = &regions[count[0]]
    count[0] += 1
    region.name = name
    region.entries = entries
    add_column(region, data, entry_bytes)


cdef int describe(Engine engine, Region* regions) noexcept:
    cdef Profiles profiles = engine.profiles
    cdef Relations relations = profiles.relations
    cdef int count = 0
    memset(regions, 0, MAX_REGIONS * sizeof(Region))
    add_array(regions, &count, b"calls", engine.calls.calls, sizeof(Call),
              engine.calls.capacity + 1 + engine.calls.released_capacity)
    add_column(add_table(regions, &count, b"callers", &profiles.callers), profiles.caller_profiles,
               sizeof(CallerProfile))
    add_column(add_table(regions, &count, b"callees", &profiles.callees), profiles.callee_profiles,
               sizeof(CalleeProfile))
    cdef Region* sources = add_table(regions, &count, b"sources", &profiles.sources)
    add_column(sources, profiles.source_profiles, sizeof(SourceProfile))
    add_column(sources, profiles.styles, sizeof(Style))
    add_column(sources, relations.groups, 2 * sizeof(Group))
    add_column(sources, relations.spellings, sizeof(Spellings))
    add_column(add_table(regions, &count, b"routes", &relations.routes), relations.route_groups, sizeof(Group))
    add_array(regions, &count, b"crowds", relations.crowds.crowds, sizeof(Crowd),
              <uint32_t>((relations.crowds.mask + 1) * CROWDS_A_SET))
    add_array(regions, &count, b"recordings", relations.recordings.crowds, sizeof(Crowd),
              <uint32_t>((relations.recordings.mask + 1) * CROWDS_A_SET))
    add_array(regions, &count, b"bindings", relations.bindings.bindings, sizeof(Binding),
              <uint32_t>((relations.bindings.mask + 1) * BINDINGS_A_SET))
    add_array(regions, &count, b"pairs", profiles.pairs.entries, sizeof(PairEntry),
              <uint32_t>((profiles.pairs.mask + 1) * PAIR_ENTRIES))
    add_array(regions, &count, b"ranges", profiles.ranges, sizeof(Heavy), RANGE_TABLES)
    cdef Region* subscribers
    if engine.subscribers is not None:
        subscribers = add_table(regions, &count, b"subscribers", &engine.subscribers.table)
        add_column(subscribers, engine.subscribers.subscribers, sizeof(Subscriber))
        add_column(subscribers, engine.subscribers.notes, sizeof(SubscriberNote))
    return count


cdef size_t entry_bytes(const Region* region) noexcept nogil:
    cdef size_t size = 0
    cdef int i
    for i in range(region.column_count):
        size += region.columns[i].entry_bytes
    return size


def layout(Engine engine):
    """What a snapshot of an engine like this one looks like: only one of the same layout can be put back."""
    cdef Region[MAX_REGIONS] regions
    cdef int i, j, count = describe(engine, regions)
    said = {"format": FORMAT, "call features": CALL_SCHEMA_HASH, "source features": SOURCE_SCHEMA_HASH}
    for i in range(count):
        sizes = "+".join([str(regions[i].columns[j].entry_bytes) for j in range(regions[i].column_count)])
        said[regions[i].name.decode()] = f"{regions[i].entries} of {sizes} bytes"
    return said


cdef dict totals_of(Engine engine, const Region* regions, int count):
    said = {
        "clock_ns": engine.clock_ns,
        "offset_ns": engine.offset_ns,
        "corrected": engine.corrected,
        "first_ns": engine.first_ns,
        "last_ns": engine.last_ns,
        "packets": engine.packets,
        "bytes": engine.bytes,
        "sip_requests": engine.sip_requests,
        "sip_responses": engine.sip_responses,
        "malformed": engine.malformed,
        "evicted": engine.evicted,
        "flagged": engine.flagged,
        "watched": engine.watched,
        "calls": engine.calls.total,
        "next_due_ns": engine.calls.next_due_ns,
        "rtp_packets": engine.media.rtp_packets,
        "rtcp_packets": engine.media.rtcp_packets,
        "rtp_streams": engine.media.rtp_streams,
        "media_evicted": engine.media.evicted,
        "media_expired": engine.media.expired,
        "tcp_evicted": engine.streams.totals.evicted,
        "fragments_evicted": engine.decoder.fragments.counters.evicted,
        "crowds_evicted": engine.profiles.relations.crowds.evicted,
        "recordings_evicted": engine.profiles.relations.recordings.evicted,
        "gateway_signs": engine.profiles.gateway_signs,
        "reply_ns": engine.profiles.reply_ns,
    }
    cdef int i
    for i in range(count):
        if regions[i].table != NULL:
            said[f"{regions[i].name.decode()}_hand"] = regions[i].table.hand
            said[f"{regions[i].name.decode()}_evicted"] = regions[i].table.evicted
    return said


cdef int set_totals(Engine engine, const Region* regions, int count, dict said) except -1:
    cdef SlotTable* table
    cdef int i
    engine.clock_ns = said["clock_ns"]
    engine.offset_ns = said["offset_ns"]
    engine.corrected = said["corrected"]
    engine.first_ns = said["first_ns"]
    engine.last_ns = said["last_ns"]
    engine.packets = said["packets"]
    engine.block_end = engine.packets + engine.block_packets
    engine.bytes = said["bytes"]
    engine.sip_requests = said["sip_requests"]
    engine.sip_responses = said["sip_responses"]
    engine.malformed = said["malformed"]
    engine.evicted = said["evicted"]
    engine.flagged = said["flagged"]
    engine.watched = said["watched"]
    engine.calls.total = said["calls"]
    engine.calls.next_due_ns = said["next_due_ns"]
    engine.media.rtp_packets = said["rtp_packets"]
    engine.media.rtcp_packets = said["rtcp_packets"]
    engine.media.rtp_streams = said["rtp_streams"]
    engine.media.evicted = said["media_evicted"]
    engine.media.expired = said["media_expired"]
    engine.streams.totals.evicted = said["tcp_evicted"]
    engine.decoder.fragments.counters.evicted = said["fragments_evicted"]
    engine.profiles.relations.crowds.evicted = said["crowds_evicted"]
    engine.profiles.relations.recordings.evicted = said["recordings_evicted"]
    engine.profiles.gateway_signs = said["gateway_signs"]
    engine.profiles.reply_ns = said["reply_ns"]
    for i in range(count):
        table = regions[i].table
        if table == NULL:
            continue
        hand = said[f"{regions[i].name.decode()}_hand"]
        if not 0 <= hand < table.capacity:
            raise ValueError(f"{regions[i].name.decode()}: a hand at {hand} of {table.capacity} slots")
        table.hand = hand
        table.evicted = said[f"{regions[i].name.decode()}_evicted"]
    return 0
