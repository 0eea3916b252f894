"""moiety: identification whose stolen parts name nobody."""
