"""The ledger: what was done with personal data, in a chain that shows any later change."""

from moiety.ledger.chain import Head, Ledger, LedgerBroken
from moiety.ledger.leaves import Kind, leaf_bytes, leaf_hash

__all__ = ["Head", "Kind", "Ledger", "LedgerBroken", "leaf_bytes", "leaf_hash"]
