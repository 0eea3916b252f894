"""The two vaults: durable halves, the checks on warrants, the exchange, the sign test, personal keys."""
