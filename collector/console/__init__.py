"""The web console: pages rendered here, without scripts and without anything from elsewhere."""
