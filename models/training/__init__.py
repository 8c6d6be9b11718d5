"""How the shipped bundles are made. Needs the extra `[train]`; nothing that screens imports this package."""
