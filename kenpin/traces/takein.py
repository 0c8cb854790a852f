"""Takes in the traces of an earlier Kenpin, which lay as plain JSON files in a folder."""

import logging
from pathlib import Path

from pydantic import ValidationError

from kenpin.contracts.errors import StoreError
from kenpin.contracts.trace import Trace
from kenpin.traces.records import DatabaseTraces

log = logging.getLogger(__name__)


def take_in(folder: Path, traces: DatabaseTraces) -> int:
    """Move every trace of a folder into the database, and return how many.

    A file is deleted once its trace can be read back, since it lies open where everything else is sealed. A file that
    is no trace stays where it is, as does one whose id the database has already with another content. Begun again
    after a crash, it goes on where it was.
    """
    taken = 0
    for file in sorted(folder.glob("*.json")) if folder.is_dir() else ():
        try:
            trace = Trace.model_validate_json(file.read_bytes())
            if not traces.has(trace.id):
                traces.save(trace)
                taken += 1
            if traces.load(trace.id) == trace:
                file.unlink(missing_ok=True)
        except FileNotFoundError:
            continue  # another process takes the same folder in
        except (ValidationError, StoreError, OSError) as exc:
            log.warning("%s is left where it is: it cannot be taken in (%s)", file, " ".join(str(exc).split())[:120])
    return taken
