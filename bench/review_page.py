"""How long the page of one inspection takes on the server with a picture of 5 megapixels: CPU of a run of the page.

`python -m bench.review_page`: one installation in a folder of its own, the embedded planner, one reviewer, `AppTest`.
"""

import logging
import os
import statistics
import tempfile
import time
from functools import cache
from pathlib import Path

import cv2
import numpy as np

from agent.inspector import Material, Photo, answer_of
from kenpin.config import Settings
from kenpin.contracts.people import Actor, Role
from kenpin.contracts.view import RgbImage
from kenpin.wiring import Kenpin

ROOT = Path(__file__).parents[1]
SIZE = (2592, 1944)
"""Width and height, px: a common sensor of 5 megapixels."""
RUNS = 20
ADMIN = Actor(name="console:bench", roles=frozenset({Role.OPERATOR, Role.ADMINISTRATOR}), kind="console")


def picture() -> RgbImage:
    """The bundled panel at 5 megapixels with a camera's noise, (H, W, 3) uint8."""
    small = cv2.cvtColor(cv2.imread(str(ROOT / "kenpin/samples/panel.png")), cv2.COLOR_BGR2RGB)
    large = cv2.resize(small, SIZE, interpolation=cv2.INTER_CUBIC).astype(np.int16)
    noise = np.random.default_rng(1).integers(-6, 7, large.shape)
    return np.asarray(np.clip(large + noise, 0, 255), np.uint8)


def prepared(home: Path) -> tuple[str, str, str]:
    """An inspection of a small picture, one of a large one, and the session token of a reviewer."""
    kenpin, password = Kenpin(Settings(home=home), console=True), "a password of the bench"
    kenpin.people.accounts.add(ADMIN, "reviewer", roles={Role.REVIEWER}, password=password)
    inspector = kenpin.inspector("embedded")
    large = picture()
    made = [inspector.start(Material(subject=Photo(pixels))) for pixels in (large[:480, :640].copy(), large)]
    for inspection in made:
        answer_of(inspector.say(inspection, "Zoom in on the upper left."))
    return made[0], made[1], str(kenpin.people.sign_in("reviewer", password).session)


def main() -> None:
    """Print the figures."""
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["KENPIN_HOME"] = folder
        small, made, token = prepared(Path(folder))
        first, later = runs(small, made, token)
    print(f"picture {SIZE[0]} x {SIZE[1]} px, CPU of one run of the page on the server")
    print(f"opened for the first time {first * 1e3:.0f} ms; then median {statistics.median(later) * 1e3:.0f} ms, "
          f"largest of {RUNS} {max(later) * 1e3:.0f} ms")


def runs(small: str, made: str, token: str) -> tuple[float, list[float]]:
    """CPU seconds of the first run, on a server that has shown another inspection before, and of each later one."""
    from streamlit.components.v2 import manifest_scanner
    from streamlit.testing.v1 import AppTest

    import ui.screens.inspection
    import ui.who

    # Streamlit does this once a server, the test harness once a page.
    manifest_scanner.scan_component_manifests = cache(manifest_scanner.scan_component_manifests)
    manifest_scanner.scan_component_manifests()
    ui.who.token = lambda: token
    page = AppTest.from_file(str(ROOT / "tests/ui/inspection_page.py"), default_timeout=60)
    page.query_params["inspection"] = small
    page.run()
    page.query_params["inspection"] = made
    times = []
    for _ in range(RUNS + 1):
        begun = time.process_time()
        page.run()
        times.append(time.process_time() - begun)
        assert not page.exception
        assert not page.error
    return times[0], times[1:]


if __name__ == "__main__":
    main()
