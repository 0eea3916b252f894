"""What a handler gets of its request: the visit, who asks, the gallery of the path, the form."""

from typing import Annotated, TypeVar

from fastapi import Depends, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

from moiety.access import Caller
from moiety.api.routes import Visit
from moiety.foundation.errors import Unauthenticated, UnknownGallery
from moiety.matching.desk import Asker
from moiety.matching.signing import Signing, Unsigned
from moiety.people.house import House
from moiety.storage import Gallery

_Form = TypeVar("_Form", bound=BaseModel)


def visit_of(request: Request) -> Visit:
    """Give the visit that the guard wrote down."""
    visit: Visit = request.state.visit
    return visit


Here = Annotated[Visit, Depends(visit_of)]


def _house(visit: Here) -> House:
    return visit.gate.house


def _caller(visit: Here) -> Caller:
    if visit.visitor is None:
        raise Unauthenticated
    return visit.visitor.caller


def _gallery(visit: Here) -> Gallery:
    if visit.gallery is None:
        raise UnknownGallery
    return visit.gallery


TheHouse = Annotated[House, Depends(_house)]
TheCaller = Annotated[Caller, Depends(_caller)]
TheGallery = Annotated[Gallery, Depends(_gallery)]


def asker_of(caller: Caller, reason: str, case: str = "", signing: Signing | None = None) -> Asker:
    """Say who asks and why, and how the signatures come."""
    return Asker(caller.key_id, reason, case, signing or Unsigned(), caller.session)


def form_of(visit: Visit, model: type[_Form]) -> _Form:
    """Check the form against its model.

    Raises:
        RequestValidationError: it does not fit.

    """
    try:
        return model.model_validate(visit.form)
    except ValidationError as error:
        raise RequestValidationError(error.errors(include_input=False, include_url=False)) from None
