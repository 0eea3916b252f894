"""Galleries: open, list, look at."""

from moiety.access import Permission
from moiety.api.routes import Routes
from moiety.api.schemas import GalleryInfo, GalleryList, GalleryNew, moment
from moiety.api.visits import TheCaller, TheGallery, TheHouse, asker_of
from moiety.matching.galleries import NewGallery
from moiety.storage import Gallery, GalleryState

routes = Routes("galleries")


def told(gallery: Gallery) -> GalleryInfo:
    """Show a gallery."""
    return GalleryInfo(
        id=gallery.id,
        name=gallery.name,
        purpose=gallery.purpose,
        model=gallery.model_name,
        model_sha256=gallery.model_sha256,
        dim=gallery.dim,
        fmr=gallery.fmr_target,
        bands=list(gallery.bands),
        retention_days=gallery.retention_days,
        policy_version=gallery.policy_version,
        state=gallery.state,
        created_at=moment(gallery.created_at),
    )


@routes.add(
    "POST", "/v1/galleries", permission=Permission.GALLERY_CREATE, body=GalleryNew, status_code=201, summary="Open"
)
async def create_gallery(new: GalleryNew, house: TheHouse, caller: TheCaller) -> GalleryInfo:
    """Open a gallery at the gate and at both vaults, or nowhere."""
    made = await house.galleries.create(NewGallery(**new.model_dump(exclude={"reason"})), asker_of(caller, new.reason))
    return told(made)


@routes.add("GET", "/v1/galleries", permission=Permission.GALLERY_LIST, listing=True, summary="List")
async def list_galleries(house: TheHouse, caller: TheCaller) -> GalleryList:
    """List the open galleries that the key may see, by name."""
    galleries = [one for one in await house.galleries.list() if one.state is GalleryState.OPEN]
    shown = set(caller.visible(Permission.GALLERY_LIST, [one.id for one in galleries]))
    return GalleryList(galleries=[told(one) for one in galleries if one.id in shown])


@routes.add("GET", "/v1/galleries/{gallery}", permission=Permission.GALLERY_LIST, summary="Show")
async def show_gallery(gallery: TheGallery) -> GalleryInfo:
    """Show one gallery by its name or id."""
    return told(gallery)
