"""1:1 with a template that its person keeps: given once, brought each time, revoked at a word."""

from typing import Annotated

from pydantic import Field, StringConstraints

from moiety.access import Permission
from moiety.access.device_proofs import to_text
from moiety.api import faces
from moiety.api.person_schemas import raw
from moiety.api.persons import ONE, Reasoned
from moiety.api.routes import Routes
from moiety.api.schemas import Case, Face, Given, Picture, Reason, Taken, Verified
from moiety.api.visits import Here, TheCaller, TheGallery, TheHouse, asker_of, form_of
from moiety.foundation.ids import SubjectId

routes = Routes("people")

Template = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{40,4096}$"), Field(repr=False)]


class OwnForm(Taken):
    """A picture of a person who keeps the template, and the key to which it is sealed."""

    image: Picture
    holder_key: Annotated[
        str, StringConstraints(pattern=r"^([A-Za-z0-9_-]{43})?$"), Field(description="Raw X25519 key in base64url.")
    ] = ""
    reason: Reason
    case: Case = ""


class BroughtForm(Taken):
    """A picture, and the template that the person brought, opened by their key."""

    image: Picture
    template: Template
    reason: Reason
    case: Case = ""


class OwnMade(Given):
    """The template, in base64url: for its person alone, and nowhere kept here. `sealed`: it opens by their key only."""

    template: str
    sealed: bool
    face: Face


@routes.add(
    "POST",
    ONE + "/own-template",
    permission=Permission.SUBJECT_ENROL,
    form=OwnForm,
    status_code=201,
    summary="Give somebody their template",
)
async def give_own(visit: Here, subject: str, house: TheHouse, caller: TheCaller, gallery: TheGallery) -> OwnMade:
    """Make a template that the person keeps: for 1:1 alone, at no vault, and known here by its hash."""
    form = form_of(visit, OwnForm)
    asker, key = asker_of(caller, form.reason, form.case), raw(form.holder_key)
    amends = caller.may(Permission.SUBJECT_AMEND, gallery.id)
    made = await house.own.give(gallery, SubjectId(subject), form.image, key, asker, amends=amends)
    return OwnMade(template=to_text(made.template), sealed=bool(key), face=faces.told(made.face))


@routes.add(
    "POST",
    ONE + "/own-template/verify",
    permission=Permission.PROBE_VERIFY,
    form=BroughtForm,
    summary="Verify (1:1) with their template",
)
async def verify_own(visit: Here, subject: str, house: TheHouse, caller: TheCaller, gallery: TheGallery) -> Verified:
    """Say whether the biggest face of the picture is that of the template which the person brought."""
    form = form_of(visit, BroughtForm)
    asker, template = asker_of(caller, form.reason, form.case), raw(form.template)
    verdict = await house.own.verify(gallery, SubjectId(subject), form.image, template, asker)
    return Verified(same=verdict.same, band=verdict.band, face=faces.told(verdict.faces[0]))


@routes.add(
    "DELETE",
    ONE + "/own-template",
    permission=Permission.SUBJECT_ERASE,
    status_code=204,
    summary="Revoke their template",
)
async def revoke_own(subject: str, reason: Reasoned, house: TheHouse, caller: TheCaller, gallery: TheGallery) -> None:
    """Let the template pass no more, wherever it is."""
    await house.own.revoke(gallery, SubjectId(subject), asker_of(caller, reason))
