"""What sealing costs: pictures, texts and turns, plain and sealed side by side, and a change of the master key.

    python bench/sealing.py [--rounds 30] [--keys 10000]

Each round stores a new picture and reads it back with a store that has it in no memory, first plain, then sealed, the
order changing from round to round; the same for a turn of eight steps. `sealing` is the time of the cipher and of the
data key alone. Printed: processor time of this process, median over the rounds, in milliseconds.
"""

import argparse
import os
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer
from langgraph.checkpoint.sqlite import SqliteSaver

from agent.inspector import Inspector, Material, Photo, answer_of
from agent.planners.scripted import call, conclude, scripted_planner
from agent.policy import Limits
from agent.record import Recorder
from kenpin.database.engine import Database, open_database
from kenpin.samples import SAMPLES
from kenpin.security.audit import ChainedAudit
from kenpin.security.checkpoints import CheckpointCipher
from kenpin.security.keyring import KeySource
from kenpin.security.rotation import rotate
from kenpin.security.vault import Vault, open_vault
from kenpin.traces.pictures import FilePictures
from kenpin.traces.records import DatabaseTraces
from tools import zoom

SIZES = ((800, 600), (2448, 2048))
"""Width and height, px: a crop, and the picture of a 5 megapixel camera."""


def spent(act: Callable[[], object]) -> float:
    """Processor milliseconds of one call."""
    start = time.process_time()
    act()
    return 1000 * (time.process_time() - start)


def surface(width: int, height: int) -> np.ndarray:
    """(H, W, 3) uint8: a bundled photograph of a fabric with sensor noise, which compresses as a real picture does."""
    photo = cv2.cvtColor(cv2.imread(str(SAMPLES / "fabric_clean.png")), cv2.COLOR_BGR2RGB)
    large = cv2.resize(photo, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.int16)
    noise = np.random.default_rng(0).normal(0, 2, large.shape)
    return (large + noise.astype(np.int16)).clip(0, 255).astype(np.uint8)


def pictures(home: Path, vault: Vault, size: tuple[int, int], rounds: int) -> dict[str, dict[str, float]]:
    """Median milliseconds of put, put again and get, by kind of store, and the size of the files in bytes."""
    pixels = surface(*size)
    taken: dict[str, dict[str, list[float]]] = {k: {"put": [], "again": [], "get": []} for k in ("plain", "sealed")}
    bytes_of = {}
    for number in range(rounds):
        new = np.roll(pixels, number + 1, axis=1)
        for kind in ("plain", "sealed") if number % 2 else ("sealed", "plain"):
            sealer = vault if kind == "sealed" else None
            store, reader = (FilePictures(home / kind, sealer) for _ in range(2))
            names: list[str] = []
            taken[kind]["put"].append(spent(lambda: names.append(store.put(new))))  # noqa: B023  (called at once)
            taken[kind]["again"].append(spent(lambda: store.put(new)))  # noqa: B023
            taken[kind]["get"].append(spent(lambda: reader.get(names[0])))  # noqa: B023
            bytes_of[kind] = (home / kind / names[0][:2] / names[0]).stat().st_size
    return {
        kind: {**{what: statistics.median(ms) for what, ms in all_ms.items()}, "bytes": bytes_of[kind]}
        for kind, all_ms in taken.items()
    }


def alone(vault: Vault, size: int, rounds: int) -> tuple[float, float]:
    """Median milliseconds to seal bytes under a new key and to open them, the key in memory."""
    body, sealed = os.urandom(size), b""
    taken: list[tuple[float, float]] = []
    for number in range(rounds):
        start = time.process_time()
        sealed = vault.seal(f"alone:{size}-{number}", body, about="picture")
        middle = time.process_time()
        vault.open(f"alone:{size}-{number}", sealed, about="picture")
        taken.append((1000 * (middle - start), 1000 * (time.process_time() - middle)))
    return statistics.median(t[0] for t in taken), statistics.median(t[1] for t in taken)


