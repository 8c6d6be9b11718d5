"""Live capture under load: how much of a link each contender keeps up with, and what it costs."""
