"""Stop and kill: one person presses, two let go."""

import asyncio
from datetime import datetime
from typing import Any

from moiety.access import Permission
from moiety.api.approvals import approval_seen
from moiety.api.entrance import Via
from moiety.api.routes import Routes
from moiety.api.schemas import Given, moment
from moiety.api.staff_schemas import ApprovalSeen, ReasonBody
from moiety.api.visits import Here, TheCaller
from moiety.foundation.errors import Forbidden
from moiety.incidents.emergencies import Standing
from moiety.storage import Pressed, Switch

routes = Routes("emergencies")
HERE = "/v1/emergencies"


class PressedSeen(Given):
    """A switch that is pressed: by whom and since when; why stands in the ledger."""

    pressed_by: str
    pressed_at: datetime


class VaultSeen(Given):
    """What is pressed at a vault, and the version of it that keepers change."""

    stopped: bool
    killed: bool
    version: int


class EmergencySeen(Given):
    """Both switches at the gate, and at each vault; null: not pressed, or the vault does not answer."""

    stop: PressedSeen | None
    kill: PressedSeen | None
    vaults: dict[str, VaultSeen | None]


def _pressed(one: Pressed | None) -> PressedSeen | None:
    return None if one is None else PressedSeen(pressed_by=one.pressed_by, pressed_at=moment(one.pressed_at))


def _vault(told: dict[str, Any] | None) -> VaultSeen | None:
    """Read what a vault told as no more than two switches and a number."""
    if told is None:
        return None
    return VaultSeen(
        stopped=bool(told.get("stopped")), killed=bool(told.get("killed")), version=int(told.get("version", 0))
    )


def emergency_seen(one: Standing) -> EmergencySeen:
    """Show both switches."""
    vaults = {part: _vault(told) for part, told in one.vaults.items()}
    return EmergencySeen(stop=_pressed(one.stop), kill=_pressed(one.kill), vaults=vaults)


async def _press(switch: Switch, body: ReasonBody, visit: Here, caller: TheCaller) -> EmergencySeen:
    """Press, and end every session where it is the kill switch."""
    found = await visit.gate.incidents.emergencies.press(switch, caller.key_id, body.reason)
    await visit.gate.entrance.follow()
    return emergency_seen(found)


@routes.add("GET", HERE, permission=Permission.STOP_PRESS, summary="What is pressed")
async def show_emergencies(visit: Here) -> EmergencySeen:
    """Say whether stop or kill is pressed, at the gate and at each vault."""
    return emergency_seen(await visit.gate.incidents.emergencies.carry())


@routes.add("POST", HERE + "/stop", permission=Permission.STOP_PRESS, body=ReasonBody, summary="Stop matching")
async def press_stop(body: ReasonBody, visit: Here, caller: TheCaller) -> EmergencySeen:
    """Halt every search, verification and comparison at once, until two people let it go on."""
    return await _press(Switch.STOP, body, visit, caller)


@routes.add(
    "POST", HERE + "/kill", permission=Permission.KILL_PRESS, body=ReasonBody, summary="Revoke sessions and keys"
)
async def press_kill(body: ReasonBody, visit: Here, caller: TheCaller) -> EmergencySeen:
    """Revoke all sessions, API keys, invitations' links and keys of devices, one's own session too."""
    return await _press(Switch.KILL, body, visit, caller)


@routes.add(
    "POST",
    HERE + "/{switch}/lift",
    permission=Permission.EMERGENCY_LIFT,
    body=ReasonBody,
    status_code=201,
    summary="Propose to let go",
)
async def lift_emergency(switch: Switch, body: ReasonBody, visit: Here, caller: TheCaller) -> ApprovalSeen:
    """Propose that a switch is let go; a second person approves it. The vaults' keepers let go at the vaults."""
    made = await asyncio.to_thread(visit.gate.incidents.emergencies.propose_lift, switch, caller, body.reason)
    return await approval_seen(visit, made)


@routes.add(
    "POST",
    HERE + "/{switch}/lift-alone",
    permission=Permission.EMERGENCY_LIFT,
    body=ReasonBody,
    summary="Let go as the machine's owner",
)
async def lift_alone(switch: Switch, body: ReasonBody, visit: Here, caller: TheCaller) -> EmergencySeen:
    """Let go as the owner of the machine, while nobody works here and so no second person can be."""
    if visit.visitor is None or visit.visitor.via not in {Via.RUN, Via.SESSION}:
        raise Forbidden("Only the owner of the data folder does this; run `moiety incident lift` there.")
    emergencies = visit.gate.incidents.emergencies
    await asyncio.to_thread(emergencies.lift_alone, switch, caller.key_id, body.reason)
    return emergency_seen(await emergencies.carry())
