"""Stored inspections held against what they were made from, and against others."""
