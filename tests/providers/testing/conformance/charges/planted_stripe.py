"""Adapters of Stripe's charges that guess about a customer who is not there."""

from providers.port import Accepted, Declined
from providers.stripe.charges import StripeCharges


class WaitingIsNo(StripeCharges):
    """It cancels nothing: the customer may pay later all the same."""

    async def _with_nobody_there(self, said, context, until):
        del context, until
        waits = isinstance(said, Accepted) and said.evidence["status"] != "processing"
        return Declined(code="authentication_required") if waits else said


class CancelIsNo(StripeCharges):
    """It cancels, and does not wait for what comes of it."""

    async def _with_nobody_there(self, said, context, until):
        answer = await super()._with_nobody_there(said, context, until)
        no = Declined(code="authentication_required")
        return answer if answer is said else no


class WaitingIsLeft(StripeCharges):
    """It leaves it to wait for ever."""

    async def _with_nobody_there(self, said, context, until):
        del context, until
        return said
