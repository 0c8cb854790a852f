"""How often `detect` decides without samples, and how often it is right then. A false `ok` is the worst outcome.

    OMP_NUM_THREADS=1 python bench/gate.py --seeds 2 [--start 10] [--data DIR] [--strengths 0.25 0.5 1 2]

A picture counts as `ok` if the tool reports nothing and says that nothing else is there, as `ng` if it reports
something and can tell it from the surface's own structure, and as open otherwise. `DIR` holds `manifest.jsonl` in the
format of `kenpin benchmark`; its `inspect` and `texture` records are read, those of a package where it is installed.
"""

import argparse
import importlib.util
import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from bench.drawn_parts import FAULTS as PART_FAULTS
from bench.drawn_parts import PARTS, part
from bench.drawn_surfaces import DEFECTS, TEXTURES, Rgb, draw, write_on
from bench.hard_surfaces import CAMERAS, FAULTS, picture
from tools.detection.alone import inspect_alone

ROOT = Path(__file__).parents[1]
BUNDLED = {
    "ok": ("kenpin/samples/fabric_clean.png", "kenpin/samples/panel_golden.png",
           *(f"bench/suites/second/images/{n}.png" for n in ("wood", "steel", "board_golden", "board_turned",
                                                             "connector_golden", "flange_golden", "gauge_block")),
           *(f"bench/suites/second/images/real/{n}" for n in ("fabric_clean.png", "nut_good.jpg"))),
    "ng": ("kenpin/samples/fabric_stain.jpg", "kenpin/samples/panel.png",
           *(f"bench/suites/second/images/{n}.png" for n in (
               "anodised", "board", "cast_plate", "connector", "dark_plate", "faint_plate", "flange", "moving_plate",
               "orders", "painted_panel", "tile", "weave")),
           *(f"bench/suites/second/images/real/{n}" for n in ("ballscrew_pitted.jpg", "fabric_stained.jpg",
                                                              "housing_cracked.jpg", "nut_coloured.jpg")))}
"""Pictures of this repository whose label is known; those of the bundled cases are all `ng`."""
Labelled = tuple[str, str, Rgb]
"""Group, label, picture."""


def read(path: Path) -> Rgb:
    """A picture file, RGB."""
    return np.asarray(cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB), np.uint8)


def outcome(pixels: Rgb) -> str:
    """`ok`, `ng` or `open`."""
    seen = inspect_alone(pixels)
    if seen.regions:
        return "ng" if seen.decided else "open"
    return "ok" if seen.nothing_else else "open"


def drawn(seeds: range) -> Iterator[Labelled]:
    """Clean surfaces through every camera, each fault through one camera a seed, common defects, letters, parts."""
    cameras = list(CAMERAS)
    for seed in seeds:
        for i, name in enumerate(TEXTURES):
            for camera in cameras:
                yield f"clean, {camera}", "ok", picture(name, 100 + seed, camera=camera)
            for j, fault in enumerate(FAULTS):
                camera = cameras[(seed + i + j) % len(cameras)] if seed % 2 else "plain"
                yield fault, "ng", picture(name, seed, fault=fault, camera=camera)
            for kind in DEFECTS:
                yield f"common: {kind}", "ng", draw(name, 3000 + seed, defects=(kind,)).pixels
            letters = write_on(draw(name, 3100 + seed), f"NO. {seed * 7919 % 10000:04d}", (60, 90))
            yield "clean, with letters", "ok", letters.pixels
        for name in PARTS:
            yield f"part: {name}, good", "ok", part(name, 300 + seed).pixels
            for fault in PART_FAULTS:
                yield f"part: {name}, faulty", "ng", part(name, 3000 + seed, fault=fault).pixels


def bundled() -> Iterator[Labelled]:
    """Pictures of this repository."""
    for label, paths in BUNDLED.items():
        for path in paths:
            yield f"bundled, {label}", label, read(ROOT / path)
    for path in sorted((ROOT / "kenpin/cases/bundled").glob("*/pictures/*.jpg")):
        yield "bundled cases", "ng", read(path)


