"""What the Makefile uses; nothing of it is installed."""
