"""How long a search in 10,000 past cases takes in the service layer, describing the query included; cases are sealed.

    python bench/case_speed.py [--cases 10000] [--plain]

The pictures: 300 drawn defects (bench/recall_drawn.py, seed 0) are described by the shipped embedder; the other cases
are these with their vectors moved by chance (cosine with the original about .9, so their types stay in clusters) and
with texts of their own. Queries are 100 other drawn defects (seed 1), each described anew within its time. One process
fills the folder, another searches; memory is what the searching one holds more after its first search than before.
"""

import argparse
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from bench.recall_drawn import drawn_records
from kenpin.cases.chroma import ChromaCases
from kenpin.cases.desk import CaseDesk
from kenpin.cases.embed_offline import OfflineEmbedder
from kenpin.cases.likeness import Part, Vectors, case_texts, describe_case
from kenpin.config import Settings
from kenpin.contracts.case import Case, CaseQuery
from kenpin.contracts.people import Actor, Role
from kenpin.database.engine import open_database
from kenpin.security.audit import ChainedAudit
from kenpin.security.keyring import Keyring, new_key, read_keyring, write_keyring
from kenpin.security.people import People
from kenpin.security.vault import Vault
from tools.detection.backbone import WEIGHTS
from tools.recall import cut_out

QUERIES = 100
CONSOLE = Actor(name="console:bench", roles=frozenset({Role.OPERATOR, Role.ADMINISTRATOR}), kind="console")
SPREAD = 0.48
"""Length of what is added by chance to a unit vector."""
CAUSES = ("a worn tool edge at station {n}", "chips left in fixture {n}", "coolant of tank {n} ran low",
          "金型 {n} の摩耗", "搬送コンベア {n} での接触", "切粉の噛み込み（治具 {n}）", "a dropped tray on line {n}")
DONE = ("scrap", "rework", "use as is", "return to supplier", "手直し", "廃棄")
NOTES = ("found at final inspection by operator {n}", "ロット {n} の抜き取り検査で発見", "customer claim {n}",
         "段取り替え後の {n} 個目で発生、工具を交換", "seen on {n} parts of the lot, all sorted out")
WORDS = ("scratch", "割れ", "worn tool", "金型の摩耗", "stain oil", "打痕 搬送", "pit", "coolant tank 7 ran low")


def case(number: int, record: dict[str, Any], rng: np.random.Generator) -> Case:
    """A case with texts of its own."""
    def said(choices: tuple[str, ...]) -> str:
        return choices[int(rng.integers(len(choices)))].format(n=int(rng.integers(400)))

    return Case(id=f"c{number:05d}", product=f"part-{number % 40}", defect_type=record["type"], cause=said(CAUSES),
                disposition=said(DONE), note=said(NOTES), lot=f"L{number // 50}", date="2026-03-01",
                picture=f"{number:064x}", box=record["box"], part=f"p{number // 2}" if number % 3 else None)


def moved(vectors: Vectors, rng: np.random.Generator) -> Vectors:
    """Unit vectors a little off."""
    off = rng.normal(0, 1, vectors.shape)
    off *= SPREAD / np.linalg.norm(off, axis=1, keepdims=True)
    return np.asarray((vectors + off) / np.linalg.norm(vectors + off, axis=1, keepdims=True), dtype=np.float32)


def described(count: int, embedder: OfflineEmbedder) -> Iterator[tuple[Case, dict[Part, Vectors]]]:
    """Cases with their vectors; words are always the embedder's own."""
    rng = np.random.default_rng(7)
    records = list(drawn_records(each=60, seed=0))
    first: list[dict[Part, Vectors]] = []
    for number in range(count):
        record = records[number % len(records)]
        one = case(number, record, rng)
        if number < len(records):
            first.append(describe_case(embedder, one, record["pixels"]))
            yield one, first[number]
            continue
        known = first[number % len(records)]
        words = np.stack([embedder.words(text) for text in case_texts(one)])
        yield one, {"region": moved(known["region"], rng), "picture": moved(known["picture"], rng), "words": words}


def opened(folder: Path, sealed: bool) -> ChromaCases:
    """The case base, with the vault of an installation, as its wiring makes it."""
    keys = folder / "master.key"
    if not keys.exists():
        write_keyring(keys, (new_key(),))
    ring: Keyring = read_keyring(keys)
    vault = Vault(open_database(None, folder=folder), ring) if sealed else None
    return ChromaCases(OfflineEmbedder(WEIGHTS), folder=folder / "cases", sealer=vault)


