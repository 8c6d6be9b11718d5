"""pcap files (draft-ietf-opsawg-pcap): single frames and whole blocks of frames, merged by time."""

from __future__ import annotations

import gzip
import io
import struct
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from simulator.network import Frame
from simulator.packets import fragments
from simulator.rhythm import NS_PER_S

MAGIC = {"ns": 0xA1B23C4D, "us": 0xA1B2C3D4}
LINK_ETHERNET = 1
RECORD_BYTES = 16
BUFFER_BYTES = 1 << 20
_RECORD = struct.Struct("<IIII")

Block = tuple[np.ndarray, np.ndarray]  # times int64 [n] in ns, frames uint8 [n, bytes]


class CaptureWriter:
    """Writes one capture; `.gz` in the name compresses it, without file name and time: equal input, equal bytes."""

    def __init__(self, path: Path, resolution: str = "ns", snaplen_bytes: int = 65_535):
        self._open = ExitStack()
        raw: Any = self._open.enter_context(path.open("wb"))
        if path.suffix == ".gz":
            packed = gzip.GzipFile(filename="", mode="wb", fileobj=raw, compresslevel=9, mtime=0)
            raw = self._open.enter_context(packed)
        self._buffered = io.BufferedWriter(raw, BUFFER_BYTES)
        self._unit_ns = 1 if resolution == "ns" else 1000
        self._snaplen = snaplen_bytes
        self.packets = 0
        self._buffered.write(struct.pack("<IHHiIII", MAGIC[resolution], 2, 4, 0, 0, snaplen_bytes, LINK_ETHERNET))

    def __enter__(self) -> CaptureWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self._buffered.flush()
        self._open.close()

    def write(self, frames: list[Frame], blocks: list[Block]) -> None:
        """Write all of these, merged by time; frames are in order already, and none is older than what was written."""
        frames = [(at_ns, piece) for at_ns, whole in frames for piece in fragments(whole)]
        self.packets += len(frames) + sum(len(times) for times, _ in blocks)
        if not blocks:
            self._buffered.write(b"".join(map(self._record, frames)))
            return
        times = np.concatenate(
            [np.fromiter((at_ns for at_ns, _ in frames), np.int64, len(frames)), *(times for times, _ in blocks)]
        )
        lengths = np.concatenate(
            [
                np.fromiter((self._length(seen) for _, seen in frames), np.int64, len(frames)),
                *(np.full(len(times), self._length(rows[0]) if len(rows) else 0) for times, rows in blocks),
            ]
        )
        order = np.argsort(times, kind="stable")
        starts = np.empty(len(times), np.int64)
        starts[order] = np.concatenate(([0], np.cumsum(lengths[order])[:-1]))
        out = np.empty(int(lengths.sum()), np.uint8)
        for at, start in zip(frames, starts[: len(frames)].tolist(), strict=True):
            record = self._record(at)
            out[start : start + len(record)] = np.frombuffer(record, np.uint8)
        done = len(frames)
        for block in blocks:
            records = self._records(*block)
            out[starts[done : done + len(records), None] + np.arange(records.shape[1])] = records
            done += len(records)
        self._buffered.write(out.data)

    def _length(self, seen) -> int:
        return RECORD_BYTES + min(len(seen), self._snaplen)

    def _record(self, at: Frame) -> bytes:
        at_ns, seen = at
        kept = seen[: self._snaplen]
        return _RECORD.pack(at_ns // NS_PER_S, at_ns % NS_PER_S // self._unit_ns, len(kept), len(seen)) + kept

    def _records(self, times: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """uint8 [n, record bytes]: the records of one block."""
        kept = rows[:, : self._snaplen]
        heads = np.empty((len(rows), 4), "<u4")
        heads[:, 0], heads[:, 1] = times // NS_PER_S, times % NS_PER_S // self._unit_ns
        heads[:, 2], heads[:, 3] = kept.shape[1], rows.shape[1]
        return np.concatenate((heads.view(np.uint8), kept), axis=1)
