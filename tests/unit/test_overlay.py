"""Evidence is drawn on a copy, around the place and not over it."""

import numpy as np
import pytest

from tools.overlay import HALO, LONG_SIDE, SIGNAL, draw_boxes


def grey(width: int, height: int) -> np.ndarray:
    pixels = np.full((height, width, 3), 128, np.uint8)
    pixels.flags.writeable = False
    return pixels


def test_the_place_itself_stays_visible_and_the_picture_untouched() -> None:
    pixels = grey(300, 200)

    drawn = draw_boxes(pixels, [(50, 60, 120, 100)], labels=["f1 scratch"])

    assert (pixels == 128).all() and drawn.shape == pixels.shape
    assert (drawn[62:98, 52:118] == 128).all()
    rows, columns = np.nonzero((drawn == SIGNAL).all(axis=2) & (np.arange(200)[:, None] >= 56))
    assert (columns.min(), columns.max(), rows.max()) == (48, 122, 102)
    assert (drawn == HALO).all(axis=2).any()


@pytest.mark.parametrize(("width", "height"), [(4000, 1000), (1000, 4000), (LONG_SIDE + 1, 17)])
def test_a_large_picture_is_drawn_small(width: int, height: int) -> None:
    drawn = draw_boxes(grey(width, height), [(0, 0, width, height)])

    assert max(drawn.shape[:2]) == LONG_SIDE and min(drawn.shape[:2]) >= 1


def test_names_that_the_font_lacks_are_left_out() -> None:
    assert np.array_equal(
        draw_boxes(grey(99, 99), [(9, 9, 60, 60)], labels=["傷"]), draw_boxes(grey(99, 99), [(9, 9, 60, 60)])
    )


def test_boxes_beyond_the_picture_are_no_error() -> None:
    assert draw_boxes(grey(40, 40), [(-50, -50, 90, 90), (39, 39, 40, 40)]).shape == (40, 40, 3)
