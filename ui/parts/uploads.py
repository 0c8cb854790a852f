"""Files from the browser, through the one door for pictures; each file is decoded once a session."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from agent.inspector import Photo
from kenpin.contracts.errors import BadInput
from kenpin.contracts.verdict import Criteria
from kenpin.criteria import read_criteria
from kenpin.security.uploads import Upload, read_upload
from ui.parts.plain import one_line, plain
from ui.parts.refusals import in_words
from ui.state import session

TYPES = ("png", "jpg", "jpeg", "bmp", "tif", "tiff", "webp", "gif", "ppm", "pgm")
"""What the file dialogue offers. A file is judged by its content, not by its name."""
READ = "kenpin-files"


def photo(upload: Upload) -> Photo:
    """An upload as the inspector takes it."""
    return Photo(pixels=upload.pixels, upload_sha256=upload.sha256, notes=upload.notes)


def read_files(files: Sequence[UploadedFile]) -> list[Upload]:
    """Let pictures in; each that is refused is said in one line where the call stands, and the others stay."""
    kept: dict[str, Upload | BadInput] = st.session_state.setdefault(READ, {})
    uploads = []
    for file in files:
        if file.file_id not in kept:
            kept[file.file_id] = _read(file)
        outcome = kept[file.file_id]
        if isinstance(outcome, BadInput):
            say_error(str(outcome))
        else:
            uploads.append(outcome)
    return uploads


def read_limits(file: UploadedFile) -> Criteria | None:
    """Read a criteria file; one that is refused is said in one line."""
    with tempfile.TemporaryDirectory() as folder:
        # The name is the browser's to choose: only its last part is used, and only as a name.
        place = Path(folder) / (Path(file.name.replace("\\", "/")).name or "criteria.yaml")
        try:
            place.write_bytes(file.getvalue())
            return read_criteria(place)
        except (BadInput, OSError, ValueError) as exc:
            say_error(str(exc).replace(str(folder) + "/", ""))
            return None


def forget_files() -> None:
    """Drop what was decoded; the pictures of started inspections are in the store."""
    st.session_state.pop(READ, None)


def say_error(message: str) -> None:
    """One line of error in the page's language; it may quote file names, so it is shown as characters."""
    st.error(plain(one_line(in_words(message, session().lang), most=400)), icon=":material/error:")


def _read(file: UploadedFile) -> Upload | BadInput:
    try:
        return read_upload(file.getvalue(), name=Path(file.name.replace("\\", "/")).name)
    except BadInput as exc:
        return exc
