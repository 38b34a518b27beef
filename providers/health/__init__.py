"""Whether a provider may be given new work: pure logic, without I/O.

A window of what its calls came to, the breaker that looks at it, the budget of calls,
the calendar of its maintenance, and the keeper that asks them all.
"""
