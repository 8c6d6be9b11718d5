# cython: language_level=3
"""The base of all record sources."""


cdef class RecordSource:
    """A source without records; as an iterator it gives `(time_ns, link_type, data, wire_bytes)` of those in reach."""

    cdef int next(self, Record* record) noexcept nogil:
        return RECORD_NEED_MORE

    def __iter__(self):
        return self

    def __next__(self):
        cdef Record record
        cdef int status = self.next(&record)
        while status == RECORD_LEAVING:
            status = self.next(&record)
        if status != RECORD_FOUND:
            raise StopIteration
        return (record.time_ns, record.link_type, (<const char*>record.data)[:record.captured_bytes],
                record.wire_bytes)
