"""Answers rebuilt from what is stored, with no model and no tool."""
