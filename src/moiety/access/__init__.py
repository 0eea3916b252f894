"""Who may: people who work here, their passkeys, sessions, roles and approvals; API keys, permissions, rate limits."""

from moiety.access.callers import OWNER, OWNER_BESIDE_OPERATORS, Caller
from moiety.access.keys import ApiKeys, KeyInfo
from moiety.access.permissions import Permission, Scope
from moiety.access.rates import Allowance, RateLimiter
from moiety.access.roles import DUTIES, Grant, Role
from moiety.access.staff import Staff

__all__ = [
    "DUTIES",
    "OWNER",
    "OWNER_BESIDE_OPERATORS",
    "Allowance",
    "ApiKeys",
    "Caller",
    "Grant",
    "KeyInfo",
    "Permission",
    "RateLimiter",
    "Role",
    "Scope",
    "Staff",
]
