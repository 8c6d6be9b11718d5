# cython: language_level=3
"""See findings.pxd."""
import ipaddress
from datetime import UTC, datetime
from functools import lru_cache

from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.string cimport memcpy, memset

import numpy as np

from capture.hashing cimport hash_bytes, hash_mix
from capture.index cimport NO_SLOT, index_find, index_free, index_init, index_insert, index_key, index_remove
from capture.memory cimport table_calloc, table_free
from kernels.break_ins cimport BreakIn, BreakIns
from kernels.calls cimport STAGE_END, STAGE_SETUP, Call
from kernels.engine cimport Engine, RowNote
from kernels.features cimport CALLER_EVIDENCE, NEWCOMER_CALLS_HOUR, SOURCE_CALLS_HOUR
from models.newcomers cimport AT_END, AT_SETUP, NOT_COUNTED, newcomers_count, newcomers_verdict
from models.reasons cimport Reasons, are_reasons
from models.reasons import REASONS_BYTES, told
from models.standing cimport standing_counts, standing_verdict, STANDING_CALLS

from appliance.strangers cimport strangers_are, strangers_note

from appliance.break_in import GUESSING, is_break_in, reason_of
from appliance.report import SourceLine, encode
from models.fraud_types import names_of
from models.verdict import FLAG, VERDICTS, WATCH

FINDING_BYTES = sizeof(Finding)


@lru_cache(maxsize=4096)
def address_text(packed: bytes) -> str:
    """An address of 16 bytes as text; IPv4 when it is mapped (RFC 4291 2.5.5.2)."""
    address = ipaddress.IPv6Address(packed)
    return str(address.ipv4_mapped or address)


def moment(int64_t time_ns) -> str:
    """RFC 3339 in UTC with microseconds, cut rather than rounded, as call lines are."""
    seconds, ns = divmod(time_ns, 1_000_000_000)
    date_time = datetime.fromtimestamp(seconds, UTC).isoformat()[:19]  # strftime takes four times as long
    return f"{date_time}.{ns // 1000:06d}Z"


cdef uint8_t FLAGGED = FLAG
cdef uint8_t WATCHED = WATCH
cdef uint32_t GUESSING_BIT = GUESSING


cdef Rows rows_of(Engine engine, bint of_sources, Py_ssize_t count):
    """Raises ValueError when there are fewer than `count`."""
    if count > (engine.source_rows_count if of_sources else engine.call_rows_count):
        raise ValueError("more verdicts than rows")
    if of_sources:
        return Rows(engine.source_notes, NULL, engine.offset_ns)
    return Rows(engine.call_notes, engine.calls.calls, engine.offset_ns)


cdef int where_of(uint8_t stage) noexcept nogil:
    return AT_SETUP if stage == STAGE_SETUP else AT_END if stage == STAGE_END else NOT_COUNTED


cdef Suspect suspect_of(const Rows* rows, const RowNote* note, uint8_t verdict, float score,
                        uint32_t types) noexcept nogil:
    return Suspect(note.first_ns + rows.offset_ns, note.time_ns + rows.offset_ns, note.requests, verdict, score, types,
                   NULL)


cdef void party_of(Party* party, const Rows* rows, const RowNote* note) noexcept nogil:
    cdef const Call* call
    memset(party, 0, sizeof(Party))
    party.source = note.source
    party.has_source = True
    if rows.calls != NULL:
        party.has_caller = True
        call = &rows.calls[note.call_slot]
        party.caller_length = call.caller_length
        memcpy(party.caller, call.caller, call.caller_length)


