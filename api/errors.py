"""What goes wrong, as HTTP answers: status, code, text and the body that both official readers understand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import msgspec

from engine.errors import OutOfMemory, Refused, Unavailable

Header = tuple[bytes, bytes]

RETRY_AFTER: Header = (b"retry-after", b"1")


class Detail(msgspec.Struct):
    """One of several reasons."""

    code: str
    message: str


class ApiError(Exception):
    """An answer that is an error; the subclasses name status and code."""

    status: ClassVar[int] = 500
    code: str = "InternalServerError"
    headers: Sequence[Header] = ()

    def __init__(
        self, message: str, *, code: str = "", details: Sequence[Detail] = (), headers: Sequence[Header] = ()
    ):
        super().__init__(message)
        self.message = message
        self.code = code or self.code
        self.details = details
        self.headers = headers or self.headers


class BadRequest(ApiError):
    """The request itself is wrong."""

    status = 400
    code = "BadRequest"


class Denied(ApiError):
    """Not signed, or not with a key of this router."""

    status = 401
    code = "Denied"
    headers = ((b"www-authenticate", b"HMAC-SHA256"),)


class NotFound(ApiError):
    """No such path, entity, offer or assignment."""

    status = 404
    code = "NotFound"


class MethodNotAllowed(ApiError):
    """The path exists, but not for this method."""

    status = 405
    code = "MethodNotAllowed"


class TooSlow(ApiError):
    """The body of a request did not come in time."""

    status = 408
    code = "RequestTimeout"
    headers = ((b"connection", b"close"),)


class Conflict(ApiError):
    """The entity is in the wrong state, or in use."""

    status = 409
    code = "Conflict"


class Gone(ApiError):
    """What is asked for was kept for a while and is not kept any more."""

    status = 410
    code = "Gone"


class PreconditionFailed(ApiError):
    """A conditional request whose condition does not hold."""

    status = 412
    code = "PreconditionFailed"


class TooLarge(ApiError):
    """The body is larger than the server takes."""

    status = 413
    code = "RequestEntityTooLarge"


class TooManyRequests(ApiError):
    """The router is asked more than its limit allows; the answer tells when to come again."""

    status = 429
    code = "TooManyRequests"


class HeadTooLarge(ApiError):
    """The request line and the headers are larger than the server takes."""

    status = 431
    code = "RequestHeaderFieldsTooLarge"


class ServiceUnavailable(ApiError):
    """The store cannot answer now, or its answer was lost: the client may repeat the request."""

    status = 503
    code = "ServiceUnavailable"
    headers = (RETRY_AFTER,)


class Overloaded(ServiceUnavailable):
    """More is under way than the process takes on: the request was refused at once, and nothing was done."""


# ---- what the engine refuses -------------------------------------------------------------------------------

_SIMPLE: dict[str, type[ApiError]] = {
    "NOT_FOUND": NotFound,
    "CONFLICT": Conflict,
    "TAKEN": Conflict,
    "LIMIT": Conflict,
    "INVALID": BadRequest,
    "BAD_CALL": BadRequest,
    "CHANGED": ServiceUnavailable,
    "VERSION": ServiceUnavailable,
}

_CONFLICTS = {
    "active": "JobStatus: The job is neither closed nor cancelled",
    "jobs": ": There is active job with this queue",
    "fallback": ": There is classification policy with this queue as fallback queue",
    "workers": ": There is an assigned worker to this queue",
    "assignments": ": There is active job assigned to this worker",
}

_BAD_REQUESTS = {
    "classification": Detail(
        "ActiveJobWithClassificationPolicyExist", "There is active job with this classification policy"
    ),
    "distribution": Detail(
        "QueueExistsWithDistributionPolicy", "There is a queue with this distribution policy"
    ),
    "exception": Detail("QueueExistsWithExceptionPolicy", "There is a queue with this exception policy"),
}


def from_engine(error: Refused | Unavailable) -> ApiError:
    """The answer for what the engine refused or could not do."""
    if isinstance(error, Unavailable):
        code = "OutOfMemory" if isinstance(error, OutOfMemory) else ""
        return ServiceUnavailable(str(error), code=code)
    if error.code == "IN_USE":
        return _in_use(error.text.split())
    return _SIMPLE.get(error.code, ApiError)(error.text)


def _in_use(words: list[str]) -> ApiError:
    """The recorded answers of deleting what is in use: policies 400 with details, all else 409 with lines."""
    details = [_BAD_REQUESTS[word] for word in words if word in _BAD_REQUESTS]
    if details:
        return BadRequest("One or more validation errors occurred.", details=details)
    lines = "".join(f"\r\n -- {_CONFLICTS.get(word, word)}" for word in words)
    return Conflict(f"Validation failed: {lines}")


# ---- the body ----------------------------------------------------------------------------------------------


class _Error(msgspec.Struct, omit_defaults=True):
    code: str
    message: str
    target: str
    details: Sequence[Detail] = ()


class _Envelope(msgspec.Struct, rename="camel"):
    """The specification says `error`, the real service answered `communicationError`: clients read either."""

    error: _Error
    communication_error: _Error


def body(error: ApiError, target: str) -> bytes:
    """The JSON body of an error; ``target`` is the request's path."""
    content = _Error(error.code, error.message, target, error.details)
    return msgspec.json.encode(_Envelope(content, content))
