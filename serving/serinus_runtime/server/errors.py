"""What a client is told when a request can't be answered.

RequestError(status, message)
├── BadRequest      400  wrong input: names the field, what is expected and what came
├── NotFound        404  no such model, version or path
├── TooLarge        413  the body is over the limit
└── Overloaded      503  come back in a second
"""

from __future__ import annotations


class RequestError(Exception):
    """A request that gets an error answer."""

    status = 500

    def __init__(self, message: str) -> None:
        self.message = message
        super().__init__(message)


class BadRequest(RequestError):
    """Wrong input."""

    status = 400


class NotFound(RequestError):
    """No such thing here."""

    status = 404


class TooLarge(RequestError):
    """The body is over the limit."""

    status = 413


class Overloaded(RequestError):
    """More requests at once than the server takes."""

    status = 503
