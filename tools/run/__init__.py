"""What `make run` does: a box, a collector with its console and simulated traffic, together and for show."""
