"""Files of one JSON record a line, as suites and manifests are."""

import json
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from kenpin.contracts.errors import FileRefused

Model = TypeVar("Model", bound=BaseModel)


def read_lines(path: Path, model: type[Model], *, what: str, holds: str) -> list[tuple[int, Model]]:
    """Every record with the number of its line.

    Args:
        path: UTF-8 text; empty lines are skipped.
        model: What a line must be.
        what: The file's kind, for messages: `suite`.
        holds: What one record is: `conversation`.
    Raises:
        FileRefused: One line that names the file, the line and what is wrong.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except FileNotFoundError:
        raise FileRefused(f"{path}: there is no such {what}") from None
    except (OSError, UnicodeDecodeError) as exc:
        raise FileRefused(f"{path}: cannot be read ({exc})") from None
    records = [(n, _record(path, n, line, model)) for n, line in enumerate(lines, start=1) if line.strip()]
    if not records:
        raise FileRefused(f"{path.name}: holds no {holds}")
    return records


def _record(path: Path, number: int, line: str, model: type[Model]) -> Model:
    try:
        return model.model_validate(json.loads(line))
    except json.JSONDecodeError as exc:
        raise FileRefused(f"{path.name} line {number}: is not JSON ({exc.msg})") from None
    except ValidationError as exc:
        error = exc.errors(include_url=False)[0]
        where = ".".join(map(str, error["loc"]))
        raise FileRefused(f"{path.name} line {number}: {where}: {error['msg']}") from None
