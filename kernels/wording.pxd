# cython: language_level=3
"""Numbers of feature rows as people read them."""

# A value of a feature with such a unit, and such words for its values when it is a flag or class.
cpdef str text(str unit, tuple words, double value)
# To six digits behind the point, as round() has it.
cpdef double rounded(double value)
# Four significant digits: sketches and decayed counts are no more exact than that. None for NaN, not known.
cpdef object shortened(double value)
