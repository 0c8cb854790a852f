"""The example cases that come with Kenpin: real pictures, with cause and disposition written for demonstration."""

from pathlib import Path

from kenpin.cases.portable import LIST, add_with_picture, picture_of, read_cases
from kenpin.contracts.ports import CaseStore, PictureStore

BUNDLED = Path(__file__).parent / "bundled"


def bundles() -> tuple[Path, ...]:
    """The folders of example cases; pictures under different licences lie in different folders."""
    return tuple(sorted(path.parent for path in BUNDLED.glob(f"*/{LIST}")))


def load_bundled(store: CaseStore, pictures: PictureStore) -> int:
    """Add the example cases that are not there yet, and return how many were added.

    The store notes which folders were loaded: an example that somebody withdrew stays withdrawn. An earlier Kenpin made
    no note, and took a folder whose last case is there as loaded.
    """
    waiting = [folder for folder in bundles() if not store.noted(f"bundle:{folder.name}")]
    present = {head.id for head in store.heads()} if waiting else set()
    added = 0
    for folder in waiting:
        cases = list(read_cases(folder))
        for file, case in cases if cases and cases[-1][1].id not in present else ():
            if case.id not in present:
                add_with_picture(case, picture_of(folder, file), store, pictures)
                added += 1
        store.note(f"bundle:{folder.name}")
    return added
