"""What all adapters have in common when they read answers."""

from providers.http import outbound
from providers.http.outbound import Lost, Response
from providers.port import NotSent, Unclear

Answer = Response | outbound.RequestNotSent | Lost


def unanswered(answer: outbound.RequestNotSent | Lost) -> NotSent | Unclear:
    """Return what follows from no answer."""
    if isinstance(answer, Lost):
        return Unclear(because=answer.because)
    return NotSent(because=answer.because, ours=answer.ours, lacking=answer.lacking)
