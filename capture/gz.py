"""gzip (RFC 1952) read as a stream, which keeps what was readable when the file is cut or corrupt.

`gzip.GzipFile` loses what its last read had inflated when the data breaks off, so this module drives
zlib itself. Memory is bounded by the compressed chunk and the room that the caller offers: a bomb
inflates into that room and no further.
"""

import io
import zlib

MAGIC = b"\x1f\x8b"
# zlib's window bits for the largest window, plus 16 for a gzip header and trailer.
_WINDOW_BITS = 16 + zlib.MAX_WBITS
# Compressed bytes read at a time; deflate seldom inflates them past the room of one read.
_CHUNK_BYTES = 64 * 1024


class GzipSource:
    """Inflates a raw binary file, of which `head` was read already. `problem` says why it ended early.

    `position` counts the compressed bytes that were read.
    """

    def __init__(self, file: io.RawIOBase, head: bytes) -> None:
        self.problem: str | None = None
        self.position = len(head)
        self._file = file
        self._inflater = zlib.decompressobj(_WINDOW_BITS)
        self._compressed = head
        self._ended = False

    def readinto(self, room: memoryview) -> int:
        """Fills `room` from its start; the bytes written, 0 only at the end."""
        while len(room) and not self._ended:
            if self._inflater.eof:
                self._begin_member()
                continue
            data = self._inflate(len(room))
            if data:
                room[: len(data)] = data
                return len(data)
            if not (self._compressed or self._inflater.eof or self._ended or self._read()):
                self._end("is cut short in its gzip data")
        return 0

    def _read(self) -> bool:
        more = self._file.read(_CHUNK_BYTES)
        self._compressed += more
        self.position += len(more)
        return bool(more)

    def _end(self, problem: str | None) -> None:
        self._ended = True
        self.problem = problem

    def _inflate(self, most: int) -> bytes:
        before = self._inflater.copy()
        try:
            data = self._inflater.decompress(self._compressed, most)
        except zlib.error:
            self._end("is corrupt in its gzip data")
            return _salvage(before, self._compressed, most)
        self._compressed = self._inflater.unused_data or self._inflater.unconsumed_tail
        return data

    def _begin_member(self) -> None:
        """A gzip file is members one after another (RFC 1952 2.2); other bytes behind one are padding."""
        while len(self._compressed) < len(MAGIC) and self._read():
            pass
        if self._compressed.startswith(MAGIC):
            self._inflater = zlib.decompressobj(_WINDOW_BITS)
        else:
            self._end(None)


def _salvage(inflater: "zlib._Decompress", compressed: bytes, most: int) -> bytes:
    """What `inflater` gives of `compressed` before the byte that is wrong."""
    data = bytearray()
    try:
        for at in range(len(compressed)):
            data += inflater.decompress(compressed[at : at + 1], most)
    except zlib.error:
        pass
    return bytes(data)
