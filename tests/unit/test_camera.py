"""Camera profiles as files, and on the command line."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from kenpin.camera import read_camera, write_camera
from kenpin.contracts.camera import CameraProfile, PlanePose
from kenpin.contracts.errors import FileRefused

PROFILE = CameraProfile(width=64, height=48, matrix=((80.5, 0, 31.5), (0, 80.25, 23.5), (0, 0, 1)),
                        distortion=(-0.1, 0.02, 0, 0, 0), reprojection_px=0.2, pictures=9)


def test_a_profile_is_read_as_it_was_written(tmp_path: Path):
    for more in ({}, {"mm_per_px": 0.05, "relative_uncertainty": 0.01},
                 {"plane": PlanePose(rotation=(0.1, 0, 0), translation_mm=(0, 1, 90))}):
        profile = PROFILE.model_copy(update={"name": "c.yaml", **more})
        write_camera(tmp_path / "c.yaml", profile)
        assert read_camera(tmp_path / "c.yaml") == profile


def test_json_and_opencv_files_are_read(tmp_path: Path):
    (tmp_path / "c.json").write_text('{"picture": {"width": 64, "height": 48}, "distortion": [], '
                                     '"camera_matrix": [[80, 0, 31], [0, 80, 23], [0, 0, 1]]}')
    assert read_camera(tmp_path / "c.json").matrix[0] == (80, 0, 31)
    storage = cv2.FileStorage(str(tmp_path / "o.yml"), cv2.FILE_STORAGE_WRITE)
    storage.write("image_width", 64)
    storage.write("image_height", 48)
    storage.write("camera_matrix", np.array(PROFILE.matrix))
    storage.write("distortion_coefficients", np.array([PROFILE.distortion]).T)
    storage.release()
    read = read_camera(tmp_path / "o.yml")
    assert read.matrix == PROFILE.matrix and read.distortion == PROFILE.distortion and read.width == 64


@pytest.mark.parametrize("text", [
    "", "[1, 2]", "picture: {width: 64}", "a: [", "\x00\x01",
    "picture: {width: 64, height: 48}\ncamera_matrix: [[1, 0, 0], [0, 1, 0], [0, 0, 2]]",
    "picture: {width: 64, height: 48}\ncamera_matrix: [[9, 0, 1], [0, 9, 1], [0, 0, 1]]\ndistortion: [1]",
    "picture: {width: 64, height: 48}\ncamera_matrix: [[9, 0, 1], [0, 9, 1], [0, 0, 1]]\nfocal: 3",
    "picture: {width: 64, height: 48}\ncamera_matrix: [[9, 0, 1], [0, 9, 1], [0, 0, 1]]\nmm_per_px: -1",
    "!!python/object/apply:os.system ['true']", "picture: 4", "m: !!opencv-matrix {rows: x, cols: 1, data: [1]}",
])
def test_what_is_no_profile_is_one_line(tmp_path: Path, text: str):
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(FileRefused) as refused:
        read_camera(tmp_path / "c.yaml")
    assert "c.yaml" in str(refused.value) and "\n" not in str(refused.value)


def test_a_missing_profile_is_said(tmp_path: Path):
    with pytest.raises(FileRefused, match="no such"):
        read_camera(tmp_path / "none.yaml")


def test_both_scales_at_once_are_refused():
    with pytest.raises(ValueError, match="not both"):
        CameraProfile(width=4, height=4, matrix=PROFILE.matrix, mm_per_px=1,
                      plane=PlanePose(rotation=(0, 0, 0), translation_mm=(0, 0, 9)))


def test_an_inspection_keeps_the_profile_of_its_camera():
    from agent.desk import StateDesk
    from agent.opening import first_scale
    from agent.state import Setup

    scaled = PROFILE.model_copy(update={"mm_per_px": 0.05})
    setup = Setup(id="x", created="2026-01-01T00:00:00Z", images=(), camera=scaled).model_dump(mode="json")
    state = {"setup": setup, "scale": first_scale(None, scaled), "views": {}, "regions": {}}
    desk = StateDesk(state, pictures=None, cases=None)
    assert desk.camera == scaled and desk.scale.mm_per_px == 0.05 and desk.scale.plane.lens[:2] == (80.5, 80.25)
    assert first_scale(None, PROFILE) is None and first_scale(0.2, scaled)["origin"] == "configured"


def test_calibrated_by_command_and_fitted_to_the_picture(tmp_path: Path, data: Path):
    from typer.testing import CliRunner

    from kenpin.cli import app
    from kenpin.session import material

    pictures = sorted((data / "calibration_board").glob("*.jpg"))
    out = tmp_path / "cam.yaml"
    ran = CliRunner().invoke(app, ["camera", "calibrate", *map(str, pictures), "--square-mm", "25", "-o", str(out)])
    assert ran.exit_code == 0 and "reprojection error 0.1" in ran.output and "left01.jpg" in ran.output
    given = material(pictures[0], camera=out)
    assert given.camera is not None and given.camera.width == 640
    cv2.imwrite(str(tmp_path / "square.png"), np.zeros((64, 64, 3), np.uint8))
    with pytest.raises(FileRefused, match="another shape"):
        material(tmp_path / "square.png", camera=out)
