"""Live sources: what brings packets within reach of the engine, and says how it fares."""
