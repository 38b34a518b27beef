"""The program's name, and what its exit codes mean."""

from typing import Final

NAME: Final = "payment-service"
ASKS: Final = "_PAYMENT_SERVICE_COMPLETE"
"""What a shell sets where it asks for words in place of a command."""
EXIT_CODES: Final = (
    ("0", "done"),
    ("1", "something was found wrong, or could not be done"),
    ("2", "wrong usage or settings"),
    ("130", "interrupted"),
)
"""What a command ends with; docs/contract.md has the same."""
