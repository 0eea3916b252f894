"""Backups of a part: taken while it runs or stands still, restored, and brought up to date before it serves again."""
