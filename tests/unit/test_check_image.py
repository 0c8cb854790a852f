"""check_image: what is good passes, and each fault is named."""

import cv2
import numpy as np
import pytest

from tools.check_image import TOOL, CheckImageArgs
from tools.pixels.focus import noise_sigma


def texture(kind, seed=0, shape=(420, 560)):
    """A clean surface without any structure, grey levels around 170."""
    rng = np.random.default_rng(seed)
    white = rng.normal(size=shape).astype(np.float32)
    field = {"matte": white, "brushed": cv2.blur(white, (3, 41)), "cast": cv2.blur(white, (3, 3)),
             "speckled": cv2.GaussianBlur(white, (0, 0), 1.2)}[kind]
    spread = {"matte": 2.0, "brushed": 6.0, "cast": 5.0, "speckled": 8.0}[kind]
    return rgb(170 + spread * field / field.std())


def rgb(field):
    return np.clip(field, 0, 255).astype(np.uint8)[..., None].repeat(3, axis=2)


def part(seed=0, *, noise=2.0, backdrop=205):
    """A plate with holes, lettering and a step, in focus."""
    rng = np.random.default_rng(seed)
    picture = np.full((480, 640), backdrop, np.uint8)
    cv2.rectangle(picture, (80, 60), (560, 420), 130, -1, cv2.LINE_AA)
    for x in (160, 320, 480):
        cv2.circle(picture, (x, 180), 34, 45, -1, cv2.LINE_AA)
    cv2.putText(picture, "LOT 4471-B", (150, 350), cv2.FONT_HERSHEY_SIMPLEX, 1.5, 235, 3, cv2.LINE_AA)
    return rgb(picture + noise * rng.normal(size=picture.shape))


def check(desk, picture, **more):
    return TOOL.run(desk(picture), CheckImageArgs(why="t", **more)).result


def blurred(picture, sigma):
    return cv2.GaussianBlur(picture, (0, 0), sigma)


def moved(picture, length, angle):
    kernel = np.zeros((length, length), np.float32)
    kernel[length // 2] = 1
    centre = (length / 2 - 0.5, length / 2 - 0.5)
    kernel = cv2.warpAffine(kernel, cv2.getRotationMatrix2D(centre, angle, 1), (length, length))
    return cv2.filter2D(picture, -1, kernel / kernel.sum())


@pytest.mark.parametrize("kind", ["matte", "brushed", "cast", "speckled"])
def test_a_clean_surface_without_structure_passes(desk, kind):
    result = check(desk, texture(kind))
    assert result.passed, result.problems
    assert result.focus.passed


def test_a_part_in_focus_passes_without_a_warning(desk):
    result = check(desk, part())
    assert result.passed
    assert result.warnings == ()
    assert result.focus.value < 1.0


@pytest.mark.parametrize("sigma", [2.5, 4, 8])
def test_a_defocused_part_fails(desk, sigma):
    result = check(desk, blurred(part(), sigma))
    assert result.problems == ("blur",)
    assert result.focus.value == pytest.approx(sigma, rel=0.25)


def test_noise_of_the_sensor_does_not_hide_a_blur(desk):
    rng = np.random.default_rng(3)
    noisy = np.clip(blurred(part(noise=0), 4).astype(float) + rng.normal(0, 4, (480, 640, 1)), 0, 255).astype(np.uint8)
    assert "blur" in check(desk, noisy).problems


def test_a_blurred_texture_fails_although_nothing_is_left_of_its_noise(desk):
    assert not check(desk, blurred(texture("brushed"), 8)).passed
    assert not check(desk, blurred(texture("speckled"), 4)).passed


@pytest.mark.parametrize("angle", [0, 90, 30])
def test_motion_is_told_from_blur(desk, angle):
    result = check(desk, moved(part(), 17, angle))
    assert result.problems == ("motion",)
    assert result.focus.motion_px == pytest.approx(17, rel=0.45)


def test_overexposed_is_not_a_bright_backdrop(desk):
    assert "overexposed" in check(desk, cv2.add(texture("brushed"), (95, 95, 95, 0))).problems
    assert "overexposed" in check(desk, cv2.multiply(part(), (2.2, 2.2, 2.2, 0))).problems
    assert check(desk, part(backdrop=238)).passed
    assert "overexposed" not in check(desk, part(backdrop=255, noise=0)).problems


def test_black_and_white_is_not_overexposed(desk):
    rng = np.random.default_rng(0)
    cells = (rng.random((24, 32)) > 0.5).astype(np.uint8) * 255
    result = check(desk, rgb(cv2.resize(cells, (640, 480), interpolation=cv2.INTER_NEAREST)))
    assert result.passed
    assert result.exposure.black_and_white


def test_dark_and_capped(desk):
    assert "underexposed" in check(desk, (part() * 0.15).astype(np.uint8)).problems
    rng = np.random.default_rng(0)
    assert "blank" in check(desk, rgb(4 + rng.normal(0, 1.5, (300, 400)))).problems
    assert check(desk, np.full((300, 400, 3), 127, np.uint8)).problems == ("blank",)


def test_a_reflection_is_boxed(desk):
    picture = part().astype(np.float32)
    glow = np.zeros(picture.shape[:2], np.float32)
    cv2.circle(glow, (420, 300), 90, 1, -1)
    picture += 400 * cv2.GaussianBlur(glow, (0, 0), 25)[..., None]
    report = TOOL.run(desk(np.clip(picture, 0, 255).astype(np.uint8)), CheckImageArgs(why="t"))
    result = report.result
    assert "glare" in (*result.problems, *result.warnings)
    x0, y0, x1, y1 = report.boxes[0]
    assert x0 < 420 < x1
    assert y0 < 300 < y1


def test_the_smallest_defect_must_be_seen(desk):
    assert "too_small" in check(desk, part(), smallest_px=2).problems
    assert check(desk, part(), smallest_px=12).resolution.passed
    assert "too_small" in check(desk, blurred(part(), 2), smallest_px=4).problems


def test_noise(desk):
    assert noise_sigma(texture("matte")[..., 0]) == pytest.approx(2, rel=0.1)
    assert "noise" in check(desk, part(noise=40)).problems


def test_a_zoom_is_judged_by_pixels_of_the_original(desk):
    from tools.zoom import TOOL as ZOOM
    from tools.zoom import ZoomArgs

    bench = desk(part())
    bench.learn(ZOOM.run(bench, ZoomArgs(why="t", box=(100, 100, 260, 220), factor=4)))
    result = TOOL.run(bench, CheckImageArgs(why="t", view="v9")).result
    assert result.passed
    assert result.focus.value < 1.5


def test_the_same_picture_as_the_reference_is_said(desk):
    result = TOOL.run(desk(part(), references=(part(),)), CheckImageArgs(why="t")).result
    assert any("sent twice" in note for note in result.notes)


def test_a_large_picture_takes_no_longer(desk):
    large = np.tile(part(), (6, 6, 1))
    result = check(desk, large)
    assert result.passed
    assert result.focus.edges > 1000


def test_a_size_in_mm_needs_a_scale(desk):
    args = CheckImageArgs(why="t", smallest_mm=0.1)
    seen = TOOL.run(desk(part(), mm_per_px=0.01), args).result
    assert seen.passed
    assert seen.resolution.smallest_px == 10
    unseen = TOOL.run(desk(part(), mm_per_px=0.1), args).result
    assert unseen.problems == ("too_small",)
    assert [limit.code for limit in unseen.limits] == ["too_small"]
    unknown = TOOL.run(desk(part()), args).result
    assert unknown.passed
    assert not unknown.resolution.scale_known
    assert any("no scale is known" in note for note in unknown.notes)


def jpeg(picture, quality):
    data = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.ascontiguousarray(cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1])