cdef class Findings:
    """Findings(limit, secret): at most `limit` of them; when there are more, the one longest without news is counted,
    and its line is among those that `take_given_up` hands over. `secret` keys the hashes of parties.

    Raises MemoryError.
    """

    def __cinit__(self, uint32_t limit, uint64_t secret):
        self.limit = limit
        self.secret = secret
        self.given_up = []
        cdef int queue
        for queue in range(QUEUES):
            self.oldest[queue] = self.newest[queue] = NO_SLOT
        self.findings = <Finding*>table_calloc(limit, sizeof(Finding))
        if index_init(&self.index, limit) != 0 or self.findings == NULL:
            raise MemoryError(f"no memory for {limit} findings")

    def __dealloc__(self):
        index_free(&self.index)
        table_free(self.findings)

    def __len__(self) -> int:
        return self.used

    # -- judging ------------------------------------------------------------------------------------------------

    def stand(self, Engine engine, uint8_t[::1] verdicts, const uint32_t[::1] types):
        """Flags the watched call rows of a block, in place, whose caller is known (models/standing.pxd), or that are of
        a campaign's newcomers at their address (models/newcomers.pxd)."""
        cdef Rows rows = rows_of(engine, False, verdicts.shape[0])
        cdef const float[:, :] features = engine.call_features
        cdef Party party
        cdef Py_ssize_t i
        cdef uint8_t known, of_campaign
        for i in range(verdicts.shape[0]):
            if verdicts[i] == 0:
                continue
            party_of(&party, &rows, &rows.notes[i])
            known = self._stand(&party, &rows, i, verdicts[i], types[i])
            party.has_caller = party.caller_length = 0
            of_campaign = self._campaign(&party, &rows, i, verdicts[i], types[i], features[i, CALLER_EVIDENCE],
                                         features[i, NEWCOMER_CALLS_HOUR])
            verdicts[i] = max(known, of_campaign)

    def rising(self, Engine engine, const uint8_t[::1] verdicts):
        """Of the source rows of a block those whose verdict is above what is known of their source, int32."""
        cdef Rows rows = rows_of(engine, True, verdicts.shape[0])
        cdef Party party
        cdef Py_ssize_t i
        cdef uint64_t key
        cdef int32_t slot
        cdef list found = []
        for i in range(verdicts.shape[0]):
            if verdicts[i] == 0:
                continue
            party_of(&party, &rows, &rows.notes[i])
            slot = self._find(&party, &key)
            if slot == NO_SLOT or verdicts[i] > self.findings[slot].verdict:
                found.append(i)
        return np.array(found, np.int32)

    def add_calls(self, Engine engine, scores, const int32_t[::1] explained, const uint8_t[:, ::1] reasons):
        """Adds the suspect call rows of a block to the findings about their callers, and addresses; `scores` as of
        models.scorer.Scores. Row explained[k] has reasons[k] (models.reasons.explain), in ascending order.

        Goes through the rows that were explained or raised the verdict on a party: yields (row, is_explained, slot of
        the finding, what its verdict was before), before the rows behind it are added.
        """
        cdef const uint8_t[::1] verdicts = scores.verdict
        cdef const float[::1] score = scores.score
        cdef const uint32_t[::1] types = scores.types
        cdef const float[:, :] features = engine.call_features
        cdef Rows rows = rows_of(engine, False, verdicts.shape[0])
        cdef Suspect suspect
        cdef Party party
        cdef Py_ssize_t i, at = 0
        cdef int32_t slot
        cdef uint8_t before, judged
        cdef bint is_explained
        for i in range(verdicts.shape[0]):
            if verdicts[i] == 0:
                continue
            suspect = suspect_of(&rows, &rows.notes[i], verdicts[i], score[i], types[i])
            is_explained = at < explained.shape[0] and explained[at] == i
            if is_explained:
                suspect.reasons = <const Reasons*>&reasons[at, 0]
                at += 1
            party_of(&party, &rows, &rows.notes[i])
            slot = self._of(&party)
            before, judged = self._told(slot), self.findings[slot].verdict
            self._note_call(slot, rows.calls[rows.notes[i].call_slot].serial)
            self._add(slot, &suspect)
            if is_explained or self._told(slot) != before:
                yield i, is_explained, slot, before
            if self.findings[slot].is_single and verdicts[i] > judged:
                party.has_caller = party.caller_length = 0
                slot = self._of(&party)
                before = self.findings[slot].verdict
                self._add_stranger(slot, &suspect, judged, features[i, SOURCE_CALLS_HOUR])
                if self.findings[slot].verdict != before:
                    yield i, False, slot, before

    def add_sources(self, Engine engine, scores, const int32_t[::1] explained, const uint8_t[:, ::1] reasons):
        """The same of source rows, and of the accounts that were broken into meanwhile, of which a row may say nothing:
        yields (slot of the finding, what its verdict was before, whether its address broke into an account)."""
        cdef const uint8_t[::1] verdicts = scores.verdict
        cdef const float[::1] score = scores.score
        cdef const uint32_t[::1] types = scores.types
        cdef Rows rows = rows_of(engine, True, verdicts.shape[0])
        cdef BreakIns broken = engine.break_ins
        cdef Suspect suspect
        cdef Party party
        cdef Py_ssize_t i, at = 0
        cdef uint64_t key
        cdef uint32_t k = 0
        cdef int32_t slot
        cdef uint8_t before
        cdef bint is_broken
        for i in range(verdicts.shape[0]):
            is_broken = k < broken.count and broken.found[k].row == <uint32_t>i
            k += is_broken
            party_of(&party, &rows, &rows.notes[i])
            if verdicts[i] == 0 and (not is_broken or self._find(&party, &key) == NO_SLOT):
                continue
            suspect = suspect_of(&rows, &rows.notes[i], verdicts[i], score[i], types[i])
            if at < explained.shape[0] and explained[at] == i:
                suspect.reasons = <const Reasons*>&reasons[at, 0]
                at += 1
            slot = self._of(&party)
            before = self.findings[slot].verdict
            self._add(slot, &suspect)
            is_broken = is_broken and is_break_in(
                self.findings[slot].verdict, self.findings[slot].types, broken.found[k - 1].guess.users)
            if is_broken:
                suspect.verdict, suspect.types, suspect.reasons = FLAGGED, GUESSING_BIT, NULL
                self.findings[slot].break_in = broken.found[k - 1]
                self._add(slot, &suspect)
            if is_broken or self.findings[slot].verdict != before:
                yield slot, before, is_broken

    def add_number(self, str number, int64_t first_ns, int64_t time_ns, uint32_t requests, uint8_t verdict,
                   float score, uint32_t types):
        """The same of a number, wherever it calls from: (slot of the finding, what its verdict was before)."""
        cdef Party party
        cdef bytes caller = number.encode()[:USER_BYTES]
        memset(&party, 0, sizeof(Party))
        party.has_caller = True
        party.caller_length = len(caller)
        memcpy(party.caller, <const char*>caller, len(caller))
        cdef Suspect suspect = Suspect(first_ns, time_ns, requests, verdict, score, types, NULL)
        slot = self._of(&party)
        before = self.findings[slot].verdict
        self._add(slot, &suspect)
        return slot, before

    def explain(self, uint32_t slot, const uint8_t[::1] reasons):
        """Puts reasons beside a finding, as one row of models.reasons.explain has them."""
        if slot >= self.used or reasons.shape[0] != sizeof(Reasons):
            raise IndexError(slot)
        self.findings[slot].reasons = (<const Reasons*>&reasons[0])[0]

    def state_of(self, uint32_t slot):
        """How a finding stands: (verdict as told, mask of fraud types, whether it is about an address as a whole)."""
        if slot >= self.used:
            raise IndexError(slot)
        return self._told(slot), self.findings[slot].types, not self.findings[slot].party.has_caller

    # -- telling ------------------------------------------------------------------------------------------------

    def line(self, uint32_t slot) -> bytes:
        """The finding as it stands (report.SourceLine), which is then told."""
        if slot >= self.used:
            raise IndexError(slot)
        return self._line(slot)

    def lines(self):
        """Those of all, in the order in which they were first watched or flagged."""
        cdef int32_t slot = self.oldest[NEWS]
        cdef list found = []
        while slot != NO_SLOT:
            if self._told(slot):
                found.append((self.findings[slot].flagged_ns, self.findings[slot].news, slot))
            slot = self.findings[slot].newer[NEWS]
        for _, _, slot in sorted(found):
            yield self._line(slot)

    def tell(self, uint32_t at_most) -> list[bytes]:
        """The lines of the `at_most` that have had news the longest."""
        cdef list lines = []
        while len(lines) < at_most and self.oldest[UNTOLD] != NO_SLOT:
            lines.append(self._line(self.oldest[UNTOLD]))
        return lines

    def take_given_up(self) -> list[bytes]:
        """The lines of those that made room since this was asked for."""
        lines, self.given_up = self.given_up, []
        return lines

    # -- snapshots ----------------------------------------------------------------------------------------------

    def copy(self, uint32_t first, uint32_t count) -> bytes:
        """The findings in slots `first` .. `first + count - 1` as they are in memory; empty behind the last."""
        if first >= self.used:
            return b""
        return (<const char*>&self.findings[first])[: min(count, self.used - first) * sizeof(Finding)]

    def restore(self, const uint8_t[::1] copied):
        """Puts copies back into an empty table, in whatever order. Of a party that is there twice, the later counts.

        Raises ValueError when they are no findings.
        """
        cdef Py_ssize_t i, count = copied.shape[0] // sizeof(Finding)
        cdef Finding found
        cdef Finding* finding
        cdef Suspect suspect
        cdef list order = []
        if copied.shape[0] % sizeof(Finding):
            raise ValueError(f"findings in {copied.shape[0]} bytes")
        for i in range(count):
            memcpy(&found, &copied[i * <Py_ssize_t>sizeof(Finding)], sizeof(Finding))
            if not is_finding(&found):
                raise ValueError(f"finding {i} is none")
            order.append((found.news, i))
        for _, i in sorted(order):
            memcpy(&found, &copied[i * <Py_ssize_t>sizeof(Finding)], sizeof(Finding))
            slot = self._of(&found.party)
            finding = &self.findings[slot]
            finding.is_single = found.is_single
            finding.call = found.call
            finding.standing = found.standing
            finding.strangers = found.strangers
            finding.newcomers = found.newcomers
            finding.break_in = found.break_in
            suspect = Suspect(found.first_ns, found.flagged_ns, found.requests, found.verdict, found.score, found.types,
                              &found.reasons)
            self._add(slot, &suspect)
            finding.last_ns = max(finding.last_ns, found.last_ns)
            if finding.is_untold and not found.is_untold:
                finding.is_untold = False
                self._unlink(slot, UNTOLD)

    # -- the table ----------------------------------------------------------------------------------------------

    cdef int32_t _find(self, const Party* party, uint64_t* key) noexcept nogil:
        cdef uint64_t hashed = hash_bytes(<const uint8_t*>party.caller, party.caller_length, self.secret)
        if party.has_source:
            hashed = hash_mix(hashed, hash_mix(party.source.high, party.source.low))
        key[0] = index_key(hash_mix(hashed, 2 * party.has_source + party.has_caller))
        return index_find(&self.index, key[0])

    cdef int32_t _of(self, const Party* party) except -1:
        """The finding about a party, which is the one with the latest news now; a new one when there is none."""
        cdef uint64_t key
        cdef int32_t slot = self._find(party, &key)
        cdef Finding* finding
        if slot == NO_SLOT:
            slot = self._room()
            finding = &self.findings[slot]
            memset(finding, 0, sizeof(Finding))
            finding.key = key
            finding.party = party[0]
            index_insert(&self.index, key, slot)
        else:
            self._unlink(slot, NEWS)
        self.news += 1
        self.findings[slot].news = self.news
        self._link(slot, NEWS)
        return slot

    cdef int32_t _room(self) except -1:
        cdef int32_t slot
        if self.used < self.limit:
            self.used += 1
            return <int32_t>self.used - 1
        slot = self.oldest[NEWS]
        if self._told(slot):
            self.given_up.append(self._line(slot))
            self.evicted += 1
        self._unlink(slot, NEWS)
        index_remove(&self.index, self.findings[slot].key)
        return slot

    cdef void _link(self, int32_t slot, int queue) noexcept nogil:
        """Puts it behind all others of the queue."""
        cdef int32_t last = self.newest[queue]
        self.findings[slot].older[queue] = last
        self.findings[slot].newer[queue] = NO_SLOT
        if last == NO_SLOT:
            self.oldest[queue] = slot
        else:
            self.findings[last].newer[queue] = slot
        self.newest[queue] = slot
        self.untold += queue == UNTOLD

    cdef void _unlink(self, int32_t slot, int queue) noexcept nogil:
        cdef int32_t older = self.findings[slot].older[queue], newer = self.findings[slot].newer[queue]
        if older == NO_SLOT:
            self.oldest[queue] = newer
        else:
            self.findings[older].newer[queue] = newer
        if newer == NO_SLOT:
            self.newest[queue] = older
        else:
            self.findings[newer].older[queue] = older
        self.untold -= queue == UNTOLD

    cdef uint8_t _stand(self, const Party* party, const Rows* rows, Py_ssize_t i, uint8_t verdict,
                        uint32_t types) except 255:
        cdef uint64_t key
        cdef int32_t slot = self._find(party, &key)
        if slot == NO_SLOT:
            if not standing_counts(verdict, types):
                return verdict
            slot = self._of(party)
        return standing_verdict(&self.findings[slot].standing, rows.calls[rows.notes[i].call_slot].serial,
                                rows.notes[i].time_ns + rows.offset_ns, verdict, types)

    cdef uint8_t _campaign(self, const Party* address, const Rows* rows, Py_ssize_t i, uint8_t verdict, uint32_t types,
                           float evidence, float calls_hour) except 255:
        cdef int32_t slot
        if not newcomers_count(verdict, types, evidence):
            return verdict
        slot = self._of(address)
        return newcomers_verdict(&self.findings[slot].newcomers, where_of(rows.notes[i].stage),
                                 rows.notes[i].time_ns + rows.offset_ns, verdict, types, evidence, calls_hour)

    cdef uint8_t _told(self, int32_t slot) noexcept nogil:
        """Its verdict, as findings are told."""
        return 0 if self.findings[slot].is_single else self.findings[slot].verdict

    cdef void _note_call(self, int32_t slot, uint64_t serial) noexcept nogil:
        """A caller's suspect call, before it is added."""
        cdef Finding* finding = &self.findings[slot]
        if finding.verdict == 0:
            finding.is_single = True
            finding.call = serial
        elif serial != finding.call:
            finding.is_single = False

    cdef void _add(self, int32_t slot, const Suspect* suspect) noexcept nogil:
        """One more row that was watched or flagged. Reasons are those of the row that raised the verdict."""
        cdef Finding* finding = &self.findings[slot]
        if suspect.verdict == 0:
            return
        if not finding.is_untold and not finding.is_single:
            finding.is_untold = True
            self._link(slot, UNTOLD)
        if finding.verdict == 0:
            finding.first_ns = suspect.first_ns
            finding.flagged_ns = suspect.time_ns
        if suspect.verdict > finding.verdict:
            finding.verdict = suspect.verdict
            if suspect.reasons != NULL:
                finding.reasons = suspect.reasons[0]
        finding.last_ns = max(finding.last_ns, suspect.time_ns)
        finding.requests = max(finding.requests, suspect.requests)
        finding.score = max(finding.score, suspect.score)
        finding.types |= suspect.types

    cdef void _add_stranger(self, int32_t slot, const Suspect* call, uint8_t judged, float calls_hour) noexcept nogil:
        """A number's only suspect call, that was judged less so far, at the finding of its address, which had so many
        calls within the hour. The finding is of the types of the call that raised it: others may be strays."""
        cdef Finding* finding = &self.findings[slot]
        cdef Suspect suspect = call[0]
        strangers_note(&finding.strangers, call.time_ns, judged == 0, call.verdict == FLAGGED)
        suspect.first_ns = finding.strangers.first_ns
        suspect.requests = finding.strangers.calls
        suspect.verdict = (FLAGGED if strangers_are(finding.strangers.flagged, calls_hour)
                           else WATCHED if strangers_are(finding.strangers.suspect, calls_hour) else 0)
        if suspect.verdict <= finding.verdict:
            suspect.types = 0
        self._add(slot, &suspect)

    cdef bytes _line(self, int32_t slot):
        cdef Finding* finding = &self.findings[slot]
        cdef const Party* party = &finding.party
        if finding.is_untold:
            finding.is_untold = False
            self._unlink(slot, UNTOLD)
        return encode(SourceLine(
            source=address_text((<const char*>&party.source)[:16]) if party.has_source else None,
            caller=PyUnicode_DecodeUTF8(party.caller, party.caller_length, b"replace") if party.has_caller else None,
            first=moment(finding.first_ns),
            last=moment(finding.last_ns),
            flagged_at=moment(finding.flagged_ns),
            requests=finding.requests,
            verdict=VERDICTS[finding.verdict],
            score=round(<double>finding.score, 6),
            fraud_types=names_of(finding.types),
            reasons=[*break_in_of(finding), *told(<uint8_t[:REASONS_BYTES]><uint8_t*>&finding.reasons)],
        ))


cdef list break_in_of(const Finding* finding):
    """The account that the address broke into last, as a reason."""
    cdef const BreakIn* one = &finding.break_in
    if one.guess.tries == 0:
        return []
    return [reason_of(one.user[:one.user_length], one.guess.tries, one.guess.users)]


cdef bint is_finding(const Finding* finding) noexcept:
    return (finding.verdict < len(VERDICTS) and (finding.party.has_source or finding.party.has_caller)
            and finding.party.caller_length <= USER_BYTES and finding.break_in.user_length <= USER_BYTES
            and finding.party.has_source <= 1 and finding.party.has_caller <= 1
            and finding.standing.count <= STANDING_CALLS and are_reasons(&finding.reasons))
