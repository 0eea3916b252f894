"""What galleries are used under: impact assessments, thresholds that were lowered, decoys."""

from pydantic import BaseModel
from starlette.responses import Response

from moiety.access import Permission, kinds
from moiety.access.spending import by_two
from moiety.api.guard_schemas import (
    DecoyMade,
    DecoyNew,
    DecoysSeen,
    DeploymentNew,
    DeploymentSeen,
    ThresholdsBody,
    ThresholdsSeen,
)
from moiety.api.questions import Request, answered
from moiety.api.routes import Routes
from moiety.api.schemas import Erased, moment
from moiety.api.subjects import Two, Why
from moiety.api.visits import Here, TheCaller, TheGallery, TheHouse, asker_of
from moiety.foundation.errors import NotFound
from moiety.foundation.ids import ApprovalId, SubjectId
from moiety.matching.desk import Asker
from moiety.people.rules import Stated
from moiety.storage.guard_records import Deployment

routes = Routes("deployments")
GALLERY = "/v1/galleries/{gallery}"


def _seen(one: Deployment, now: float) -> DeploymentSeen:
    return DeploymentSeen(
        assessment=one.assessment,
        review_at=moment(one.review_at),
        police=one.police,
        two_to_search=one.two_to_search,
        overdue=one.review_at <= now,
    )


def approval_of(name: str | None) -> ApprovalId | None:
    """Read an approval's id that came with a request."""
    return ApprovalId(name) if name else None


@routes.add(
    "PUT",
    GALLERY + "/deployment",
    permission=Permission.GALLERY_CREATE,
    body=DeploymentNew,
    summary="Put into use",
)
async def put_deployment(new: DeploymentNew, visit: Here, caller: TheCaller, gallery: TheGallery) -> DeploymentSeen:
    """Say what a gallery is used under, with the approval (`policy`) of exactly these lines."""
    wanted = Deployment(gallery.id, new.assessment, new.review_at.timestamp(), new.police, new.two_to_search)
    spend = by_two(visit.gate.staff, caller, kinds.POLICY, approval_of(new.approval), gallery.id)
    house = visit.gate.house
    made = await house.registry.deploying.put(gallery, wanted, asker_of(caller, new.reason, new.case), spend)
    return _seen(made, house.desk.clock.now())


@routes.add("GET", GALLERY + "/deployment", permission=Permission.GALLERY_LIST, summary="Show what it is used under")
async def show_deployment(house: TheHouse, gallery: TheGallery) -> DeploymentSeen:
    """Show what a gallery is used under, and whether the review is overdue: it then answers nobody."""
    found = await house.registry.deploying.get(gallery)
    if found is None:
        raise NotFound("Nobody has said yet what this gallery is used under.")
    return _seen(found, house.desk.clock.now())


@routes.add("GET", GALLERY + "/thresholds", permission=Permission.GALLERY_CREATE, summary="Show the thresholds")
async def show_thresholds(house: TheHouse, gallery: TheGallery) -> ThresholdsSeen:
    """Show the thresholds that the vaults' keepers put into force, and those that were taken here."""
    now = await house.registry.deploying.at_the_vaults(gallery)
    return ThresholdsSeen(
        policy_version=now.policy_version, at_the_vaults=list(now.thresholds), taken=list(gallery.thresholds)
    )


@routes.add(
    "POST",
    GALLERY + "/thresholds",
    permission=Permission.GALLERY_CREATE,
    body=ThresholdsBody,
    summary="Take lowered thresholds",
)
async def take_thresholds(body: ThresholdsBody, visit: Here, caller: TheCaller, gallery: TheGallery) -> ThresholdsSeen:
    """Take thresholds that keepers have lowered, with a test report and an approval (`threshold`) of exactly that."""
    spend = by_two(visit.gate.staff, caller, kinds.THRESHOLD, approval_of(body.approval), gallery.id)
    asker = asker_of(caller, body.reason, body.case)
    now = await visit.gate.house.registry.deploying.take_thresholds(gallery, body.report, asker, spend)
    return ThresholdsSeen(
        policy_version=now.policy_version, at_the_vaults=list(now.thresholds), taken=list(now.thresholds)
    )


@routes.add(
    "POST",
    GALLERY + "/decoys",
    permission=Permission.DECOY_PLANT,
    body=DecoyNew,
    status_code=201,
    summary="Plant a decoy",
)
async def plant_decoy(new: DecoyNew, house: TheHouse, caller: TheCaller, gallery: TheGallery) -> DecoyMade:
    """Enter a person who is nobody; whoever opens a field of theirs is locked, and another unit is told."""
    asker, stated = asker_of(caller, new.reason), Stated(police=new.police_status or "")
    made = await house.registry.decoys.plant(gallery, new.reference, new.fields, asker, stated)
    return DecoyMade(subject_id=made)


@routes.add("GET", GALLERY + "/decoys", permission=Permission.DECOY_PLANT, summary="Count the decoys")
async def count_decoys(house: TheHouse, gallery: TheGallery) -> DecoysSeen:
    """Say how many decoys there are and are to be; nothing says which they are."""
    stand = await house.registry.decoys.stand(gallery)
    return DecoysSeen(planted=stand.planted, wanted=stand.wanted)


@routes.add(
    "DELETE",
    GALLERY + "/decoys/{decoy}",
    permission=Permission.DECOY_PLANT,
    parks=True,
    response_model=Erased,
    summary="Take a decoy away",
)
async def remove_decoy(
    visit: Here, decoy: str, reason: Why, caller: TheCaller, gallery: TheGallery, *, two: Two = False
) -> BaseModel | Response:
    """Erase a person who is nobody, at both vaults and here; whoever is somebody is not found."""

    async def act(asker: Asker) -> Erased:
        await visit.gate.house.registry.decoys.remove(gallery, SubjectId(decoy), asker)
        return Erased(erased=decoy)

    return await answered(visit, caller, Request(Permission.DECOY_PLANT, reason, two=two), act)
