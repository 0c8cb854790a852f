"""Reading text and codes: where lines are, what they say, and which of them answers the question."""
