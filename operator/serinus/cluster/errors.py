"""What can go wrong with Kubernetes, told apart by who does what next.

::

    KubeError
    ├── Conflict        the object changed meanwhile: gather again
    ├── NotFound        it is gone: forget it
    ├── AlreadyExists   somebody made it first: look whose it is
    ├── Forbidden       a right is missing: a person has to give it; tried again with backoff
    │   └── NamespaceTerminating    the namespace goes away: leave it alone
    ├── Invalid         the server refuses the object: our bug or a policy; tried again with backoff
    └── Transient       connection, timeout, 429, 5xx: tried again with backoff
    LeaseLost           another process may lead: this one ends
"""

from __future__ import annotations

from collections.abc import Collection


class KubeError(Exception):
    """A request to the API server failed.

    Attributes
    ----------
    request
        Method and path, for the log.
    code
        HTTP status; 0 when there was no answer.
    reason
        Reason of the server's Status object, such as `NotFound`.
    """

    def __init__(self, request: str, *, code: int, reason: str, message: str) -> None:
        self.request = request
        self.code = code
        self.reason = reason
        self.message = message
        super().__init__(f"{request}: {code or 'no answer'} {reason}: {message}")


class Conflict(KubeError):
    """Its resourceVersion or uid is another one by now."""


class NotFound(KubeError):
    """There is no such object, or no such resource."""


class AlreadyExists(KubeError):
    """An object of this name is there."""


class Forbidden(KubeError):
    """The operator has no right to do this."""


class NamespaceTerminating(Forbidden):
    """Nothing new may be made in a namespace that is going away."""


class Invalid(KubeError):
    """The server understood the object and refuses it."""


class Transient(KubeError):
    """It may work the next time. The server may have done it all the same."""


class LeaseLost(Exception):
    """The right to write is gone: another process may lead."""


def error_of(
    request: str, code: int, reason: str, message: str, *, causes: Collection[str] = ()
) -> KubeError:
    """The error for an answer with HTTP status `code`; the rest is from its Status object."""
    error: type[KubeError]
    match code, reason:
        case 404, _:
            error = NotFound
        case 409, "AlreadyExists":
            error = AlreadyExists
        case 409, _:
            error = Conflict
        case 403, _ if "NamespaceTerminating" in causes:
            error = NamespaceTerminating
        case 401 | 403, _:
            error = Forbidden
        case 408 | 429, _:
            error = Transient
        case _ if code >= 500:
            error = Transient
        case _:
            error = Invalid
    return error(request, code=code, reason=reason, message=message)
