"""The way to the collector: the box's certificate, and its reports."""
