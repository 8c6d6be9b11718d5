"""Honest populations: the ones that make detection hard are the point.

Each draws its moments from a daily curve, knows whom it calls and why, and is answered in its own way. What they share
with a fraud (many strangers, short calls, a steady beat, one address) is said in their docstrings.
"""
