"""Runs the command line: ``python -m payment_service``."""

import sys

from payment_service.cli import main

if __name__ == "__main__":
    sys.exit(main())
