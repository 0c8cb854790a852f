"""A workbench for one tool at a time, without the loop: pictures in memory, the rest as the caller sets it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from kenpin.contracts.camera import CameraProfile
from kenpin.contracts.errors import ToolInputError
from kenpin.contracts.ports import CaseSearch
from kenpin.contracts.view import RgbImage, Role, View, ViewKind
from tools.spec import Picture, Region, Report, Scale


def upload(pixels: RgbImage, view_id: str = "v0", role: Role = Role.SUBJECT) -> Picture:
    """A picture as if it had just been uploaded, not writeable."""
    frozen = pixels.copy()
    frozen.flags.writeable = False
    height, width = frozen.shape[:2]
    view = View(
        id=view_id, source=view_id, kind=ViewKind.UPLOAD, role=role, sha256="0" * 64, width=width, height=height
    )
    return Picture(view=view, pixels=frozen)


@dataclass
class Desk:
    """Implements `tools.spec.Workbench` in memory."""

    pictures: dict[str, Picture]
    references: tuple[Picture, ...] = ()
    good: tuple[RgbImage, ...] = ()
    scale: Scale | None = None
    camera: CameraProfile | None = None
    known: dict[str, Region] = field(default_factory=dict)
    cases: CaseSearch | None = None

    @property
    def regions(self) -> Mapping[str, Region]:
        return self.known

    def fresh(self, prefix: str, count: int) -> tuple[str, ...]:
        start = sum(key.startswith(prefix) for key in self.known) + 1
        return tuple(f"{prefix}{start + i}" for i in range(count))

    def picture(self, view_id: str) -> Picture:
        if view_id not in self.pictures:
            raise ToolInputError(f"there is no view {view_id}; known: {', '.join(self.pictures)}")
        return self.pictures[view_id]

    def learn(self, report: Report, view_id: str = "v9") -> Report:
        """Take over what a report brings, as the loop would: regions, scale and the new view."""
        self.known.update({region.id: region for region in report.regions})
        self.scale = report.scale or self.scale
        if made := report.made:
            height, width = made.pixels.shape[:2]
            view = View(
                id=view_id, source=made.parent.source, parent=made.parent.id, kind=made.kind, sha256="0" * 64,
                width=width, height=height, to_source=made.to_source, altered=made.altered or made.parent.altered
            )
            self.pictures[view_id] = Picture(view=view, pixels=made.pixels)
        return report


def make_desk(pixels: RgbImage, *, references: tuple[RgbImage, ...] = (), good: tuple[RgbImage, ...] = (),
              mm_per_px: float | None = None, cases: CaseSearch | None = None) -> Desk:
    """A desk with one subject, `v0`, and references `v1`, `v2`, ..."""
    golden = tuple(upload(p, f"v{i + 1}", Role.REFERENCE) for i, p in enumerate(references))
    subject = upload(pixels)
    return Desk(pictures={p.view.id: p for p in (subject, *golden)}, references=golden, good=tuple(good),
                scale=Scale(mm_per_px, origin="configured") if mm_per_px else None, cases=cases)
