"""Warrants and statements: what is asked, by whom and why, and what the eye says it saw; shared by all checkers."""
