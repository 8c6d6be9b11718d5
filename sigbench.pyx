# cython: language_level=3
import time
from libc.string cimport memset
from libc.stdint cimport uint32_t, uint64_t
from capture.sip cimport SipMessage, sip_read_datagram
from kernels.calls cimport Call
from kernels.fingerprint cimport Signalling, signalling_read
from kernels.identity cimport Identity, identity_read
from kernels.signalling cimport Style, style_attempt, style_call_features
def go(bytes m, int n):
    cdef SipMessage r
    cdef Signalling s
    cdef Identity d
    cdef Style st
    cdef Call call
    cdef float[200] row
    cdef int i
    cdef uint64_t x = 0
    cdef const unsigned char* p = m
    cdef uint32_t l = <uint32_t>len(m)
    memset(&st, 0, sizeof(st)); memset(&call, 0, sizeof(call))
    for i in range(12): call.caller_e164[i] = c'4'; call.callee_e164[i] = c'4'
    sip_read_datagram(p, l, &r)
    t0=time.perf_counter()
    with nogil:
        for i in range(n):
            signalling_read(&r,&s); x ^= s.fingerprint
    t1=time.perf_counter()
    with nogil:
        for i in range(n):
            identity_read(&r,&d); x ^= d.verstat
    t2=time.perf_counter()
    with nogil:
        for i in range(n):
            x ^= sip_read_datagram(p, l, &r)
    t3=time.perf_counter()
    call.signalling = s
    with nogil:
        for i in range(n):
            style_attempt(&st, &call, i*1000000)
    t4=time.perf_counter()
    with nogil:
        for i in range(n):
            style_call_features(&st, &st, &call, n*1000000+i*1000000, row)
    t5=time.perf_counter()
    return [round((b-a)/n*1e9,1) for a,b in ((t0,t1),(t1,t2),(t2,t3),(t3,t4),(t4,t5))], x
