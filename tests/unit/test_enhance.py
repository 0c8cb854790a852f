"""enhance: each operation does what it says, says that it did, and leaves the caller's picture alone."""

import cv2
import numpy as np
import pytest

from tools.enhance import CHANGES, TOOL, EnhanceArgs
from tools.pixels import enhancing


def surface(height=200, width=260, base=150, noise=4.0, seed=0):
    rng = np.random.default_rng(seed)
    picture = np.clip(base + noise * rng.normal(size=(height, width, 1)), 0, 255).astype(np.uint8).repeat(3, axis=2)
    cv2.putText(picture, "KENPIN", (40, 110), cv2.FONT_HERSHEY_SIMPLEX, 1.5, (40, 40, 40), 3, cv2.LINE_AA)
    picture.flags.writeable = False
    return picture


def run(desk, picture, operation, **more):
    return TOOL.run(desk(picture), EnhanceArgs(why="t", operation=operation, **more))


@pytest.mark.parametrize("operation", CHANGES)
def test_every_operation_says_that_it_changed_pixels(desk, operation):
    report = run(desk, surface(), operation)
    assert report.made.altered
    assert report.made.pixels.dtype == np.uint8
    assert report.made.pixels.shape == (200, 260, 3)
    assert "measuring goes back" in report.result.note
    again = run(desk, surface(), operation)
    assert np.array_equal(report.made.pixels, again.made.pixels)


@pytest.mark.parametrize("operation", CHANGES)
def test_a_box_becomes_the_view_and_knows_its_place(desk, operation):
    bench = desk(surface())
    report = bench.learn(TOOL.run(bench, EnhanceArgs(why="t", operation=operation, box=(30, 60, 130, 120))))
    assert report.made.pixels.shape == (60, 100, 3)
    assert bench.picture("v9").view.place() == (30, 60, 130, 120) == report.result.box


@pytest.mark.parametrize("operation", CHANGES)
def test_the_smallest_region_is_no_trouble(operation):
    for shape in ((2, 2, 3), (3, 70, 3)):
        assert CHANGES[operation](np.full(shape, 90, np.uint8)).shape == shape


@pytest.mark.parametrize(("operation", "figure", "sign"), [
    ("sharpen", "sharpness", 1), ("contrast", "contrast", 1), ("brighten", "brightness", 1),
    ("darken", "brightness", -1), ("denoise", "noise", -1)])
def test_the_figure_moves_the_right_way(desk, operation, figure, sign):
    result = run(desk, surface(), operation).result
    assert sign * (getattr(result.after, figure) - getattr(result.before, figure)) > 0.1


def test_noise_is_estimated():
    for sigma in (1.0, 3.0, 9.0):
        assert enhancing.noise_sigma(surface(400, 400, noise=sigma)) == pytest.approx(sigma, rel=0.1)


def test_flatten_evens_out_the_light():
    ramp = np.linspace(0.5, 1.4, 260)[None, :, None]
    lit = np.clip(surface(base=140) * ramp, 0, 255).astype(np.uint8)
    sides = [lit[..., :60, 0].mean() - lit[..., -60:, 0].mean()]
    flat = enhancing.flatten(lit)
    sides.append(flat[..., :60, 0].mean() - flat[..., -60:, 0].mean())
    assert abs(sides[1]) < 0.2 * abs(sides[0])


def test_deglare_presses_the_reflection_and_nothing_else():
    picture = surface(base=90).copy()
    cv2.circle(picture, (200, 50), 15, (255, 255, 255), -1)
    out = enhancing.deglare(picture)
    assert out[50, 200].mean() < 225
    assert np.abs(out[100:].astype(int) - picture[100:]).max() <= 1


def test_edges_are_bright_on_dark():
    picture = np.full((80, 120, 3), 60, np.uint8)
    picture[:, 60:] = 180
    shown = enhancing.edge_view(picture)[..., 0]
    assert shown[:, 59:61].min() > 200
    assert shown[:, :50].max() < 10


@pytest.mark.parametrize("operation", ["sharpen", "denoise", "edges", "flatten", "deglare"])
def test_strips_leave_no_seam(operation, monkeypatch):
    picture = surface(400, 300)
    whole = CHANGES[operation](picture)
    monkeypatch.setattr(enhancing, "STRIP_PIXELS", 30_000)
    assert np.abs(CHANGES[operation](picture).astype(int) - whole).max() <= 1
