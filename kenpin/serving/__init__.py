"""Starts and stops the model server: what there is to run it on, its command line, and its process."""
