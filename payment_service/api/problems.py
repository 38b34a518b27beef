"""Turns what was raised into problem documents; what is ours to know stays inside."""

import secrets
from collections.abc import Awaitable, Callable

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import Request
from starlette.responses import Response

from fsm.domain.errors import InvalidRequest, Later, PaymentServiceError, Refusal
from fsm.domain.field_errors import in_parameter
from payment_service.api.responses import RETRY_AFTER, ProblemResponse
from payment_service.api.strict import warn, with_warnings

Report = Callable[[str, Exception], None]
Handler = Callable[[Request, Exception], Awaitable[Response]]


def install(app: FastAPI, report: Report) -> None:
    """Let every failure of ``app`` end in a problem document; call it last."""
    handlers: dict[type[Exception], Handler] = {
        HTTPException: _http,
        RequestValidationError: _parameters,
        Refusal: _ours,
        Later: _ours,
    }
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, handler)
    # The framework's own last resort answers, and then raises the failure again: a
    # server would print it, with what no log may hold.
    app.add_middleware(ExceptionMiddleware, handlers={Exception: _unexpected(report)})


async def _http(request: Request, failure: Exception) -> Response:
    del request
    if not isinstance(failure, HTTPException):
        raise failure
    return ProblemResponse(
        failure.status_code, str(failure.detail), headers=failure.headers or {}
    )


async def _parameters(request: Request, failure: Exception) -> Response:
    if not isinstance(failure, RequestValidationError):
        raise failure
    errors = [
        in_parameter(".".join(map(str, found["loc"][1:])), found["msg"])
        for found in failure.errors()
    ]
    refusal = InvalidRequest("; ".join(map(str, errors)), errors=errors)
    return await _ours(request, refusal)


async def _ours(request: Request, failure: Exception) -> Response:
    if not isinstance(failure, PaymentServiceError):
        raise failure
    if isinstance(failure, InvalidRequest):
        warn(request, failure.warnings)
    headers = RETRY_AFTER if isinstance(failure, Later) else {}
    problem = ProblemResponse(
        failure.status, failure.told(), headers=headers, members=failure.members()
    )
    return with_warnings(request, problem)


def _unexpected(report: Report) -> Handler:
    async def answer(request: Request, failure: Exception) -> Response:
        del request
        correlation_id = secrets.token_hex(8)
        report(correlation_id, failure)
        return ProblemResponse(
            500,
            "Something went wrong here; tell us the correlation_id.",
            members={"correlation_id": correlation_id},
        )

    return answer