def real(folder: Path) -> Iterator[Labelled]:
    """Pictures of a manifest."""
    for line in (folder / "manifest.jsonl").read_text(encoding="utf8").splitlines():
        record = json.loads(line)
        if record["task"] not in {"inspect", "texture"} or record["label"] not in {"ok", "ng"}:
            continue
        path = folder / record["path"] if record["path"] else packaged(record["package"]["file"])
        if path is not None and path.exists():
            yield f"real: {record['surface']}, {record['label']}", record["label"], read(path)


def packaged(name: str) -> Path | None:
    """A file inside an installed package."""
    top, rest = name.split("/", 1)
    spec = importlib.util.find_spec(top)
    places = list(spec.submodule_search_locations or ()) if spec else []
    return Path(places[0]) / rest if places else None


def interval(hits: int, of: int) -> str:
    """Share with its 95 % interval.

    Source: Wilson (1927).
    """
    if not of:
        return "-"
    share, z = hits / of, 1.96
    middle, half = share + z * z / (2 * of), z * np.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    low, high = ((middle + s * half) / (1 + z * z / of) for s in (-1, 1))
    return f"{share:.3f} [{max(low, 0):.3f}, {min(high, 1):.3f}]"


def table(labelled: Iterator[Labelled]) -> dict[str, Counter[str]]:
    """Outcomes by group; the label is counted under `is ok` or `is ng`."""
    groups: dict[str, Counter[str]] = defaultdict(Counter)
    for group, label, pixels in labelled:
        said = outcome(pixels)
        groups[group].update({said: 1, f"is {label}": 1, f"{label} said {said}": 1})
    return groups


def show(groups: dict[str, Counter[str]]) -> None:
    """Print the table, and totals of drawn and other pictures."""
    print(f"{'group':32} {'pictures':>8} {'ok':>4} {'ng':>4} {'open':>5}  {'false ok':>8} {'false ng':>8}")
    for group, c in groups.items():
        print(f"{group:32} {c['is ok'] + c['is ng']:8} {c['ok']:4} {c['ng']:4} {c['open']:5}  "
              f"{c['ng said ok']:8} {c['ok said ng']:8}")
    for title, real_ones in (("drawn", False), ("real and bundled", True)):
        sums: Counter[str] = Counter()
        for group, c in groups.items():
            if group.startswith(("real", "bundled")) is real_ones:
                sums.update(c)
        pictures, decided = sums["is ok"] + sums["is ng"], sums["ok"] + sums["ng"]
        if not pictures:
            continue
        wrong = sums["ng said ok"] + sums["ok said ng"]
        print(f"\n{title}: {pictures} pictures\n  decides            {interval(decided, pictures)}\n"
              f"  right then         {interval(decided - wrong, decided)}\n"
              f"  false ok of ng     {interval(sums['ng said ok'], sums['is ng'])}\n"
              f"  false ng of ok     {interval(sums['ok said ng'], sums['is ok'])}\n"
              f"  ok of ok           {interval(sums['ok said ok'], sums['is ok'])}\n"
              f"  ok that is right   {interval(sums['ok said ok'], sums['ok'])}")


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--start", type=int, default=10, help="first seed; 0 to 3 set the limits")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--strengths", type=float, nargs="*", default=[], help="also false ok by the faults' strength")
    parser.add_argument("--only", choices=("drawn", "real"))
    args = parser.parse_args()
    cv2.setNumThreads(1)
    seeds = range(args.start, args.start + args.seeds)
    groups = table(drawn(seeds)) if args.only != "real" else {}
    if args.only != "drawn":
        groups |= table(bundled()) | (table(real(args.data)) if args.data else {})
    show(groups)
    for strength in args.strengths:
        said = Counter(outcome(picture(name, seed, fault=fault, strength=strength))
                       for seed in seeds for name in TEXTURES for fault in FAULTS)
        print(f"faults at {strength:g} of their strength: false ok {interval(said['ok'], sum(said.values()))}")


if __name__ == "__main__":
    main()
