"""How the parts talk: who they are (cards and pinned keys), frames, and links over mutual TLS 1.3."""
