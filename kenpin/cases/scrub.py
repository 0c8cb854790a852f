"""Takes plain texts that were deleted out of the files that they lay in."""

import sqlite3
from pathlib import Path

from kenpin.contracts.errors import Unavailable

FILE = "chroma.sqlite3"
"""Where Chroma keeps records, their full-text index and its log."""
FULL_TEXT = "embedding_fulltext_search"


def scrub(folder: Path) -> None:
    """Write Chroma's file anew without what was deleted: SQLite only marks its pages as free, the index keeps pieces.

    Raises:
        Unavailable: Another process is using the file.
    """
    place = folder / FILE
    if not place.is_file():
        return
    try:
        connection = sqlite3.connect(place, timeout=20, isolation_level=None)
        try:
            connection.execute(f"INSERT INTO {FULL_TEXT}({FULL_TEXT}) VALUES('rebuild')")
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            connection.close()
    except sqlite3.Error as exc:
        raise Unavailable(f"{place} could not be written anew ({exc}); close other programs that use it and run "
                          "`kenpin cases rebuild`") from exc
