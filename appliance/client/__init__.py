"""The commands that ask the running service, and how their answers look."""
