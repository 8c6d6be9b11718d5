# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Sends prepared frames through a packet socket at an even rate, each round with calls and numbers of its own.

tcpreplay ends at about 280,000 packets/s here, sends the same calls again and again, and in bursts. This keeps to a
plan: packet i is due i / rate after the start. Those that are due go out with one system call, and then it sleeps for
50 us, so that bursts stay below rate * 50 us; what it is behind after it was put off is made up for. Built by `make
bench-live` only.
"""
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memset
from posix.time cimport CLOCK_MONOTONIC, clock_gettime, timespec

cdef extern from "sys/uio.h" nogil:
    struct iovec:
        void* iov_base
        size_t iov_len

cdef extern from "sys/socket.h" nogil:
    struct msghdr:
        iovec* msg_iov
        size_t msg_iovlen
    int sendmmsg(int socket, mmsghdr* messages, unsigned int count, int flags)

cdef extern from *:
    """
    #include <sys/prctl.h>
    #include <time.h>
    typedef struct mmsghdr mmsghdr;
    """
    struct mmsghdr:
        msghdr msg_hdr
    int prctl(int option, unsigned long value) nogil
    int PR_SET_TIMERSLACK
    int clock_nanosleep(int clock, int flags, const timespec* wanted, timespec* left) nogil

cdef enum:
    BATCH = 64                  # frames of one system call
    PAUSE_NS = 50_000


cdef inline int64_t now_ns() noexcept nogil:
    cdef timespec now
    clock_gettime(CLOCK_MONOTONIC, &now)
    return <int64_t>now.tv_sec * 1_000_000_000 + now.tv_nsec


cdef inline void pause(int64_t wanted_ns) noexcept nogil:
    cdef timespec wanted
    wanted.tv_sec = 0
    wanted.tv_nsec = wanted_ns
    clock_nanosleep(CLOCK_MONOTONIC, 0, &wanted, NULL)


cdef class Sender:
    """`frames`: all bytes; `ends`: uint32 [n], where each frame ends in them.

    `places`: uint32 [m], rising: where in `frames` a digit stands that is counted on; `weights`: uint32 [m]: every how
    many rounds.
    """
    cdef uint8_t[::1] frames
    cdef const uint32_t[::1] ends
    cdef const uint32_t[::1] places
    cdef const uint32_t[::1] weights
    cdef const uint8_t[::1] digits
    cdef Py_ssize_t next_frame
    cdef Py_ssize_t next_place
    cdef uint32_t round
    cdef mmsghdr messages[BATCH]
    cdef iovec vectors[BATCH]
    cdef readonly uint64_t sent
    cdef readonly double elapsed_s
    cdef readonly double most_behind_s      # how late a packet was sent at most: 0 without a rate

    def __init__(self, frames, ends, places, weights):
        self.frames, self.ends, self.places, self.weights = frames, ends, places, weights
        self.digits = bytes([frames[place] - 48 for place in places])
        cdef int i
        memset(self.messages, 0, sizeof(self.messages))
        for i in range(BATCH):
            self.messages[i].msg_hdr.msg_iov = &self.vectors[i]
            self.messages[i].msg_hdr.msg_iovlen = 1

    def send(self, int socket, double rate, uint64_t count) -> None:
        """Sends `count` packets, `rate` a second, or as fast as can be when it is 0. Raises OSError."""
        cdef int error
        with nogil:
            prctl(PR_SET_TIMERSLACK, 1)
            error = self._send(socket, rate, count)
        if error:
            raise OSError(f"{error} frames could not be sent")

    cdef int _send(self, int socket, double rate, uint64_t count) noexcept nogil:
        cdef int64_t began_ns = now_ns()
        cdef int64_t elapsed_ns
        cdef uint64_t due
        cdef int ready, done, gone
        while self.sent < count:
            elapsed_ns = now_ns() - began_ns
            due = <uint64_t>(rate * elapsed_ns * 1e-9) + 1 if rate > 0 else count
            due = min(due, count)
            if due <= self.sent:
                pause(PAUSE_NS)
                continue
            if rate > 0:
                self.most_behind_s = max(self.most_behind_s, elapsed_ns * 1e-9 - self.sent / rate)
            ready = self._prepare(<int>min(due - self.sent, <uint64_t>BATCH))
            done = 0
            while done < ready:
                gone = sendmmsg(socket, &self.messages[done], ready - done, 0)
                if gone <= 0:
                    return ready - done
                done += gone
            self.sent += ready
        self.elapsed_s = (now_ns() - began_ns) * 1e-9
        return 0

    cdef int _prepare(self, int wanted) noexcept nogil:
        """Fills the batch with the next frames, marked with the round. How many: not beyond the end of a round."""
        cdef int i
        cdef uint32_t begin
        cdef Py_ssize_t place
        if self.next_frame == self.ends.shape[0]:
            self.next_frame = self.next_place = 0
            self.round += 1
        wanted = <int>min(<Py_ssize_t>wanted, self.ends.shape[0] - self.next_frame)
        for i in range(wanted):
            begin = self.ends[self.next_frame - 1] if self.next_frame else 0
            self.vectors[i].iov_base = &self.frames[begin]
            self.vectors[i].iov_len = self.ends[self.next_frame] - begin
            place = self.next_place
            while place < self.places.shape[0] and self.places[place] < self.ends[self.next_frame]:
                self.frames[self.places[place]] = <uint8_t>(
                    48 + (self.digits[place] + self.round // self.weights[place]) % 10)
                place += 1
            self.next_place = place
            self.next_frame += 1
        return wanted
