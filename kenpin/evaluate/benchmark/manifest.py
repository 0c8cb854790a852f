"""Labelled pictures from outside: one JSON record a line, pictures and masks beside the file.

The format is the one of `docs/benchmark.md`. Paths are relative to the manifest and stay inside its folder.
"""

import hashlib
import importlib.util
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from kenpin.contracts.errors import FileRefused, PictureRefused
from kenpin.contracts.view import Box, Mask, RgbImage
from kenpin.evaluate.lines import read_lines
from kenpin.security.uploads import read_upload


class PackageFile(BaseModel):
    """A file that ships inside an installed Python package."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    pypi: str
    file: str


class Record(BaseModel):
    """One line of a manifest. Other keys are remarks."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    id: str
    task: str
    surface: str = "all"
    path: str | None = None
    package: PackageFile | None = None
    label: Literal["ok", "ng"] | None = None
    boxes: tuple[Box, ...] = ()
    box_types: tuple[str, ...] | None = None
    mask: str | None = None
    template: str | None = None
    truth: dict[str, Any] | None = None
    scale_px_per_mm: Annotated[float | None, Field(gt=0)] = None
    group: str | None = None
    """The part that is shown; exposures of one part share it."""
    sha256: str | None = None


@dataclass(frozen=True)
class Labelled:
    """The records of one manifest and where their files lie."""

    records: tuple[Record, ...]
    folder: Path
    parts: tuple[re.Pattern[str], ...] = ()
    """Patterns for file names whose first group names the part, for records without `group`."""

    def place(self, record: Record) -> Path:
        """Where the picture lies.

        Raises:
            PictureRefused: Outside the manifest's folder, or nowhere.
            PackageMissing: It ships in a package that is not installed.
        """
        return _package_file(record.package) if record.path is None else self._inside(record, record.path)

    def check(self) -> None:
        """See that every file is there before hours are spent on the others.

        Raises:
            PictureRefused: One is missing or lies outside the manifest's folder.
        """
        for record in self.records:
            named = [self._inside(record, name) for name in (record.mask, record.template) if name]
            with suppress(PackageMissing):
                named.append(self.place(record))
            for path in named:
                if not path.is_file():
                    raise PictureRefused(f"{record.id}: there is no such file as {path.name} beside the manifest")

    def picture(self, record: Record) -> RgbImage:
        """(H, W, 3) uint8 RGB, not writeable.

        Raises:
            PictureRefused: The file is no picture that can be used, or not the one that was labelled.
            PackageMissing: It ships in a package that is not installed.
        """
        path = self.place(record)
        if record.sha256 and path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() != record.sha256:
            raise PictureRefused(f"{record.id}: {path.name} is not the picture that was labelled (sha256 differs)")
        return read_upload(path).pixels

    def template(self, record: Record) -> RgbImage | None:
        """The golden sample of a pair, or None."""
        return read_upload(self._inside(record, record.template)).pixels if record.template else None

    def mask(self, record: Record, shape: tuple[int, int]) -> Mask | None:
        """(H, W) bool, True on defects: from the mask, else filled boxes; all False on ok, None where nothing is said.

        Raises:
            PictureRefused: The mask has another size than its picture.
        """
        if record.label == "ok":
            return _filled((), shape)
        if record.mask is None:
            return _filled(record.boxes, shape) if record.boxes else None
        drawn = np.asarray(read_upload(self._inside(record, record.mask)).pixels.max(axis=2) > 0, np.bool_)
        if drawn.shape != shape:
            raise PictureRefused(f"{record.id}: the mask is {drawn.shape[1]}x{drawn.shape[0]} px, its picture "
                                 f"{shape[1]}x{shape[0]} px")
        return drawn

    def part(self, record: Record) -> str:
        """Key of the part that is shown; the picture itself where nothing else is known."""
        if record.group is not None:
            return f"{record.surface}/{record.group}"
        name = Path(record.path or (record.package.file if record.package else record.id)).name
        found = next((m for pattern in self.parts if (m := pattern.search(name))), None)
        return f"{record.surface}/{found[1] if found and found.groups() else found[0] if found else name}"

    def _inside(self, record: Record, name: str) -> Path:
        path = (self.folder / name).resolve()
        if not path.is_relative_to(self.folder.resolve()):
            raise PictureRefused(f"{record.id}: {name} lies outside the manifest's folder; copy it there")
        return path


class PackageMissing(PictureRefused):
    """A picture ships in a package that is not installed."""


def _package_file(reference: PackageFile | None) -> Path:
    if reference is None:
        raise PictureRefused("a record has neither a path nor a package")
    top, _, rest = reference.file.partition("/")
    spec = importlib.util.find_spec(top) if top.isidentifier() else None
    if spec is None or not spec.submodule_search_locations:
        raise PackageMissing(f"needs the package {reference.pypi}")
    root = Path(next(iter(spec.submodule_search_locations))).resolve()
    path = (root / rest).resolve()
    if not path.is_relative_to(root):
        raise PictureRefused(f"{reference.file} lies outside its package")
    return path


def _filled(boxes: Sequence[Box], shape: tuple[int, int]) -> Mask:
    mask = np.zeros(shape, np.bool_)
    for x0, y0, x1, y1 in boxes:
        mask[y0:y1, x0:x1] = True
    return mask


def read_manifest(path: Path, *, parts: Sequence[str] = (), surfaces: Sequence[str] = ()) -> Labelled:
    """Read a manifest; pictures are read when they are needed.

    Args:
        parts: Regular expressions for file names; the first group names the part that is shown.
        surfaces: Only these; all if empty.
    Raises:
        FileRefused: One line that names the file, the line and what is wrong.
    """
    numbered = read_lines(path, Record, what="manifest", holds="record")
    for number, record in numbered:
        if record.box_types is not None and len(record.box_types) != len(record.boxes):
            raise FileRefused(
                f"{path.name} line {number}: {len(record.boxes)} boxes and {len(record.box_types)} types")
    records = tuple(record for _, record in numbered)
    seen: set[str] = set()
    for record in records:
        if record.id in seen:
            raise FileRefused(f"{path.name}: the id {record.id!r} stands twice; give each picture one of its own")
        seen.add(record.id)
    if unknown := set(surfaces) - {r.surface for r in records}:
        known = ", ".join(dict.fromkeys(r.surface for r in records))
        raise FileRefused(f"{path.name}: there is no surface {min(unknown)!r}; it has {known}")
    records = tuple(r for r in records if not surfaces or r.surface in surfaces)
    return Labelled(records, path.parent, tuple(_compiled(pattern) for pattern in parts))


def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except re.error as exc:
        raise FileRefused(f"--part {pattern!r} is no regular expression: {exc}") from None

