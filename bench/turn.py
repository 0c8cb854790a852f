"""How long one turn of the embedded planner takes on an 800×600 picture, after start-up.

    python bench/turn.py [--rounds 9]

Prints the median and the worst of all rounds for some instructions, and the share that is the planner's own: routing,
grammar, procedures and the loop, without the tools.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from agent.inspector import Material, Photo, answer_of
from kenpin.config import read_settings
from kenpin.samples import SAMPLES
from kenpin.security.uploads import read_upload
from kenpin.wiring import open_kenpin

SAYS = (
    "Is there anything wrong with this panel?",
    "傷を探して長さを測って。1mm=4px",
    "Zoom in on the lower left and look for scratches",
    "Read the serial number",
)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    pixels = np.asarray(cv2.resize(read_upload(SAMPLES / "panel.png").pixels, (800, 600)), dtype=np.uint8)
    with tempfile.TemporaryDirectory() as home:
        inspector = open_kenpin(read_settings(home=Path(home), planner="embedded")).inspector()
        answer_of(inspector.say(inspector.start(Material(subject=Photo(pixels))), " ".join(SAYS)))  # start-up
        print("ms a turn: median, worst; of which the planner's own (median)")
        for say in SAYS:
            turns, own = [], []
            for _ in range(rounds):
                inspection = inspector.start(Material(subject=Photo(pixels)))
                start = time.perf_counter()
                answer_of(inspector.say(inspection, say))
                turns.append(1000 * (time.perf_counter() - start))
                own.append(turns[-1] - sum(step.ms for step in inspector.trace(inspection).turns[-1].steps))
            print(f"  {statistics.median(turns):6.0f} {max(turns):6.0f}  {statistics.median(own):5.0f}   {say}")


if __name__ == "__main__":
    main()
