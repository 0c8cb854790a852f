"""Kills a working Kenpin with SIGKILL at random moments, opens it again, and looks whether everything is as it must be.

    python bench/crash.py [--kills 200] [--seed 0]

A process asks (embedded planner, real tools), reviews and signs in a loop, with an account, through the service layer,
and says of each call that returned what it put on record. It is killed a random time after a random one of its lines
(up to one and a half times what usually follows takes), so that the kills lie all over the work on a machine of any
speed. Another process then opens the same folder and checks: everything that was said is there; every chain of entries,
every signature and every row verifies (all records after every tenth kill and at the end, else those at work when it
was killed); the audit log verifies; after settling, the case base and the records agree. Every fifth life revokes
signatures too. The processes are forked from one that has imported everything. The bundled example cases are left out,
to be quick.
"""

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import func, select

from agent.inspector import Material, Photo
from kenpin.cases.bundle import bundles
from kenpin.config import Settings
from kenpin.contracts.errors import StoreError
from kenpin.contracts.people import Actor, Proof, Role
from kenpin.contracts.review import Meaning
from kenpin.contracts.verdict import Verdict
from kenpin.contracts.view import RgbImage
from kenpin.database.tables import case_queue
from kenpin.services import Services
from kenpin.wiring import open_kenpin

CONSOLE = Actor(name="console:bench", roles=frozenset({Role.OPERATOR, Role.ADMINISTRATOR}), kind="console")
PASSWORD = "a long enough password"
SAY = ("Look for scratches.", "Zoom in on the lower left.", "Is this like an earlier case?")
LONGEST_LIFE = 18
"""Lines after which a process is killed at the latest: an inspection has 8 or 9."""
FIRST_GAP_S = 0.4
"""How long what follows a line is taken to last before it was seen."""
ALL_EVERY = 10
"""After so many kills every record is verified, not only those that were at work."""
Say = Callable[..., None]
Gaps = dict[str, list[float]]
"""Seconds that passed after lines of each kind."""


def picture(rng: np.random.Generator) -> RgbImage:
    """(150, 200, 3) uint8: a grey plate with a dark scratch."""
    plate = rng.normal(150, 3, (150, 200, 1)).clip(0, 255).astype(np.uint8).repeat(3, axis=2)
    top = int(rng.integers(20, 120))
    plate[top:top + 3, 40:120] = 40
    return np.ascontiguousarray(plate)


def work(home: Path, actor: Actor, seed: int, revoking: bool, say: Say) -> None:
    """Ask, review and sign until killed."""
    services = Services(open_kenpin(Settings(home=home)))
    assert services.kenpin.cases
    rng = np.random.default_rng(seed)
    say("ready")
    while True:
        key = services.asking.start(actor, Material(subject=Photo(picture(rng)), product="plate", lot=f"L{seed}"))
        say("asking", key)
        list(services.asking.say(actor, key, SAY[int(rng.integers(len(SAY)))]))
        say("asked", key)
        say("reviewing", key)
        for entry in reviewed(services, actor, key):
            say("entry", key, entry.n, entry.sha256)
        say("signing", key)
        entry = signed(services, actor, key)
        say("signed", key, entry.n, entry.sha256)
        if revoking:
            entry = services.reviews.revoke(actor, key, entry.n, head=entry.n, why="another part", proof=proof())
            say("revoked", key, entry.n, entry.sha256)


def proof() -> Proof:
    """The password again."""
    return Proof(method="password", secret=PASSWORD)


def reviewed(services: Services, actor: Actor, key: str) -> Iterator[Any]:
    """Three acts: a missed defect, a comment, and the verdict with its cause."""
    reviews = services.reviews
    yield reviews.add_missed(actor, key, head=0, type="chip", box=(5, 5, 30, 30))
    yield reviews.comment(actor, key, head=1, text="seen under the microscope")
    yield reviews.change_verdict(actor, key, head=2, verdict=Verdict.NG, why="a chip", cause="dropped",
                                 disposition="scrap")


def signed(services: Services, actor: Actor, key: str) -> Any:
    """A signature on what stands."""
    seen = services.reviews.dossier(actor, key)
    return services.reviews.sign(actor, key, head=seen.head, meaning=Meaning.APPROVED, proof=proof(),
                                 content_sha256=seen.content_sha256 or "")


def recorded(services: Services, key: str) -> dict[int, Any]:
    """The entries of an inspection by their numbers; none if it is not there."""
    try:
        return {entry.n: entry for entry in services.reviews.dossier(CONSOLE, key).entries}
    except StoreError:
        return {}


def check(home: Path, told: list[list[Any]], everything: bool, say: Say) -> None:
    """Look at the records after a kill; `told` is what was acknowledged, ever."""
    kenpin = open_kenpin(Settings(home=home))
    services = Services(open_kenpin(Settings(home=home), console=True))
    wrong = kenpin.verifier.broken() if everything else []
    for key in () if everything else {one[1] for one in told if len(one) > 1}:
        wrong += kenpin.verifier.broken(key)
    for kind, key, n, sha256 in (one for one in told if one[0] in ("entry", "signed", "revoked")):
        entries = recorded(services, key)
        if n not in entries or entries[n].sha256 != sha256:
            wrong.append(f"LOST: {kind} {key} entry {n}")
    for key in {one[1] for one in told if one[0] == "asked"}:
        if not services.reviews.dossier(CONSOLE, key).trace.turns[0].answer:
            wrong.append(f"LOST: the answer of {key}")
    wrong += [f"audit: {line}" for line in kenpin.audit.verify()]
    with kenpin.database.read() as connection:
        waiting = select(func.count()).select_from(case_queue).where(case_queue.c.done.is_(False))
        owed = connection.execute(waiting).scalar_one()
    kenpin.settler.settle()
    wrong += kenpin.settler.agreement()
    say("checked", wrong, owed, len(kenpin.cases.heads()))


