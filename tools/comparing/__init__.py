"""Holding a picture against a golden sample: where it lies, how sure that is, and what differs."""