@dataclass(frozen=True)
class Asked:
    """The service, asked by the console: the guard's look at the actor is within each time."""

    desk: CaseDesk

    def search(self, query: CaseQuery, **shown: Any) -> object:
        return self.desk.search(CONSOLE, query, **shown)


def fill(folder: Path, count: int, sealed: bool) -> None:
    """Make the case base."""
    cv2.setNumThreads(1)
    store = opened(folder, sealed)
    made = list(described(count, OfflineEmbedder(WEIGHTS)))
    wall, cpu = time.perf_counter(), time.process_time()
    store.add_described(made)
    size = sum(file.stat().st_size for file in (folder / "cases").rglob("*") if file.is_file()) / 2**20
    print(f"{count} cases added in {time.perf_counter() - wall:.1f} s wall, {time.process_time() - cpu:.1f} s CPU, "
          f"without describing pictures; {size:.0f} MiB on disk", flush=True)
    store.close()


def timed(name: str, work: Callable[[int], object]) -> None:
    """Median and 95th percentile of wall and CPU time of this process, ms."""
    walls, cpus = [], []
    for number in range(QUERIES):
        wall, cpu = time.perf_counter(), time.process_time()
        work(number)
        walls.append(1000 * (time.perf_counter() - wall))
        cpus.append(1000 * (time.process_time() - cpu))
    row = [float(value) for times in (walls, cpus) for value in (np.median(times), np.quantile(times, 0.95))]
    print(f"{name:34s} wall p50 {row[0]:6.1f} p95 {row[1]:6.1f}   CPU p50 {row[2]:6.1f} p95 {row[3]:6.1f}", flush=True)


def held() -> float:
    """Most memory that this process has held, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def search(folder: Path, sealed: bool) -> None:
    """Print the table."""
    cv2.setNumThreads(1)
    kept = opened(folder, sealed)
    database = open_database(None, folder=folder)
    audit = ChainedAudit(database)
    guard = People(database, audit, Settings(home=folder), console=True)
    store = Asked(CaseDesk(guard, lambda: kept, database, audit))
    records = list(drawn_records(each=QUERIES // 5, seed=1))
    cuts = [cut_out(record["pixels"], record["box"]) for record in records]
    wholes = [record["pixels"] for record in records]
    embedder = OfflineEmbedder(WEIGHTS)
    embedder.picture(wholes[0])
    kept.get("c00000")
    before, wall = held(), time.perf_counter()
    store.search(CaseQuery(words="scratch"), region=cuts[0])
    print(f"first search of a process, all vectors read: {time.perf_counter() - wall:.1f} s wall, "
          f"{held() - before:.0f} MiB more", flush=True)
    timed("describing one picture", lambda i: embedder.picture(wholes[i]))
    one = CaseQuery(product="part-7")
    both = {"product": "part-7", "defect_type": "scratch"}
    timed("words", lambda i: store.search(CaseQuery(words=WORDS[i % len(WORDS)])))
    timed("words, product", lambda i: store.search(CaseQuery(words=WORDS[i % len(WORDS)], product="part-7")))
    timed("region", lambda i: store.search(CaseQuery(), region=cuts[i]))
    timed("region, product", lambda i: store.search(one, region=cuts[i]))
    timed("region, product and type", lambda i: store.search(CaseQuery(**both), region=cuts[i]))
    timed("picture", lambda i: store.search(CaseQuery(), picture=wholes[i]))
    timed("picture, product", lambda i: store.search(one, picture=wholes[i]))
    timed("region and words", lambda i: store.search(CaseQuery(words=WORDS[i % len(WORDS)]), region=cuts[i]))
    timed("picture and words", lambda i: store.search(CaseQuery(words=WORDS[i % len(WORDS)]), picture=wholes[i]))
    timed("region and words, 20 cases", lambda i: store.search(CaseQuery(words=WORDS[i % 8], k=20), region=cuts[i]))
    timed("filters alone", lambda i: store.search(one))
    timed("how many there are to search", lambda i: kept.count(one))
    kept.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--plain", action="store_true", help="texts not sealed")
    options = parser.parse_args()
    spawn = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        for work, given in ((fill, (options.cases, not options.plain)), (search, (not options.plain,))):
            process = spawn.Process(target=work, args=(Path(folder), *given))
            process.start()
            process.join()
            if process.exitcode:
                raise SystemExit(process.exitcode)


if __name__ == "__main__":
    main()
