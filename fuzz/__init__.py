"""Mutated input against the readers, compiled with sanitizers: `make fuzz`."""
