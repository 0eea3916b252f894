"""Settings, clock, ids, errors, envelopes; nothing else may be added here."""
