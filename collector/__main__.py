"""`python -m collector`: the command without its script."""

from collector.cli import main

main()
