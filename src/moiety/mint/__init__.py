"""The mint: deals one-time random bits to the vaults and holds nothing about anyone."""
