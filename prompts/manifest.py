"""Versions and sha256 of every prompt file. `python -m prompts.manifest` writes the manifest; a test holds it equal."""

import hashlib
import json
from pathlib import Path

HERE = Path(__file__).parent
VERSION = 1


def digest() -> dict[str, object]:
    """The manifest as it should stand: version, and sha256 by file name relative to this folder."""
    kinds = {".md", ".yaml", ".jsonl"}
    files = sorted(p for p in HERE.rglob("*") if p.suffix in kinds)
    return {
        "version": VERSION,
        "files": {p.relative_to(HERE).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files},
    }


if __name__ == "__main__":
    (HERE / "manifest.json").write_text(json.dumps(digest(), indent=1) + "\n", encoding="utf-8")
