"""The pure core: values, lifecycles and decisions. No I/O, no clock.

``domain`` has the values, ``engine`` what all flows share, ``payout`` the lifecycle of
an attempt at a payout provider; ``flows`` puts them together.
"""
