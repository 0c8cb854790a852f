"""`calibrate`: millimetres from markers, boards, known things and camera profiles, tilted and seen through real lenses."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from bench import drawn_shapes as draw
from bench.drawn_shapes import Look
from kenpin.contracts.camera import CameraProfile, PlanePose
from kenpin.contracts.errors import FileRefused, ToolInputError
from kenpin.contracts.view import apply_homography
from tools import calibrate, measure
from tools.measuring.boards import calibrate_camera
from tools.measuring.chessboard import find_board
from tools.measuring.lens import Lens, lens_from
from tools.measuring.pose import fit_view
from tools.measuring.profile import profile_scale
from tools.pixels.grey import grey
from tools.solo import make_desk
from tools.spec import scale_from

CLEAN = Look(blur=0.8, contrast=100, noise=1)


@pytest.fixture(scope="module")
def boards(data: Path):
    """The three real boards: 25 mm squares, 9 x 6 inner corners, tilted, distorted."""
    folder = data / "calibration_board"
    return [cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB) for path in sorted(folder.glob("*.jpg"))]


def asked(bench, **args):
    return measure.TOOL.run(bench, measure.TOOL.args(why="t", **args)).result


def scaled(bench, **args):
    return bench.learn(calibrate.TOOL.run(bench, calibrate.TOOL.args(why="t", **args)))


def test_real_boards_give_200_and_125_mm_from_corner_to_corner(boards):
    for picture in boards:
        bench = make_desk(picture)
        report = scaled(bench, method="chessboard", size_mm=25.0)
        board = find_board(grey(picture))
        grid = board.corners.reshape(board.rows, board.columns, 2)
        spans = {board.columns - 1: ((0, 0), (0, -1)), board.rows - 1: ((0, 0), (-1, 0))}
        for steps, (a, b) in spans.items():
            found = asked(bench, quantity="distance", points=(tuple(grid[a]), tuple(grid[b])))
            assert found.unit == "mm" and found.value == pytest.approx(25.0 * steps, rel=0.005)
            assert abs(found.value - 25.0 * steps) < found.uncertainty and "plane" in found.note
        assert report.made is not None and report.result.tilt_deg > 10


def test_corners_that_gave_no_scale_are_measured_true(boards):
    for picture in boards:
        board = find_board(grey(picture))
        used = board.places.sum(axis=1) % 2 == 0
        fit = fit_view(board.places[used] * 25, board.corners[used], (640, 480), known=None, corner_sigma=0.06)
        flat = apply_homography(np.linalg.inv(fit.matrix), fit.lens.straight(board.corners[~used]))
        truth = board.places[~used] * 25
        gap, real = (np.linalg.norm(p[:, None] - p[None], axis=2) for p in (flat, truth))
        far = np.triu(real >= 100)
        assert np.abs(gap[far] / real[far] - 1).max() < 0.01


def test_a_board_that_is_not_there_is_said(desk):
    blank = np.full((120, 120, 3), 90, np.uint8)
    for args in ({"method": "chessboard", "size_mm": 5.0}, {"method": "marker", "size_mm": 5.0}, {"method": "marker"},
                 {"method": "known", "size_mm": 4.0}, {"method": "said"}, {"method": "said", "mm_per_px": 1e9}):
        with pytest.raises(ToolInputError):
            calibrate.TOOL.run(desk(blank), calibrate.TOOL.args(why="t", **args))


def marked(turn: np.ndarray, lens: Lens, *, depth: float = 150.0) -> tuple[np.ndarray, np.ndarray]:
    """A 20 mm marker and a 24 mm long bar beside it in one plane: (480, 640, 3) uint8, and the bar's box."""
    per_mm = 12
    sheet = np.full((40 * per_mm, 80 * per_mm), 225, np.uint8)
    code = cv2.aruco.generateImageMarker(cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_4X4_50), 7, 20 * per_mm)
    sheet[10 * per_mm:30 * per_mm, 8 * per_mm:28 * per_mm] = code
    sheet[16 * per_mm:22 * per_mm, 44 * per_mm:68 * per_mm] = 50
    x, y = np.meshgrid(np.arange(640) + 0.5, np.arange(480) + 0.5)
    straight = lens.straight(np.column_stack([x.ravel(), y.ravel()]))
    matrix = lens.matrix @ np.column_stack([turn[:, 0], turn[:, 1], turn @ [-40, -20, 0] + [0, 0, depth]])
    place = apply_homography(np.linalg.inv(matrix), straight - 0.5) * per_mm
    grid = (place - 0.5).astype(np.float32).reshape(480, 640, 2)
    seen = cv2.remap(cv2.GaussianBlur(sheet, (0, 0), 2.5), grid[..., 0], grid[..., 1], cv2.INTER_LINEAR, borderValue=225)
    corners = np.array([[43.0, 14], [70, 14], [70, 24], [43, 24]])
    flat = apply_homography(matrix, corners)
    rays = np.column_stack([flat, np.ones(4)]) @ np.linalg.inv(lens.matrix).T
    box = lens.ahead(rays)
    return cv2.cvtColor(seen, cv2.COLOR_GRAY2RGB), np.array([*box.min(axis=0), *box.max(axis=0)]).astype(int)


@pytest.mark.parametrize("tilt", [0, 20, 32])
def test_a_tilted_marker_measures_what_lies_in_its_plane(tilt):
    lens = Lens(np.array([[900, 0, 319.5], [0, 900, 239.5], [0, 0, 1.0]]), np.zeros(4))
    picture, box = marked(cv2.Rodrigues(np.radians([6.0 * (tilt > 0), float(tilt), 0]))[0], lens)
    bench = make_desk(picture)
    scaled(bench, method="marker", size_mm=20.0)
    found = asked(bench, quantity="length", box=tuple(int(v) for v in box))
    assert found.value == pytest.approx(24, rel=0.02) and abs(found.value - 24) < found.uncertainty < 2.5


