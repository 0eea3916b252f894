"""Who may: permissions, API keys, callers, rate limits."""

from moiety.access.callers import OWNER, Caller
from moiety.access.keys import ApiKeys, KeyInfo
from moiety.access.permissions import Permission, Scope
from moiety.access.rates import Allowance, RateLimiter

__all__ = ["OWNER", "Allowance", "ApiKeys", "Caller", "KeyInfo", "Permission", "RateLimiter", "Scope"]
