"""What to install where the playground is missing: the world that plays our neighbours.

The image of the service has neither its modules nor what they need, and an installation
without the extra `playground` has its modules alone.
"""

from typing import Final

_IMAGE: Final = "its Dockerfile's target `playground` has it"
_SIMULATED: Final = "install payment-service[playground]"
_DEMO: Final = "install payment-service[playground,embedded]"
_LEFT_OUT: Final = {
    "providers.testing": f"the simulator and the kit are not part of this image: "
    f"{_IMAGE}; or {_SIMULATED}",
    "payment_service.playground": "the demo and the desk are not part of "
    f"this image: {_DEMO}",
    "aiohttp": f"the simulator, the demo and the desk need aiohttp: {_DEMO}",
}


def what_is_left_out(error: BaseException) -> str | None:
    """Say what is not there, and where it is; None where the error is about another."""
    if not isinstance(error, ModuleNotFoundError) or error.name is None:
        return None
    return next(
        (
            told
            for name, told in _LEFT_OUT.items()
            if error.name == name or error.name.startswith(f"{name}.")
        ),
        None,
    )
