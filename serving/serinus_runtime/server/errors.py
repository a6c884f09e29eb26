"""What a client is told when a request can't be answered.

RequestError(status, message)
├── BadRequest      400  wrong input: names the field, what is expected and what came
│   ├── NotJson     400  the body can't be read at all
│   └── NotJudgedHere  400  labels of a prediction that this pod's model knows nothing of
├── NotFound        404  no such model, version or path
├── WrongMethod     405  there is such a path, for another method
├── TooSlow         408  the request didn't come whole in time, or gave way to others
├── TooLarge        413  the body, or the number of rows in it, is over the limit
│   └── Endless     413  so far over it that the rest isn't read: the connection ends
├── UnknownEncoding     415  the body is in a content encoding that isn't read
├── UnknownExpectation  417  the request expects what nobody here does
├── HeadTooLarge    431  the request line and the headers are over the limit
├── NotPossible     501  not with this model, or not by this server; says what to do instead
├── Overloaded      503  come back later; says when
├── Unanswered      504  the answer wasn't there in the time that it may take
└── WrongVersion    505  of HTTP
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

Headers: TypeAlias = tuple[tuple[bytes, bytes], ...]


class RequestError(Exception):
    """A request that gets an error answer, with `headers` beside type and length."""

    status = 500
    headers: Headers = ()

    def __init__(self, message: str) -> None:
        self.message = message
        super().__init__(message)


class BadRequest(RequestError):
    """Wrong input."""

    status = 400


class NotJson(BadRequest):
    """The body isn't JSON."""


class NotJudgedHere(BadRequest):
    """Labels for a prediction that another model made; a pod that has it can judge them."""


class NotFound(RequestError):
    """No such thing here."""

    status = 404


class WrongMethod(RequestError):
    """The path is known, with other methods, which a client is told (RFC 9110, 15.5.6)."""

    status = 405

    def __init__(self, message: str, allowed: Sequence[str]) -> None:
        self.headers = ((b"allow", ", ".join(allowed).encode()),)
        super().__init__(message)


class TooSlow(RequestError):
    """The client took too long."""

    status = 408


class TooLarge(RequestError):
    """The body, or what it holds, is over the limit."""

    status = 413


class Endless(TooLarge):
    """The body goes on and on."""

    headers = ((b"connection", b"close"),)


class UnknownEncoding(RequestError):
    """The body can't be decompressed; says what can (RFC 9110, 12.5.3)."""

    status = 415
    headers = ((b"accept-encoding", b"gzip, deflate"),)


class UnknownExpectation(RequestError):
    """The client expects something of the server that it doesn't do."""

    status = 417


class HeadTooLarge(RequestError):
    """The head is over the limit."""

    status = 431


class NotPossible(RequestError):
    """The model can't be asked this, or the server not in this way."""

    status = 501


class Overloaded(RequestError):
    """More at once than the server takes."""

    status = 503

    def __init__(self, message: str, retry_after_seconds: int = 1) -> None:
        self.headers = ((b"retry-after", b"%d" % retry_after_seconds),)
        super().__init__(message)


class Unanswered(RequestError):
    """The request waited for its answer for as long as it may."""

    status = 504


class WrongVersion(RequestError):
    """Another HTTP than those that are spoken here."""

    status = 505


def not_looked_up(error: BadRequest) -> Overloaded:
    """What a request is told that would be whole if its values could be looked up."""
    return Overloaded(
        f"{error.message}. Values that the request leaves out can't be looked up now; try again in "
        "1 s, or give them"
    )
