"""The ledger: what was done with personal data, in a transparency log that shows any later change."""

from moiety.ledger.leaves import Kind, leaf_bytes, leaf_hash
from moiety.ledger.log import Head, Ledger, LedgerBroken

__all__ = ["Head", "Kind", "Ledger", "LedgerBroken", "leaf_bytes", "leaf_hash"]
