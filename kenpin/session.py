"""What the commands share: material from files, and a talker for suites."""

from collections.abc import Callable, Iterable
from pathlib import Path

from agent.inspector import Inspector, Material, Photo, answer_of
from kenpin.camera import read_camera
from kenpin.contracts.camera import CameraProfile
from kenpin.contracts.errors import BadInput, FileRefused
from kenpin.contracts.ports import PictureStore, ProductStore
from kenpin.contracts.product import MOST_GOOD, Product, Sample
from kenpin.contracts.trace import Trace
from kenpin.criteria import read_criteria
from kenpin.security.uploads import Upload, read_upload

PICTURES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm"})


def photo(path: Path) -> Photo:
    """One picture file, let in."""
    return _photo(read_upload(path))


def _photo(upload: Upload) -> Photo:
    return Photo(pixels=upload.pixels, upload_sha256=upload.sha256, notes=upload.notes)


def good_samples(folder: Path) -> list[Photo]:
    """The pictures of a folder, by name; errors as `good_uploads`."""
    return [_photo(upload) for upload in good_uploads(folder)]


def good_uploads(folder: Path) -> list[Upload]:
    """The pictures of a folder as files, by name.

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
    return [read_upload(path) for path in files]


def stored(samples: Iterable[Sample], pictures: PictureStore) -> list[Photo]:
    """A product's pictures from the store.

    Raises:
        StoreError: One of them is missing or is not what was stored.
    """
    return [Photo(pixels=pictures.get(s.sha256), upload_sha256=s.upload_sha256, notes=s.notes) for s in samples]


def named(product: str | None, said: str | None, products: ProductStore) -> Product | None:
    """The product that is named, or else the registered one that a criteria file speaks of, if there is one.

    Raises:
        BadInput: The named one is not registered.
    """
    if product is not None:
        return products.get(product)
    try:
        return products.find(said) if said else None
    except BadInput:
        # What a criteria file calls its product need not be a name that could be registered.
        return None


def material(
    image: Path,
    *,
    references: Iterable[Path] = (),
    good: Path | None = None,
    mm_per_px: float | None = None,
    criteria: Path | None = None,
    camera: Path | None = None,
    lang: str = "auto",
    product: str | None = None,
    lot: str | None = None,
    part: str | None = None,
    shelf: Callable[[], tuple[ProductStore, PictureStore]] | None = None,
) -> Material:
    """What an inspection starts from: files, and for what is not given what is registered with the product.

    Args:
        image: The picture to inspect.
        references: Golden samples; they win over the product's, as `good` and `criteria` do.
        good: Folder of good samples.
        mm_per_px: Millimetres per pixel.
        criteria: Criteria file; the registered product that it names is used where `product` names none.
        lang: Language of the answer.
        product: Name of a registered product.
        lot: Lot that the part is of.
        part: Number of the part.
        shelf: Opens the products and their pictures once every file is read; None uses no registered product.
    """
    if mm_per_px is not None and not 1e-6 <= mm_per_px <= 1000:
        raise FileRefused(f"--mm-per-px {mm_per_px:g}: expected millimetres per pixel between 0.000001 and 1000")
    read = read_criteria(criteria) if criteria else None
    golden: Iterable[Photo] = [photo(path) for path in references]
    samples: Iterable[Photo] = good_samples(good) if good else ()
    subject = photo(image)
    products, pictures = shelf() if shelf else (None, None)
    known = named(product, read.product if read else None, products) if products else None
    if known and pictures:
        golden = golden or stored(known.references, pictures)
        samples = samples or stored(known.good, pictures)
    read = read or (known.criteria if known else None)
    return Material(
        subject=subject,
        references=list(golden),
        good=list(samples),
        mm_per_px=mm_per_px,
        criteria=read,
        camera=_fitting(camera, subject) if camera else None,
        lang=lang,
        product=known.name if known else read.product if read else None,
        lot=lot,
        part=part,
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
