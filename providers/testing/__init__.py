"""The world that tests play: simulated providers and core, and the conformance kit."""
