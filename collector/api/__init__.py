"""The REST API of the collector."""
