"""The workbench of a running inspection: the state's tables, with pixels from the picture store."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from agent.state import Setup, State
from kenpin.contracts.camera import CameraProfile
from kenpin.contracts.errors import ToolInputError
from kenpin.contracts.ports import CaseSearch, PictureStore
from kenpin.contracts.view import RgbImage, Role, View, ViewKind
from tools.spec import Picture, Region, Scale, scale_from


class StateDesk:
    """Implements `tools.spec.Workbench` over the state of a graph. Reads only; outcomes go back through the graph."""

    def __init__(self, state: State, *, pictures: PictureStore, cases: CaseSearch | None) -> None:
        self._state = state
        self._pictures = pictures
        self.cases = cases

    @cached_property
    def setup(self) -> Setup:
        return Setup.model_validate(self._state["setup"])

    @cached_property
    def views(self) -> dict[str, View]:
        return {key: View.model_validate(view) for key, view in self._state["views"].items()}

    @cached_property
    def regions(self) -> Mapping[str, Region]:
        return {key: region_from(data) for key, data in self._state["regions"].items()}

    @cached_property
    def references(self) -> tuple[Picture, ...]:
        uploads = (v for v in self.views.values() if v.role is Role.REFERENCE and v.kind is ViewKind.UPLOAD)
        return tuple(self.picture(view.id) for view in uploads)

    @cached_property
    def good(self) -> tuple[RgbImage, ...]:
        return tuple(self._pictures.get(sha256) for sha256 in self.setup.good)

    @property
    def scale(self) -> Scale | None:
        data = self._state["scale"]
        return scale_from(data) if data else None

    @property
    def camera(self) -> CameraProfile | None:
        return self.setup.camera

    def fresh(self, prefix: str, count: int) -> tuple[str, ...]:
        """The next free region ids."""
        start = 1 + sum(key.rstrip("0123456789") == prefix for key in self._state["regions"])
        return tuple(f"{prefix}{start + i}" for i in range(count))

    def picture(self, view_id: str) -> Picture:
        """A view with its pixels, not writeable."""
        view = self.views.get(view_id)
        if view is None:
            raise ToolInputError(f"there is no view {view_id!r}; known views: {', '.join(self.views)}")
        return Picture(view=view, pixels=self._pictures.get(view.sha256))


def region_from(data: Mapping[str, Any]) -> Region:
    """A region back from its JSON form."""
    outline = tuple((int(x), int(y)) for x, y in data["outline"])
    return Region(**{**data, "box": tuple(data["box"]), "outline": outline})
