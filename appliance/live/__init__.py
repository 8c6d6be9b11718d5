"""The running service: the threads, and what keeps them going and says how they are."""
