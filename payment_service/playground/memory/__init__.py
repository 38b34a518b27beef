"""The in-memory world under virtual time: store, bus, core and providers as fakes.

Each fake passes the same suite as the real thing. All that happens goes through
:mod:`.effects`, where any of it can go wrong; :mod:`.world` puts them together by hand,
:mod:`.loop` runs whole processes on them in an order drawn from a seed.
"""
