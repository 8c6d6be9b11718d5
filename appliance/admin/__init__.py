"""The admin socket: how an operator's commands reach the running service."""
