"""The one map from errors to HTTP: every refusal becomes `application/problem+json` (RFC 9457).

An answer never repeats what was sent: no value, no name of a field that we do not know, no exception text.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import JSONResponse

from moiety.foundation import errors
from moiety.foundation.errors import RateLimited, Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MEDIA_TYPE: Final = "application/problem+json"
URN: Final = "urn:moiety:problem:"
RETRY_SECONDS: Final = 1

# Status and title of each refusal. A class without a line of its own would speak with its parent's, so a test asks
# for all of them.
PROBLEMS: Final[Mapping[type[Refusal], tuple[int, str]]] = {
    errors.Refusal: (400, "Refused"),
    errors.BadInput: (400, "Bad request"),
    errors.NotAnImage: (415, "Not an image"),
    errors.ImageDamaged: (422, "Image damaged"),
    errors.ImageTooLarge: (413, "Image too large"),
    errors.ImageAnimated: (415, "Image is animated"),
    errors.NoFace: (422, "No face"),
    errors.ManyFaces: (422, "Many faces"),
    errors.PoorQuality: (422, "Poor quality"),
    errors.CaptureNeeded: (422, "A picture taken here needed"),
    errors.OtherPerson: (422, "Another person"),
    errors.PossibleMorph: (422, "Possibly a morph"),
    errors.ModelMismatch: (409, "Model mismatch"),
    errors.NormOutOfRange: (422, "Vector out of range"),
    # Callers sign nothing yet: what does not verify is the installation's own record, not the request.
    errors.Unverified: (500, "Integrity check failed"),
    errors.NotFound: (404, "Not found"),
    errors.UnknownGallery: (404, "Unknown gallery"),
    errors.UnknownSubject: (404, "Unknown subject"),
    errors.AlreadyThere: (409, "Already there"),
    errors.DuplicatePhoto: (409, "Duplicate photo"),
    errors.Unauthenticated: (401, "Not authenticated"),
    errors.KeyExpired: (401, "Key expired"),
    errors.ProofMissing: (401, "Proof of the device missing"),
    errors.Forbidden: (403, "Not allowed"),
    errors.OnHold: (403, "On legal hold"),
    errors.ConsentNeeded: (403, "Consent needed"),
    errors.MatchingStopped: (403, "Matching stopped"),
    errors.Halted: (403, "Matching halted"),
    errors.Locked: (403, "Account locked"),
    errors.SpareNeeded: (403, "A second passkey needed"),
    errors.NotApproved: (403, "A second person needed"),
    errors.NotDeployed: (403, "Not in use"),
    errors.WarrantRefused: (403, "Warrant refused"),
    errors.SignatureNeeded: (403, "Signature needed"),
    errors.TooMany: (429, "Too many requests"),
    errors.RateLimited: (429, "Too many requests"),
    errors.Unavailable: (503, "Not available"),
    errors.PartDown: (503, "A part is down"),
    errors.OutOfStep: (503, "Vaults out of step"),
    errors.OtherEpoch: (503, "Vaults out of step"),
    errors.HalvesApart: (503, "Halves of different epochs"),
    errors.Busy: (503, "Busy for a moment"),
    errors.ExchangeAborted: (503, "Exchange aborted"),
    errors.CanaryFailed: (503, "Canary failed"),
    errors.DiskFull: (507, "Disk full"),
    errors.ModelsMissing: (503, "Models missing"),
    errors.WireBroken: (503, "Connection broken"),
}

# What HTTP itself refuses, before or beside any of our errors.
HTTP: Final[Mapping[int, tuple[str, str, str]]] = {
    400: ("bad-input", "Bad request", "The request cannot be understood."),
    404: ("not-found", "Not found", "There is nothing at this address."),
    405: ("method-not-allowed", "Method not allowed", "This address does not take that method."),
    408: ("request-timeout", "Request timeout", "The request's body did not arrive in time."),
    413: ("body-too-large", "Body too large", "The request's body is larger than the limit."),
    415: ("unsupported-media-type", "Unsupported media type", "The body has another content type than this needs."),
    421: ("misdirected-request", "Misdirected request", "This server does not answer to that host name."),
    422: ("bad-input", "Bad request", "The request does not fit the description of the API."),
    500: ("internal", "Internal error", "Something went wrong here; it was noted without any of your data."),
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One refusal as HTTP says it."""

    slug: str
    status: int
    title: str
    detail: str
    headers: Mapping[str, str] = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Give its members."""
        told = {"type": URN + self.slug, "title": self.title, "status": self.status, "detail": self.detail}
        return told | dict(self.more)

    def response(self) -> JSONResponse:
        """Say it as problem+json."""
        return JSONResponse(self.as_dict(), self.status, dict(self.headers), MEDIA_TYPE)


def status_of(kind: type[Refusal]) -> tuple[int, str]:
    """Give status and title of a refusal, or of the nearest class that it derives from."""
    return next(PROBLEMS[one] for one in kind.__mro__ if one in PROBLEMS)


def of_refusal(error: Refusal) -> Problem:
    """Map a typed refusal; its sentence is made for users."""
    status, title = status_of(type(error))
    headers = {}
    if isinstance(error, RateLimited | errors.Busy):
        headers["Retry-After"] = str(error.wait_s)
    elif status in {429, 503}:
        headers["Retry-After"] = str(RETRY_SECONDS)
    if status == 401:  # noqa: PLR2004 - RFC 9110, section 15.5.2: a 401 names the scheme
        headers["WWW-Authenticate"] = 'Bearer realm="moiety"'
    return Problem(error.slug, status, title, str(error), headers)


def of_status(status: int, headers: Mapping[str, str] | None = None) -> Problem:
    """Map a status that HTTP or the framework decided on."""
    slug, title, detail = HTTP.get(status, HTTP[500])
    return Problem(slug, status if status in HTTP else 500, title, detail, headers or {})


# What may be said of a value that does not fit: pydantic's own sentences for these speak of the schema alone.
_SAFE: Final = frozenset(
    {
        "bool_parsing",
        "bool_type",
        "bytes_type",
        "datetime_parsing",
        "datetime_type",
        "dict_type",
        "finite_number",
        "float_parsing",
        "float_type",
        "greater_than",
        "greater_than_equal",
        "int_from_float",
        "int_parsing",
        "int_type",
        "less_than",
        "less_than_equal",
        "list_type",
        "missing",
        "string_too_long",
        "string_too_short",
        "string_type",
        "timezone_aware",
        "too_long",
        "too_short",
    }
)


def of_validation(found: Sequence[Any], known: frozenset[str]) -> Problem:
    """Map what pydantic found; places are named only by words of the schema (`known`), values never.

    At most ten are told.
    """
    told = [
        {
            "where": ".".join(str(step) for step in error["loc"] if isinstance(step, int) or step in known),
            "what": error["msg"] if error["type"] in _SAFE else _WHAT.get(error["type"], "does not fit the schema"),
        }
        for error in found[:10]
    ]
    slug, title, detail = HTTP[422]
    first = told[0] if told else {"where": "", "what": ""}
    sentence = f"{detail} {first['where']}: {first['what']}." if first["where"] else detail
    return Problem(slug, 422, title, sentence, {}, {"errors": told})


_WHAT: Final = {
    "extra_forbidden": "has a field that is not known here",
    "json_invalid": "is not valid JSON",
    "json_type": "is not valid JSON",
    "string_pattern_mismatch": "is not of the form that is asked for",
}
