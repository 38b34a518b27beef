"""The command line: what operators type, and the one line they read when it fails."""

from payment_service.cli.entry_point import main

__all__ = ["main"]
