"""Registered products: names, each with its good samples, golden samples and limits."""
