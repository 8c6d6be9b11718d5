"""What keeps the appliance from seeing and judging calls, and how to cure it."""
