"""Subjects: enrolment, sealed fields, erasure, retention; and finishing what a crash cut short."""
