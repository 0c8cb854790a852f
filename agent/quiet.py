"""Nothing calls out: the libraries under the loop can report each run to a tracing service; here they must not."""


def keep_private() -> None:
    """Switch such reporting off, whatever the environment says: pictures and words stay on this machine."""
    from langsmith.run_trees import configure

    configure(enabled=False)
