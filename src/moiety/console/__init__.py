"""Pages for people: rendered here, brought to life by small ES modules, without a script or style from elsewhere."""

from moiety.console.pages import attach

__all__ = ["attach"]
