"""Products as folders of the data folder; their pictures stand in the picture store."""

import re
import shutil
import tempfile
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from kenpin.contracts.errors import BadInput, StoreError
from kenpin.contracts.ports import PictureStore
from kenpin.contracts.product import MOST_GOOD, MOST_REFERENCES, Product, Sample
from kenpin.contracts.verdict import Criteria
from kenpin.security.uploads import Upload

RECORD = "product.json"
MOST_NAME = 60
NAME = re.compile(r"\w(?:[\w .()+\-]*[\w)+])?")
"""Letters and digits of any script, and signs that mean nothing in a path; no dot or blank at either end."""
RESERVED = frozenset({"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))})
"""Names that a file system may keep for devices."""


def checked_name(name: str) -> str:
    """A product's name in its one spelling.

    Raises:
        BadInput: It is empty, too long, or could be a path.
    """
    spelt = unicodedata.normalize("NFC", " ".join(name.split()))
    fits = len(spelt) <= MOST_NAME and len(spelt.encode()) <= 200
    if not fits or not NAME.fullmatch(spelt) or ".." in spelt or spelt.casefold().partition(".")[0] in RESERVED:
        signs = "letters, digits, blanks, - _ . + ( )"
        raise BadInput(f"{name[:80]!r} cannot name a product; use 1 to {MOST_NAME} {signs}")
    return spelt


class FileProducts:
    """Implements `ProductStore`. A record is written beside its place and moved there, so it is whole or absent."""

    def __init__(self, folder: Path, pictures: PictureStore) -> None:
        self._folder = folder
        self._pictures = pictures

    def add(self, name: str, *, good: Iterable[Upload] = (), references: Iterable[Upload] = (),
            criteria: Criteria | None = None) -> Product:
        """Register a product, or add to one; the same picture twice is kept once, criteria replace earlier ones."""
        old = self.find(name)
        known = old or Product(name=checked_name(name), updated="")
        product = Product(
            name=known.name,
            good=self._joined(known.good, good, most=MOST_GOOD, what="good samples", name=known.name),
            references=self._joined(known.references, references, most=MOST_REFERENCES, what="golden samples",
                                    name=known.name),
            criteria=criteria or known.criteria,
            updated=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        if not product.good and not product.references and product.criteria is None:
            raise BadInput(f"product {product.name!r} would hold nothing; give good samples, a reference or criteria")
        self._write(product)
        return product

    def get(self, name: str) -> Product:
        """One product."""
        found = self.find(name)
        if found is None:
            names = ", ".join(product.name for product in self.all()[:12]) or "none"
            raise BadInput(f"there is no product {name[:80]!r}; registered: {names}; kenpin products add registers one")
        return found

    def find(self, name: str) -> Product | None:
        """One product, or None; upper and lower case do not count."""
        wanted = checked_name(name).casefold()
        place = next((p for p in self._places() if unicodedata.normalize("NFC", p.name).casefold() == wanted), None)
        return None if place is None else self._read(place)

    def all(self) -> Sequence[Product]:
        """Every product, by name."""
        return sorted((self._read(place) for place in self._places()), key=lambda product: product.name.casefold())

    def remove(self, name: str) -> None:
        """Withdraw a product; its pictures stay in the picture store, where traces may need them."""
        shutil.rmtree(self._folder / self.get(name).name)

    def _joined(self, old: tuple[Sample, ...], new: Iterable[Upload], *, most: int, what: str,
                name: str) -> tuple[Sample, ...]:
        uploads = list(new)
        files = {sample.upload_sha256 for sample in old} | {upload.sha256 for upload in uploads}
        if len(files) > most:
            raise BadInput(f"product {name!r} would have {len(files)} {what}; at most {most}")
        samples = {sample.sha256: sample for sample in old}
        for upload in uploads:
            sha256 = self._pictures.put(upload.pixels)
            samples.setdefault(sha256, Sample(sha256=sha256, upload_sha256=upload.sha256, name=upload.name[:120],
                                              notes=upload.notes))
        return tuple(samples.values())

    def _places(self) -> list[Path]:
        if not self._folder.is_dir():
            return []
        return sorted(p for p in self._folder.iterdir() if (p / RECORD).is_file())

    def _read(self, place: Path) -> Product:
        try:
            return Product.model_validate_json((place / RECORD).read_bytes())
        except (OSError, ValidationError) as exc:
            reason = f"{exc.error_count()} fields" if isinstance(exc, ValidationError) else exc.strerror
            raise StoreError(f"product {place.name!r} cannot be read ({reason}); remove its folder {place}") from None

    def _write(self, product: Product) -> None:
        place = self._folder / product.name
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=place, delete=False, encoding="utf-8") as file:
            file.write(product.model_dump_json())
        Path(file.name).replace(place / RECORD)
