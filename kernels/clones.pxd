# cython: language_level=3
"""SW_CLONES: a C function, with all that it calls, compiled for wider vectors as well; the loader takes what the
processor has.

A wheel must run on every box, and loops over features cost half with 32 bytes at once. The macro is empty where there
is no such choice: on arm64, whose vectors have 16 bytes, and without the indirect functions of glibc. The results must
be the same, so nothing in such a function may depend on how operations are fused or ordered.
"""
cdef extern from *:
    """
    #ifndef SW_CLONES
    #include <stdint.h>     /* says whether this is glibc */
    #if defined(__x86_64__) && defined(__GLIBC__)
    #define SW_CLONES __attribute__((flatten, target_clones("avx2", "default")))
    #else
    #define SW_CLONES
    #endif
    #endif
    """
