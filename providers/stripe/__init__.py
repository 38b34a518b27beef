"""The adapter `stripe`: payouts and payment intents by Stripe's own API."""

from providers.stripe.provider import StripeProvider

__all__ = ["StripeProvider"]
