"""Breach drills: the product attacks a running installation of its own in a scratch folder, and reports.

Every drill has a control: the same attack against a deliberately weakened installation, in which it does succeed.
"""
