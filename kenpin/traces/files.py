"""Traces as JSON files, one an inspection."""

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from kenpin.contracts.errors import StoreError
from kenpin.contracts.trace import Trace

ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,79}")


class FileTraces:
    """Implements `TraceStore`. A file is replaced in one move, so a reader sees one state or the next."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def save(self, trace: Trace) -> None:
        """Write a trace under its id."""
        place = self._place(trace.id)
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=place.parent, delete=False, encoding="utf-8") as file:
            file.write(trace.model_dump_json())
        Path(file.name).replace(place)

    def load(self, trace_id: str) -> Trace:
        """Read one trace."""
        try:
            return Trace.model_validate_json(self._place(trace_id).read_bytes())
        except FileNotFoundError:
            raise StoreError(f"there is no inspection {trace_id!r}") from None
        except ValidationError as exc:
            raise StoreError(
                f"inspection {trace_id!r} is not a trace of version 1: {exc.error_count()} fields"
            ) from exc

    def ids(self) -> Sequence[str]:
        """All ids, newest first."""
        if not self._folder.is_dir():
            return []
        return [p.stem for p in sorted(self._folder.glob("*.json"), key=lambda p: (-p.stat().st_mtime_ns, p.name))]

    def _place(self, trace_id: str) -> Path:
        if not ID.fullmatch(trace_id):
            raise StoreError(f"{trace_id[:80]!r} cannot be the id of an inspection")
        return self._folder / f"{trace_id}.json"