def test_a_profile_takes_the_lens_out():
    lens = Lens(np.array([[700, 0, 319.5], [0, 700, 239.5], [0, 0, 1.0]]), np.array([-0.3, 0.1, 0, 0]))
    picture, box = marked(cv2.Rodrigues(np.radians([10.0, 24, 0]))[0], lens, depth=120)
    bench = make_desk(picture)
    bench.camera = CameraProfile(width=640, height=480, matrix=((700, 0, 319.5), (0, 700, 239.5), (0, 0, 1)),
                                 distortion=(-0.3, 0.1, 0.0, 0.0))
    scaled(bench, method="marker", size_mm=20.0)
    found = asked(bench, quantity="length", box=tuple(int(v) for v in box))
    assert found.value == pytest.approx(24, rel=0.01) and abs(found.value - 24) < found.uncertainty < 0.6


def test_a_coin_of_known_diameter_gives_the_scale(desk):
    shape = draw.union(draw.disc(80.3, 90.2, 47), draw.box(250.4, 90.1, 120, 40, 12))
    bench = desk(draw.drawn(shape, (340, 180), CLEAN, np.random.default_rng(1)))
    scaled(bench, method="known", size_mm=23.5, box=(25, 35, 135, 145))
    found = asked(bench, quantity="length", box=(180, 40, 320, 140))
    truth = 120 * 23.5 / 94
    assert found.value == pytest.approx(truth, rel=0.005) and abs(found.value - truth) < found.uncertainty


def test_a_coin_at_a_slant_gives_its_long_axis(desk):
    bench = desk(draw.drawn(draw.ellipse(80, 80, 50, 42, 30), (160, 160), CLEAN, np.random.default_rng(1)))
    report = scaled(bench, method="known", size_mm=20.0, box=(20, 20, 140, 140))
    assert report.result.mm_per_px == pytest.approx(0.2, rel=0.005) and "tilted" in report.result.note


def test_a_profile_with_an_object_plane_gives_millimetres_at_once():
    flat = CameraProfile(width=640, height=480, matrix=((800, 0, 319.5), (0, 800, 239.5), (0, 0, 1)), mm_per_px=0.05)
    posed = flat.model_copy(update={"mm_per_px": None, "plane": PlanePose(rotation=(0, 0, 0),
                                                                          translation_mm=(0, 0, 80))})
    bare = flat.model_copy(update={"mm_per_px": None})
    assert profile_scale(bare) is None
    for profile, scale in ((flat, 0.05), (posed, 0.1)):
        found = profile_scale(profile)
        assert found.mm_per_px == pytest.approx(scale) and found.origin == "camera profile"
        bench = make_desk(draw.drawn(draw.disc(320, 240, 100), (640, 480), CLEAN, np.random.default_rng(1)))
        bench.camera, bench.scale = profile, found
        assert asked(bench, quantity="diameter").value == pytest.approx(200 * scale, rel=0.003)


def test_a_profile_of_another_size_is_scaled_or_refused():
    profile = CameraProfile(width=640, height=480, matrix=((800, 0, 319.5), (0, 810, 239.5), (0, 0, 1)), mm_per_px=0.1)
    half = profile.fitted(320, 240)
    assert half.matrix[0] == (400, 0, 159.5) and half.mm_per_px == 0.2 and "scaled" in half.note
    assert profile.fitted(640, 480) is profile
    with pytest.raises(FileRefused, match="another shape"):
        profile.fitted(640, 640)


def test_a_camera_is_calibrated_from_boards(boards):
    found = calibrate_camera(boards, square_mm=25.0)
    matrix = found.profile.matrix
    # left_intrinsics.yml of the same pictures: f 535.9, centre (342.3, 235.6), k1 -0.266
    assert matrix[0][0] == pytest.approx(535.9, rel=0.02) and matrix[0][2] == pytest.approx(342.3, abs=8)
    assert found.profile.distortion[0] == pytest.approx(-0.266, abs=0.05) and found.profile.reprojection_px < 0.25
    assert all(error is not None for error in found.errors_px)
    with pytest.raises(ToolInputError, match="chessboard"):
        calibrate_camera([np.zeros_like(boards[0])] * 4, square_mm=25.0)
    with pytest.raises(ToolInputError, match="one size"):
        calibrate_camera([boards[0], boards[1][:400]], square_mm=25.0)


def test_straightened_points_come_back():
    lens = lens_from(CameraProfile(width=640, height=480, matrix=((520, 0, 330), (0, 522, 236), (0, 0, 1)),
                                   distortion=(-0.32, 0.14, 0.001, -0.002, 0.01)))
    points = np.random.default_rng(0).uniform([5, 5], [635, 475], (200, 2))
    straight = lens.straight(points)
    rays = np.column_stack([straight - 0.5, np.ones(len(points))]) @ np.linalg.inv(lens.matrix).T
    assert np.abs(lens.ahead(rays) - points).max() < 1e-3 and np.abs(straight - points).max() > 5


def test_a_scale_survives_the_state(boards):
    import json
    from dataclasses import asdict

    scale = scaled(make_desk(boards[0]), method="chessboard", size_mm=25.0).scale
    assert scale_from(json.loads(json.dumps(asdict(scale)))) == scale and scale.plane is not None