def turns(home: Path, vault: Vault, traces: DatabaseTraces, rounds: int) -> dict[str, float]:
    """Median milliseconds of a turn of eight steps on an 800x600 picture, checkpoints and pictures plain or sealed."""
    script = [*(call("zoom", box=(10 * i, 10, 10 * i + 60, 60)) for i in range(8)), conclude("Done.")]
    photo = surface(800, 600)
    taken: dict[str, list[float]] = {"plain": [], "sealed": []}
    for number in range(rounds):
        for kind in taken if number % 2 else reversed(taken):
            connection = sqlite3.connect(home / f"checkpoints-{kind}.sqlite", check_same_thread=False)
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")
            sealed = kind == "sealed"
            recorder = Recorder(
                tools={"zoom": zoom.TOOL},
                pictures=FilePictures(home / f"turns-{kind}", vault if sealed else None),
                cases=None,
                limits=Limits(),
            )
            inspector = Inspector(
                planner=scripted_planner(script),
                recorder=recorder,
                traces=traces,
                checkpointer=SqliteSaver(
                    connection, serde=EncryptedSerializer(CheckpointCipher(vault)) if sealed else None
                ),
            )
            inspection = inspector.start(Material(subject=Photo(np.roll(photo, number + 1, axis=1))))
            taken[kind].append(spent(lambda: answer_of(inspector.say(inspection, "go"))))  # noqa: B023
            connection.close()
    return {kind: statistics.median(ms) for kind, ms in taken.items()}


def texts(vault: Vault, rounds: int) -> dict[str, float]:
    """Median milliseconds for a trace of 50 kB: sealed under a new key, under a known one, and opened."""
    body = os.urandom(50_000)
    taken: dict[str, list[float]] = {"first": [], "again": [], "open": []}
    for number in range(rounds):
        record = f"inspection:{number}"
        taken["first"].append(spent(lambda: vault.seal(record, body, about="trace")))  # noqa: B023
        taken["again"].append(spent(lambda: vault.seal(record, body, about="trace")))  # noqa: B023
        sealed = vault.seal(record, body, about="trace")
        taken["open"].append(spent(lambda: vault.open(record, sealed, about="trace")))  # noqa: B023
    return {what: statistics.median(ms) for what, ms in taken.items()}


def rotation(database: Database, source: KeySource, vault: Vault, keys: int) -> tuple[int, float, float]:
    """Data keys, and seconds of processor and of the clock for a change of the master key over all of them."""
    with database.write() as connection:
        for number in range(keys):
            vault.seal(f"picture:{number:064x}", b"", about="picture", connection=connection)
    start, clock = time.process_time(), time.perf_counter()
    done = rotate(database, source, ChainedAudit(database), actor="bench")
    return done.wrapped, time.process_time() - start, time.perf_counter() - clock


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--keys", type=int, default=10_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        database, source = open_database(None, folder=home), KeySource(home / "master.key")
        vault = open_vault(database, source)
        print(f"{'picture':>9} {'store':>6} {'put ms':>8} {'again ms':>8} {'get ms':>8} {'file':>9}")
        for size in SIZES:
            for kind, row in pictures(home, vault, size, given.rounds).items():
                times = f"{row['put']:8.2f} {row['again']:8.2f} {row['get']:8.2f} {row['bytes']:9.0f}"
                print(f"{f'{size[0]}x{size[1]}':>9} {kind:>6} {times}")
            sealing, opening = alone(vault, int(row["bytes"]), given.rounds)
            print(f"{'':>9} sealing such a file alone {sealing:.2f} ms, opening it {opening:.2f} ms")
        by_kind = turns(home, vault, DatabaseTraces(database, vault), given.rounds)
        print(f"turn of eight steps: plain {by_kind['plain']:.0f} ms, sealed {by_kind['sealed']:.0f} ms")
        first = texts(vault, given.rounds)
        print(f"50 kB text: sealed under a new key {first['first']:.2f} ms, a known one {first['again']:.2f} ms, "
              f"opened {first['open']:.2f} ms")
        wrapped, processor, clock = rotation(database, source, vault, given.keys)
        print(f"keys rotate: {wrapped} data keys in {processor:.2f} s of processor, {clock:.2f} s by the clock")
        database.close()


if __name__ == "__main__":
    main()
