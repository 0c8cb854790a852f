"""Reading in a picture of 50 megapixels stays below 2 GiB."""

import subprocess
import sys

CODE = """
import resource, sys
import cv2, numpy as np
from tools.solo import make_desk
from tools.read_text import TOOL, ReadTextArgs

cv2.setNumThreads(1)
picture = np.full((5774, 8660, 3), 150, np.uint8)
for i in range(0, 5774, 37):
    picture[i:i + 3] = 120
cv2.putText(picture, "LOT A4711-20", (6100, 4300), cv2.FONT_HERSHEY_SIMPLEX, 2.0, (20, 20, 20), 4, cv2.LINE_AA)
desk = make_desk(picture)
del picture
for kind in ("code", "lot"):
    result = TOOL.run(desk, ReadTextArgs(why="how much memory", kind=kind)).result
print(result.best, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_fifty_megapixels_stay_below_two_gib() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    best, kib = done.stdout.split()[0], int(done.stdout.split()[-1])
    assert best == "A4711-20"
    assert kib < 2 * 1024 * 1024, f"{kib} KiB"
