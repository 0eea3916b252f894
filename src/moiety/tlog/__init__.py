"""The formats of a transparency log, bytes in and bytes out: Merkle tree, tiles, notes, checkpoints, cosignatures."""
