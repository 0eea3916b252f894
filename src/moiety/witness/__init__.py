"""The witness: tombstones that no vault can take back, and the page on which people sign warrants."""
