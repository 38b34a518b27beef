"""Examines everything around the service, and says how to mend what is wrong."""

from payment_service.cli.doctor.examination import examine

__all__ = ["examine"]
