"""Backups: what of a part is copied, into which sealed file, under whose key, for how long, and back again."""
