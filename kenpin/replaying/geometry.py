"""The place of each view of a trace, derived again from its parent and the step that made it."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from pydantic import ValidationError

from kenpin.contracts.errors import StoreError
from kenpin.contracts.ports import PictureStore
from kenpin.contracts.trace import Step, Trace
from kenpin.contracts.view import IDENTITY, Box, Matrix3, View, ViewKind, compose, window

ROUNDING = 1e-12
"""Share by which a matrix product may differ from one machine's arithmetic to another's."""

Told = dict[str, Any]
"""`what`, `same`, `says`, as `kenpin.replaying.replay.Check` has them."""


def checked_views(trace: Trace, pictures: PictureStore) -> Iterator[Told]:
    """Hold each view against its parent, its step and its picture.

    A crop, a zoom and an enhancement follow from the step's arguments by arithmetic alone; a crop's pixels are those
    of its parent. An alignment was estimated on pixels: it is held by the hash of its turn.
    """
    views: dict[str, View] = {}
    for data in trace.views:
        what = f"view {data.get('id')}"
        try:
            view = View.model_validate(data)
        except ValidationError as exc:
            yield {"what": what, "same": False, "says": f"is no view any more: {exc.error_count()} fields"}
            continue
        views[view.id] = view
        wrong = [*_wrong(view, views, trace), *_wrong_picture(view, views, trace, pictures)]
        yield {"what": what, "same": not wrong, "says": "; ".join(wrong) or _how(view)}


def _how(view: View) -> str:
    if view.kind is ViewKind.UPLOAD:
        return "as uploaded"
    if view.kind is ViewKind.ALIGN:
        return f"{view.width}x{view.height} px; estimated on pixels, held by the hash of its turn"
    same = ", pixels of its parent" if view.kind is ViewKind.CROP else ""
    return f"{view.width}x{view.height} px at {list(view.place())}, derived from {view.parent}{same}"


def _wrong(view: View, views: dict[str, View], trace: Trace) -> Iterator[str]:
    if view.kind is ViewKind.UPLOAD:
        yield from _wrong_upload(view, trace)
        return
    parent, step = views.get(view.parent or ""), _maker(view, trace)
    if parent is None or step is None:
        yield f"its parent {view.parent} or the step that made it is missing"
        return
    if (parent.source, parent.role) != (view.source, view.role):
        yield f"source or role is not that of its parent {parent.id}"
    if view.altered != (parent.altered or view.kind is ViewKind.ENHANCE):
        yield "altered is not what follows from its kind and parent"
    if view.kind is ViewKind.ALIGN:
        if abs(np.linalg.det(np.asarray(view.to_source))) < ROUNDING:
            yield "to_source cannot be inverted"
        return
    yield from _wrong_place(view, parent, step)


def _wrong_upload(view: View, trace: Trace) -> Iterator[str]:
    image = next((image for image in trace.images if image.id == view.id), None)
    if image is None:
        yield "no upload has this id"
    elif (image.sha256, image.width, image.height, image.role) != (view.sha256, view.width, view.height, view.role):
        yield "picture, size or role is not that of the upload"
    if view.to_source != IDENTITY or view.source != view.id:
        yield "to_source is not the identity"


def _wrong_place(view: View, parent: View, step: Step) -> Iterator[str]:
    box = _box_on(parent, step.args.get("box"))
    if box is None:
        yield f"the box of step {step.n} lies outside {parent.id}"
        return
    if view.kind is not ViewKind.ZOOM and (view.width, view.height) != (box[2] - box[0], box[3] - box[1]):
        yield f"size {view.width}x{view.height} is not that of the box of step {step.n}"
    derived = compose(parent.to_source, _local(view, box))
    for row, (stored, made) in enumerate(zip(view.to_source, derived, strict=True)):
        for column, (old, new) in enumerate(zip(stored, made, strict=True)):
            if abs(old - new) > ROUNDING * max(1.0, abs(new)):
                yield f"to_source[{row}][{column}] is {old!r}, from {parent.id} and step {step.n} follows {new!r}"


def _box_on(parent: View, box: Any) -> Box | None:
    """The box of a call in pixels of the view that it was made on."""
    if box is None:
        return (0, 0, parent.width, parent.height)
    x0, y0, x1, y1 = (int(n) for n in box)
    return parent.box_from_source((x0, y0, x1, y1))


def _local(view: View, box: Box) -> Matrix3:
    """From a view's pixels to those of its parent, as `tools.crop`, `tools.zoom` and `tools.enhance` make it."""
    x0, y0, x1, y1 = box
    if view.kind is ViewKind.ZOOM:
        return (((x1 - x0) / view.width, 0.0, float(x0)), (0.0, (y1 - y0) / view.height, float(y0)), (0.0, 0.0, 1.0))
    return window(x0, y0)


def _maker(view: View, trace: Trace) -> Step | None:
    steps = (step for turn in trace.turns for step in turn.steps)
    made = (s for s in steps if s.status == "ok" and s.view == view.id and s.args.get("view", "v0") == view.parent)
    return next(made, None)


def _wrong_picture(view: View, views: dict[str, View], trace: Trace, pictures: PictureStore) -> Iterator[str]:
    """What the picture itself contradicts; one that cannot be read is named where pictures are checked."""
    try:
        pixels = pictures.get(view.sha256)
        height, width = pixels.shape[:2]
        if (width, height) != (view.width, view.height):
            yield f"its picture has {width}x{height} px"
        parent, step = views.get(view.parent or ""), _maker(view, trace)
        if view.kind is not ViewKind.CROP or parent is None or step is None:
            return
        whole, box = pictures.get(parent.sha256), _box_on(parent, step.args.get("box"))
    except StoreError:
        return
    if box and not np.array_equal(pixels, whole[box[1] : box[3], box[0] : box[2]]):
        yield f"its pixels are not those of {parent.id}"
