"""What Chroma leaves behind in its folder, kept small and without anything readable. All of it with Chroma to oneself.

Chroma 1.5 writes the files of its vector index from memory that it never filled (`length.bin`, `data_level0.bin`), so
that texts which the process had just handled lay in them. That index is not used here (`ChromaCases`), and collections
are made so that it is never written after its start (`UNSAVED`); what was written then is overwritten.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kenpin.contracts.errors import Unavailable

FILE = "chroma.sqlite3"
"""Where Chroma keeps records, their full-text index and its log."""
FULL_TEXT = "embedding_fulltext_search"
UNSAVED: dict[str, Any] = {"hnsw": {"sync_threshold": 2_000_000_000}}
"""Configuration of a collection whose vector index is never saved."""
LONGEST_LOG = 500
"""Entries of Chroma's log that are kept. It is read at every start, 10,000 entries in 2 s."""

_SHORTEN = """
DELETE FROM embeddings_queue
WHERE seq_id < (SELECT max(seq_id) FROM embeddings_queue)
AND seq_id <= (SELECT max_seq_id.seq_id FROM max_seq_id JOIN segments ON segments.id = max_seq_id.segment_id
               WHERE segments.scope = 'METADATA' AND embeddings_queue.topic LIKE '%' || segments.collection)
"""
"""Entries that are carried out. The newest stays in any case: where it is gone, Chroma counts from 1 again and takes
what comes for done."""


def blank_index(folder: Path, seen: dict[Path, int]) -> None:
    """Overwrite the files of the vector index with noughts where they are newer than `seen` (which is brought up)."""
    for place in folder.glob("*/*.bin"):
        if place.name in ("length.bin", "data_level0.bin") and seen.get(place) != place.stat().st_mtime_ns:
            with place.open("r+b") as file:
                file.write(bytes(place.stat().st_size))
            seen[place] = place.stat().st_mtime_ns


def shorten_log(folder: Path) -> None:
    """Take from Chroma's log what is carried out, once it has grown.

    Raises:
        Unavailable: Another program is using the file.
    """
    with _opened(folder) as connection:
        if connection.execute("SELECT count(*) FROM embeddings_queue").fetchone()[0] > LONGEST_LOG:
            connection.execute(_SHORTEN)


def scrub(folder: Path) -> None:
    """Write Chroma's file anew without what was deleted: SQLite only marks its pages as free, the index keeps pieces.

    Raises:
        Unavailable: Another program is using the file.
    """
    with _opened(folder) as connection:
        connection.execute(_SHORTEN)
        connection.execute(f"INSERT INTO {FULL_TEXT}({FULL_TEXT}) VALUES('rebuild')")
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


@contextmanager
def _opened(folder: Path) -> Iterator[sqlite3.Connection]:
    place = folder / FILE
    try:
        connection = sqlite3.connect(place, timeout=20, isolation_level=None)
        try:
            yield connection
        finally:
            connection.close()
    except sqlite3.Error as exc:
        raise Unavailable(f"{place} could not be tidied ({exc}); close other programs that use it") from exc
