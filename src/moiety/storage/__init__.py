"""The gate's tables: ciphertext, ids and states; migrations; repositories that speak in frozen records."""

from moiety.storage.records import (
    ActiveRow,
    ApiKey,
    Canary,
    Cosigned,
    FieldClass,
    Gallery,
    GalleryState,
    Intent,
    IntentKind,
    IntentState,
    LedgerEntry,
    StateCounts,
    Subject,
    SubjectField,
    SubjectState,
    Template,
    TemplateState,
)
from moiety.storage.store import Store, Transaction

__all__ = [
    "ActiveRow",
    "ApiKey",
    "Canary",
    "Cosigned",
    "FieldClass",
    "Gallery",
    "GalleryState",
    "Intent",
    "IntentKind",
    "IntentState",
    "LedgerEntry",
    "StateCounts",
    "Store",
    "Subject",
    "SubjectField",
    "SubjectState",
    "Template",
    "TemplateState",
    "Transaction",
]
