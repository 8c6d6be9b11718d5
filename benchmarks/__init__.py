"""How fast the pipeline is, beside others on the same files: `make bench`."""
