"""The tools over labelled pictures: figures per surface and task, each with its interval."""
