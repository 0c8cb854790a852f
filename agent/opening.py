"""What an inspection starts from: pictures and what is known of them."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from agent.state import Setup
from kenpin.contracts.camera import CameraProfile
from kenpin.contracts.ports import PictureStore
from kenpin.contracts.trace import PlannerInfo, TraceImage
from kenpin.contracts.verdict import Criteria
from kenpin.contracts.view import RgbImage, Role, View, ViewKind
from tools.measuring.profile import profile_scale
from tools.spec import Scale


@dataclass(frozen=True)
class Photo:
    """A picture that was let in, with what the trace says of it."""

    pixels: RgbImage
    upload_sha256: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Material:
    """What an inspection starts from."""

    subject: Photo
    references: Sequence[Photo] = ()
    good: Sequence[Photo] = ()
    mm_per_px: float | None = None
    camera: CameraProfile | None = None
    """Of the subject; must fit its size (`CameraProfile.fitted`)."""
    criteria: Criteria | None = None
    product: str | None = None
    lot: str | None = None
    part: str | None = None
    asker: str | None = None
    """Who starts it."""
    rerun_of: str | None = None
    """The inspection that is run again."""
    lang: str = "auto"


def opening(
    material: Material,
    inspection_id: str,
    *,
    pictures: PictureStore,
    tools: dict[str, str],
    planner: PlannerInfo,
) -> tuple[Setup, list[View]]:
    """Store the pictures, and say what an inspection starts from.

    Returns:
        What is fixed from now on, and a view of each upload: the subject, then the golden samples.
    """
    images, views = [], []
    photos = [(Role.SUBJECT, material.subject), *((Role.REFERENCE, photo) for photo in material.references)]
    for number, (role, photo) in enumerate(photos):
        height, width = photo.pixels.shape[:2]
        view = View(
            id=f"v{number}",
            source=f"v{number}",
            kind=ViewKind.UPLOAD,
            role=role,
            width=width,
            height=height,
            sha256=pictures.put(photo.pixels),
        )
        views.append(view)
        images.append(
            TraceImage(
                id=view.id,
                role=role.value,
                sha256=view.sha256,
                width=width,
                height=height,
                upload_sha256=photo.upload_sha256,
                notes=photo.notes,
                mm_per_px=material.mm_per_px if role is Role.SUBJECT else None,
            )
        )
    good = tuple(pictures.put(photo.pixels) for photo in material.good)
    created = datetime.now(UTC).isoformat(timespec="seconds")
    return Setup(
        id=inspection_id,
        created=created,
        lang=material.lang,
        product=material.product,
        lot=material.lot,
        part=material.part,
        asker=material.asker,
        rerun_of=material.rerun_of,
        tools=tools,
        planner=planner,
        images=tuple(images),
        good=good,
        criteria=material.criteria,
        camera=_camera(material),
    ), views


def _camera(material: Material) -> CameraProfile | None:
    height, width = material.subject.pixels.shape[:2]
    return material.camera.fitted(width, height) if material.camera else None


def first_scale(mm_per_px: float | None, camera: CameraProfile | None) -> dict[str, Any] | None:
    """The scale that is known before anything is looked at: as configured, else of the camera's object plane."""
    known = Scale(mm_per_px, origin="configured") if mm_per_px is not None else camera and profile_scale(camera)
    return asdict(known) if known else None