@dataclass
class Process:
    """A forked process and the lines that it has said."""

    run: Callable[[Say], None]
    lines: list[list[Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        reading, writing = os.pipe()
        sys.stdout.flush()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(reading)
            try:
                # One write a line: what arrived, arrived whole.
                self.run(lambda *said: os.write(writing, (json.dumps(said) + "\n").encode()) and None)
            except BaseException:  # noqa: BLE001  # whatever it is, the parent says it
                os.write(writing, (json.dumps(["failed", traceback.format_exc()]) + "\n").encode())
            os._exit(0)
        os.close(writing)
        self._file = os.fdopen(reading, encoding="utf-8")

    def next(self) -> list[Any]:
        """The next line that it says."""
        line = self._file.readline()
        self.lines.append(json.loads(line) if line else ["failed", f"ended; its last words: {self.lines[-3:]}"])
        if self.lines[-1][0] == "failed":
            raise SystemExit(self.lines[-1][1])
        return self.lines[-1]

    def kill(self) -> None:
        """End it at once, and read what it had said."""
        os.kill(self.pid, signal.SIGKILL)
        self.lines += [json.loads(line) for line in self._file if line.endswith("\n")]
        self.wait()

    def wait(self) -> None:
        """Wait for its end."""
        os.waitpid(self.pid, 0)
        self._file.close()


def hired(home: Path, say: Say) -> None:
    """An installation with one reviewer, signed in, and no example cases."""
    kenpin = open_kenpin(Settings(home=home, session_minutes=600), console=True)
    kenpin.people.accounts.add(CONSOLE, "rosa", roles=(Role.REVIEWER,), printed_name="Rosa Rot", password=PASSWORD)
    for folder in bundles():
        kenpin.stored_cases.note(f"bundle:{folder.name}")
    say("hired", kenpin.people.sign_in("rosa", PASSWORD).model_dump(mode="json"))


@dataclass(frozen=True)
class Plan:
    """What is to be done."""

    kills: int
    seed: int
    longest_life: int
    chance: random.Random


def life(home: Path, actor: Actor, number: int, plan: Plan, gaps: Gaps) -> Process:
    """Let a process work and kill it after some of its lines; after none, it is still opening the installation."""
    process = Process(lambda say: work(home, actor, plan.seed + number, number % 5 == 4, say))
    kind = "opening"
    for _ in range(plan.chance.randint(0, plan.longest_life)):
        since = time.perf_counter()
        kind, before = process.next()[0], kind
        gaps.setdefault(before, []).append(time.perf_counter() - since)
    time.sleep(plan.chance.uniform(0, 1.5 * float(np.median(gaps.get(kind, [FIRST_GAP_S])))))
    process.kill()
    if failed := [line for line in process.lines if line[0] == "failed"]:
        raise SystemExit(failed[0][1])
    return process


def crash(home: Path, plan: Plan) -> tuple[Counter[str], list[str]]:
    """Kill so many times; counts, and everything that was wrong."""
    counts, wrong = Counter[str](), []
    setup = Process(lambda say: hired(home, say))
    actor = Actor.model_validate(setup.next()[1])
    setup.wait()
    told: list[list[Any]] = []
    gaps: Gaps = {}
    for number in range(plan.kills):
        process = life(home, actor, number, plan, gaps)
        doing = next((line[0] for line in reversed(process.lines) if line[0] in PHASES), "opening")
        counts[f"killed while {PHASES.get(doing, doing)}"] += 1
        counts.update(f"{line[0]}, said to be on record" for line in process.lines
                      if line[0] in ("asked", "entry", "signed", "revoked"))
        told += process.lines
        everything = number % ALL_EVERY == ALL_EVERY - 1 or number == plan.kills - 1
        asked = told if everything else process.lines
        checker = Process(lambda say, asked=asked, everything=everything: check(home, asked, everything, say))
        _, found, owed, cases = checker.next()
        checker.wait()
        wrong += [f"after kill {number + 1}: {line}" for line in found]
        counts["carried over to the case base only after a kill"] += owed
        counts["cases in the end"] = cases
        if everything:
            print(f"{number + 1} kills: {len(wrong)} things wrong; {dict(counts)}", file=sys.stderr, flush=True)
    return counts, wrong


PHASES = {"ready": "asking", "asking": "asking", "asked": "reviewing", "reviewing": "reviewing", "entry": "reviewing",
          "signing": "signing", "signed": "signing or revoking", "revoked": "asking"}
"""What a process does after its last word."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--longest-life", type=int, default=LONGEST_LIFE, help="lines that a process says at most")
    options = parser.parse_args()
    import chromadb  # noqa: F401  # before the forks, as everything else

    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        counts, wrong = crash(Path(folder) / "home", Plan(options.kills, options.seed, options.longest_life,
                                                          random.Random(options.seed)))
    for name, number in sorted(counts.items()):
        print(f"{number:6d} {name}")
    print(f"{len(wrong):6d} things wrong after {options.kills} kills, in {time.perf_counter() - started:.0f} s")
    print("\n".join(wrong[:20]))
    raise SystemExit(1 if wrong else 0)


if __name__ == "__main__":
    main()
