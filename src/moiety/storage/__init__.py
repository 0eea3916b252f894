"""The gate's tables: ciphertext, ids and states; migrations; repositories that speak in frozen records."""

from moiety.storage.access_records import Approval, ApprovalState, Operator, OperatorPasskey, OperatorState
from moiety.storage.records import (
    ActiveRow,
    ApiKey,
    Canary,
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
    "Approval",
    "ApprovalState",
    "Canary",
    "FieldClass",
    "Gallery",
    "GalleryState",
    "Intent",
    "IntentKind",
    "IntentState",
    "LedgerEntry",
    "Operator",
    "OperatorPasskey",
    "OperatorState",
    "StateCounts",
    "Store",
    "Subject",
    "SubjectField",
    "SubjectState",
    "Template",
    "TemplateState",
    "Transaction",
]
