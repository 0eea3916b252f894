"""Permissions, scopes and what a caller may."""

from __future__ import annotations

import re

import pytest

from moiety.access import OWNER, Caller, Permission, Scope
from moiety.foundation.errors import BadInput, Forbidden
from moiety.foundation.ids import GalleryId, KeyId, new_gallery_id

HERE, THERE = GalleryId("gal_" + "h" * 16), GalleryId("gal_" + "t" * 16)


def caller(*scopes: str) -> Caller:
    return Caller(KeyId("key_aaaaaaaaaaaaaaaa"), "door", frozenset(Scope.parse(scope) for scope in scopes))


@pytest.mark.parametrize("permission", list(Permission))
def test_permissions_read_scope_resource_action(permission: Permission) -> None:
    assert re.fullmatch(r"[a-z]+:[a-z]+:[a-z]+", permission)
    assert str(Scope.parse(permission)) == permission


@pytest.mark.parametrize("permission", list(Permission))
def test_the_owner_may_do_everything_and_a_key_only_what_it_carries(permission: Permission) -> None:
    OWNER.require(permission)
    OWNER.require(permission, HERE)
    others = [other for other in Permission if other is not permission]
    for gallery_id in (None, HERE):
        caller(permission).require(permission, gallery_id)
        with pytest.raises(Forbidden, match=permission):
            caller(*others).require(permission, gallery_id)


@pytest.mark.parametrize("permission", [one for one in Permission if one.narrowable])
def test_a_narrowed_scope_opens_its_gallery_only(permission: Permission) -> None:
    narrow = caller(f"{permission}@{HERE}")
    narrow.require(permission, HERE)
    for gallery_id in (THERE, None):
        with pytest.raises(Forbidden):
            narrow.require(permission, gallery_id)


def test_a_list_shows_only_the_callers_galleries() -> None:
    everything: list[GalleryId] = [HERE, THERE]
    listing = Permission.GALLERY_LIST
    assert caller(listing).visible(listing, everything) == (HERE, THERE)
    assert caller(f"{listing}@{THERE}").visible(listing, everything) == (THERE,)
    assert caller(f"{listing}@{new_gallery_id()}").visible(listing, everything) == ()
    with pytest.raises(Forbidden):
        caller("gallery:probe:identify").visible(listing, everything)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "gallery",
        "gallery:probe:*",
        "GALLERY:PROBE:IDENTIFY",
        "gallery:probe:identify@",
        "gallery:probe:identify@sub_aaaaaaaaaaaaaaaa",
        "gallery:probe:identify@gal_short",
        f"gallery:probe:identify@{HERE}@{THERE}",
        f"gallery:probe:identify@{HERE}\n",
        f"gallery:manage:create@{HERE}",
        f"pair:probe:compare@{HERE}",
        f"access:key:manage@{HERE}",
        f"ledger:entry:read@{HERE}",
    ],
)
def test_a_scope_that_means_nothing_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        Scope.parse(text)


def test_a_scope_is_written_as_it_is_read() -> None:
    text = f"gallery:subject:reveal@{HERE}"
    assert Scope.parse(text) == Scope(Permission.SUBJECT_REVEAL, HERE)
    assert str(Scope.parse(text)) == text
