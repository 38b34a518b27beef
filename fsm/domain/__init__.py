"""The words of the business: money, orders, messages, ids, errors."""
