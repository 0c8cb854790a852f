"""What the commands share: material from files, and a talker for suites."""

from collections.abc import Iterable
from pathlib import Path

from agent.inspector import Inspector, Material, Photo, answer_of
from kenpin.camera import read_camera
from kenpin.contracts.camera import CameraProfile
from kenpin.contracts.errors import FileRefused
from kenpin.contracts.trace import Trace
from kenpin.criteria import read_criteria
from kenpin.security.uploads import read_upload

PICTURES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm"})
MOST_GOOD = 50


def photo(path: Path) -> Photo:
    """One picture file, let in."""
    upload = read_upload(path)
    return Photo(pixels=upload.pixels, upload_sha256=upload.sha256, notes=upload.notes)


def good_samples(folder: Path) -> list[Photo]:
    """The pictures of a folder, by name.

    Raises:
        FileRefused: No such folder, no picture in it, or more than `MOST_GOOD`.
        PictureRefused: One of them cannot be used.
    """
    if not folder.is_dir():
        raise FileRefused(f"{folder}: is no folder; --good takes a folder of good samples")
    try:
        files = sorted(p for p in folder.iterdir() if p.suffix.lower() in PICTURES)
    except OSError as exc:
        raise FileRefused(f"{folder}: cannot be read ({exc.strerror or exc})") from None
    if not 1 <= len(files) <= MOST_GOOD:
        raise FileRefused(f"{folder}: holds {len(files)} pictures; 1 to {MOST_GOOD} good samples needed")
    return [photo(path) for path in files]


def material(
    image: Path,
    *,
    references: Iterable[Path] = (),
    good: Path | None = None,
    mm_per_px: float | None = None,
    criteria: Path | None = None,
    camera: Path | None = None,
    lang: str = "auto",
) -> Material:
    """What an inspection starts from, read from files."""
    if mm_per_px is not None and not 1e-6 <= mm_per_px <= 1000:
        raise FileRefused(f"--mm-per-px {mm_per_px:g}: expected millimetres per pixel between 0.000001 and 1000")
    read = read_criteria(criteria) if criteria else None
    subject = photo(image)
    return Material(
        subject=subject,
        references=[photo(path) for path in references],
        good=good_samples(good) if good else (),
        mm_per_px=mm_per_px,
        criteria=read,
        camera=_fitting(camera, subject) if camera else None,
        lang=lang,
        product=read.product if read else None,
    )


def _fitting(path: Path, subject: Photo) -> CameraProfile:
    """A camera profile for the subject's size."""
    height, width = subject.pixels.shape[:2]
    return read_camera(path).fitted(width, height)


class SuiteTalker:
    """Implements `kenpin.evaluate.run.Talker`."""

    def __init__(self, inspector: Inspector) -> None:
        self._inspector = inspector

    def begin(self, image: Path, reference: Path | None, mm_per_px: float | None) -> str:
        """Start an inspection."""
        references = [reference] if reference else []
        return self._inspector.start(material(image, references=references, mm_per_px=mm_per_px))

    def say(self, inspection: str, text: str) -> None:
        """Run one turn."""
        answer_of(self._inspector.say(inspection, text))

    def trace(self, inspection: str) -> Trace:
        """The trace as it stands."""
        return self._inspector.trace(inspection)
