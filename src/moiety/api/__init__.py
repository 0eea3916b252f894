"""The JSON API: `create_app` builds it over a `House`."""

from moiety.api.app import create_app
from moiety.api.entrance import LOCAL_HOSTS, Access
from moiety.api.limits import Limits

__all__ = ["LOCAL_HOSTS", "Access", "Limits", "create_app"]
