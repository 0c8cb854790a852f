"""Pictures that come with Kenpin, to try it in one click."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import streamlit as st
import yaml
from pydantic import BaseModel, ConfigDict

import kenpin
from kenpin.security.uploads import read_upload
from ui.i18n import Language

FOLDER = Path(kenpin.__file__).parent / "samples"
TILE = (480, 300)


class Sample(BaseModel):
    """A picture with what it shows and what to ask about it."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    file: str
    title_en: str = ""
    title_ja: str = ""
    try_en: tuple[str, ...] = ()
    try_ja: tuple[str, ...] = ()
    reference: str | None = None
    good: tuple[str, ...] = ()
    mm_per_px: float | None = None

    def title(self, lang: Language) -> str:
        """What the picture shows."""
        return (self.title_ja if lang == "ja" else self.title_en) or Path(self.file).stem.replace("_", " ")

    def suggestions(self) -> dict[str, list[str]]:
        """What to ask, by language."""
        return {"en": list(self.try_en), "ja": list(self.try_ja)}


def read_samples(folder: Path) -> tuple[Sample, ...]:
    """Every sample in the order of `samples.yaml`; without that file, every picture of the folder."""
    listing = folder / "samples.yaml"
    if listing.is_file():
        data = yaml.safe_load(listing.read_text(encoding="utf-8")) or []
        entries = data.get("samples", []) if isinstance(data, dict) else data
        found = [Sample.model_validate(entry) for entry in entries]
    else:
        found = [Sample(file=p.name) for p in sorted(folder.glob("*")) if p.suffix.lower() in (".png", ".jpg")]
    return tuple(sample for sample in found if (folder / sample.file).is_file())


def cut_tile(file: Path) -> bytes:
    """A picture cut to the middle in the shape of a tile, as JPEG."""
    pixels = read_upload(file).pixels
    height, width = pixels.shape[:2]
    ratio = TILE[0] / TILE[1]
    w, h = (round(height * ratio), height) if width / height > ratio else (width, round(width / ratio))
    x, y = (width - w) // 2, (height - h) // 2
    cut = cv2.resize(np.ascontiguousarray(pixels[y:y + h, x:x + w]), TILE, interpolation=cv2.INTER_AREA)
    return bytes(cv2.imencode(".jpg", cv2.cvtColor(cut, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 88])[1])


samples: Callable[[Path], tuple[Sample, ...]] = st.cache_data(show_spinner=False)(read_samples)
tile: Callable[[Path], bytes] = st.cache_data(max_entries=64, show_spinner=False)(cut_tile)