def test_blocks_of_a_jpeg(desk):
    picture = texture("cast")
    assert "compressed" in check(desk, jpeg(picture, 8)).problems
    assert "compressed" in check(desk, jpeg(picture, 8)[3:, 5:]).problems
    assert "compressed" not in (*check(desk, jpeg(picture, 90)).problems, *check(desk, jpeg(picture, 90)).warnings)
    grid = picture.copy()
    grid[::16] = grid[:, ::16] = 120
    assert "compressed" not in check(desk, grid).problems


def test_uneven_light_is_warned_of(desk):
    picture = texture("matte") * np.linspace(1, 0.25, 560)[None, :, None]
    result = check(desk, picture.astype(np.uint8))
    assert "uneven_light" in result.warnings
    assert result.passed
    assert result.evenness.ratio > 2.5
    assert "uneven_light" not in check(desk, part()).warnings


def test_a_dark_surface_is_not_a_dark_picture(desk):
    grain = texture("cast")[..., 0].astype(float) - 170
    assert check(desk, rgb(58 + 0.6 * grain)).passed
    assert "underexposed" in check(desk, rgb(30 + 0.6 * grain)).problems


@pytest.mark.parametrize("copy", [
    lambda p: p, lambda p: jpeg(p, 80), lambda p: cv2.resize(p, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)],
    ids=["as it is", "stored anew", "sized anew"])
def test_nothing_is_held_against_itself(desk, copy):
    picture = texture("speckled")
    result = TOOL.run(desk(picture, references=(copy(picture),)), CheckImageArgs(why="t")).result
    assert result.problems == ("same_picture",)
    assert [twin.name for twin in result.twins] == ["v1"]
    good = TOOL.run(desk(picture, good=(texture("speckled", 1), copy(picture))), CheckImageArgs(why="t")).result
    assert [twin.name for twin in good.twins] == ["good 2"]
    assert any("good sample 2" in note for note in good.notes)


def test_another_shot_of_the_same_scene_is_no_twin(desk):
    golden = part(1)
    assert TOOL.run(desk(part(2), references=(golden,)), CheckImageArgs(why="t")).result.twins == ()
    scratched = golden.copy()
    cv2.line(scratched, (200, 300), (260, 320), (90, 90, 90), 1, cv2.LINE_AA)
    assert TOOL.run(desk(scratched, references=(golden,)), CheckImageArgs(why="t")).result.twins == ()


def test_every_code_has_its_limit():
    from typing import get_args

    from tools.checking.limits import LIMITS, Code

    assert sorted(limit.code for limit in LIMITS) == sorted(get_args(Code))
    assert all(limit.rests_on for limit in LIMITS)
