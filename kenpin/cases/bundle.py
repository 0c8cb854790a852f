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

    A folder whose last case is there was loaded before: an example that somebody withdrew stays withdrawn.
    """
    present = {case.id for case in store.all()}
    added = 0
    for folder in bundles():
        cases = list(read_cases(folder))
        if not cases or cases[-1][1].id in present:
            continue
        for file, case in cases:
            if case.id not in present:
                add_with_picture(case, picture_of(folder, file), store, pictures)
                added += 1
    return added
