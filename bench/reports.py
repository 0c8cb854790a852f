"""CPU time, memory and size of the report of a lot of 200 inspections with pictures of 6.3 megapixels.

    python bench/reports.py
"""

import hashlib
import importlib.util
import io
import resource
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from pypdf import PdfReader

from kenpin.contracts.trace import TraceImage
from kenpin.reports import LotFacts, dossier_facts, report_bytes

LOT = 200


def double() -> Any:
    """The inspections of the tests."""
    spec = importlib.util.spec_from_file_location("report_double", Path(__file__).parents[1] / "tests/report_double.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def told(what: str, started: float, data: bytes = b"") -> None:
    """One line of figures."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    size = f", {len(data) / 1e6:.2f} MB" if data else ""
    print(f"{what}: {time.process_time() - started:.2f} s CPU{size}, peak memory {peak:.0f} MB")


def main() -> None:
    """Gather the facts of the lot, then make each kind of report."""
    made = double()
    pictures = made.Pictures()
    rng, plate, facts = np.random.default_rng(0), made.plate(), []
    told("before", started := time.process_time())
    spent = 0.0
    for n in range(LOT):
        paused = time.process_time()
        pixels = np.kron(plate, np.ones((3, 3, 1), np.uint8))
        pixels[:64] = rng.integers(0, 255, (64, *pixels.shape[1:]), np.uint8)
        file = cv2.imencode(".png", pixels)[1].tobytes()
        sha256 = hashlib.sha256(file).hexdigest()
        pictures.files[sha256] = file
        image = TraceImage(id="v0", role="subject", sha256=sha256, width=3000, height=2100)
        trace = made.make_trace(pictures, key=f"i-{n:04d}", part=f"P-{n}").model_copy(update={"images": (image,)})
        dossier = made.reviewed(trace, *made.rulings(trace), ("sato", made.signature()))
        spent += time.process_time() - paused
        facts.append(dossier_facts(dossier, pictures, head=made.HEAD, at=made.AT, detail="small"))
        pictures.files.pop(sha256)
    told(f"facts of {LOT} inspections", started + spent)
    lot = LotFacts(lot="L-0815", product=None, inspections=tuple(facts), unshown=(), head=made.HEAD, at=made.AT)
    for kind in ("csv", "html", "pdf"):
        started = time.process_time()
        data = report_bytes(lot, kind, "ja")
        told(kind, started, data)
    print(f"pages: {len(PdfReader(io.BytesIO(data)).pages)}")
    trace = made.make_trace(pictures)
    one = dossier_facts(made.reviewed(trace, *made.rulings(trace)), pictures, head=made.HEAD, at=made.AT)
    started = time.process_time()
    data = report_bytes(one, "pdf", "ja")
    told("pdf of one inspection", started, data)


if __name__ == "__main__":
    main()
