"""`python -m appliance`: the command without its script."""

from appliance.cli import main

main()
