"""Camera profiles as files: YAML or JSON, ours or OpenCV's."""

from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from kenpin.contracts.camera import CameraProfile, PlanePose
from kenpin.contracts.errors import FileRefused

MAX_BYTES = 2**18


class _Loader(yaml.SafeLoader):
    """Safe YAML that also knows the matrices of OpenCV's FileStorage."""


def _opencv_matrix(loader: yaml.SafeLoader, node: yaml.MappingNode) -> Any:
    values = loader.construct_mapping(node, deep=True)
    rows, columns, data = int(values["rows"]), int(values["cols"]), list(values["data"])
    return [data[i * columns:(i + 1) * columns] for i in range(rows)]


_Loader.add_constructor("tag:yaml.org,2002:opencv-matrix", _opencv_matrix)


def read_camera(path: Path) -> CameraProfile:
    """Read a camera profile.

    Its form::

        picture: {width: 1920, height: 1200}
        camera_matrix: [[2410.2, 0, 959.1], [0, 2410.5, 601.7], [0, 0, 1]]
        distortion: [-0.11, 0.09, 0, 0, 0]
        reprojection_error_px: 0.12
        mm_per_px: 0.05                                  # or
        plane: {rotation: [0, 0, 0], translation_mm: [0, 0, 120]}
        relative_uncertainty: 0.002

    Camera matrix and distortion are in OpenCV's convention (k1 k2 p1 p2 k3 ...). `mm_per_px` or `plane` is only given
    where the parts always lie in one plane; without them the profile takes out the lens and gives no millimetres. A
    file as OpenCV's calibration sample writes it (image_width, image_height, camera_matrix, distortion_coefficients)
    is read too.

    Raises:
        FileRefused: It cannot be read as such; one line names the place.
    """
    try:
        data = _parsed(path)
    except FileNotFoundError:
        raise FileRefused(f"{path}: there is no such camera profile") from None
    except (OSError, UnicodeDecodeError) as exc:
        raise FileRefused(f"{path}: cannot be read ({getattr(exc, 'strerror', None) or exc})") from None
    except (yaml.YAMLError, RecursionError, KeyError, ValueError, TypeError) as exc:
        raise FileRefused(f"{path.name}: is no YAML or JSON ({' '.join(str(exc).split())[:160]})") from None
    if not isinstance(data, dict):
        raise FileRefused(f"{path.name}: expected picture, camera_matrix and distortion")
    try:
        return CameraProfile.model_validate(_fields(data, path.name))
    except ValidationError as exc:
        parts = [f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in exc.errors(include_url=False)]
        raise FileRefused(f"{path.name}: {'; '.join(parts[:4])}; expected picture, camera_matrix, distortion") from None


def write_camera(path: Path, profile: CameraProfile) -> None:
    """Write a profile as `read_camera` reads it.

    Raises:
        FileRefused: The file cannot be written.
    """
    data: dict[str, Any] = {"picture": {"width": profile.width, "height": profile.height},
                            "camera_matrix": [list(row) for row in profile.matrix],
                            "distortion": list(profile.distortion)}
    optional = {"reprojection_error_px": profile.reprojection_px, "pictures": profile.pictures,
                "mm_per_px": profile.mm_per_px, "relative_uncertainty": profile.relative_uncertainty or None,
                "plane": _pose(profile.plane), "note": profile.note or None}
    data |= {key: value for key, value in optional.items() if value is not None}
    try:
        path.write_text(yaml.safe_dump(data, sort_keys=False, default_flow_style=None, allow_unicode=True), "utf-8")
    except OSError as exc:
        raise FileRefused(f"{path}: cannot be written ({exc.strerror or exc})") from None


def _pose(plane: PlanePose | None) -> dict[str, list[float]] | None:
    return None if plane is None else {"rotation": list(plane.rotation), "translation_mm": list(plane.translation_mm)}


def _parsed(path: Path) -> Any:
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise FileRefused(f"{path.name}: larger than {MAX_BYTES // 2**10} KiB; this is no camera profile")
    text = data.decode("utf-8")
    if text.startswith("%YAML:"):
        # OpenCV writes a version line that YAML does not know.
        text = text.split("\n", 1)[1] if "\n" in text else ""
    return yaml.load(text, Loader=_Loader)  # noqa: S506 (a safe loader with one constructor more)


def _fields(data: dict[str, Any], name: str) -> dict[str, Any]:
    """The file's names to those of the model."""
    picture = data.get("picture") or {}
    if not isinstance(picture, dict):
        raise FileRefused(f"{name}: picture: expected width and height")
    distortion = data.get("distortion", data.get("distortion_coefficients", ()))
    if isinstance(distortion, list) and distortion and isinstance(distortion[0], list):
        distortion = [value for row in distortion for value in row]
    known = {"picture", "image_width", "image_height", "camera_matrix", "distortion", "distortion_coefficients"}
    fields = {
        "name": name,
        "width": picture.get("width", data.get("image_width")),
        "height": picture.get("height", data.get("image_height")),
        "matrix": data.get("camera_matrix"),
        "distortion": distortion,
        "reprojection_px": data.get("reprojection_error_px", data.get("avg_reprojection_error")),
    }
    fields |= {key: data[key] for key in ("pictures", "mm_per_px", "plane", "relative_uncertainty", "note")
               if data.get(key) is not None}
    foreign = set(data) - known - {"reprojection_error_px", "avg_reprojection_error"} - set(fields)
    if foreign and "distortion_coefficients" not in data:
        raise FileRefused(f"{name}: does not know {', '.join(sorted(map(str, foreign)))}")
    return fields
