"""Galleries and questions: the gate's half of a search. It relays ciphertext and learns bits."""
