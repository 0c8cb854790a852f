"""Eight people at once, each in a process of their own, ask, review and sign against one installation.

    python bench/eight.py [--seconds 120] [--people 8] [--on sqlite|postgresql|both] [--url postgresql://…]

Everybody draws what to do by chance: begin an inspection with the embedded planner, ask on, or take one of the first
rows of the queue and comment, accept, correct, add a missed defect, judge, change the verdict, sign, amend. Two who
take the same row are in each other's way, as people are. Prints what was done, refused and how long it took (wall
clock, milliseconds), then holds the records to it: every act that was acknowledged must be on record as it was
acknowledged, every turn must have its answer, the audit chain and every record must be whole. Exit 1 if anything is
lost, broken, or failed in a way that a person could not have caused.
"""

import argparse
import multiprocessing
import random
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier

from office import ASKED, PASSWORD, Place, account, places, quantile

from agent.inspector import Material, Photo, answer_of
from kenpin.contracts.errors import BadInput, Conflict, KenpinError, Locked
from kenpin.contracts.people import Proof, Role
from kenpin.contracts.review import LOCKED, Dossier, Entry, Meaning, QueueFilter, State
from kenpin.contracts.verdict import Verdict
from kenpin.database.tables import entries
from kenpin.samples import SAMPLES
from kenpin.security.uploads import read_upload
from kenpin.services import Services
from kenpin.wiring import Kenpin

SAYS = ("Zoom in on the lower left.", "Crop the upper right.", "右下を拡大して", "Check the picture quality.", ASKED)
PATIENCE = 300.0
"""Seconds until everybody is there, and until the last one has finished what was begun."""
TAKEN = 12
"""Rows of the queue that a person chooses from, so that two often choose the same."""
HUMAN = (Conflict, Locked, BadInput)
"""Refusals that a person runs into: somebody else was first, it is signed, it cannot be signed like this."""


@dataclass
class Done:
    """What one person did."""

    name: str
    acts: list[tuple[str, int, str]] = field(default_factory=list)
    """Inspection, number and sha256 of each acknowledged entry."""
    turns: list[tuple[str, str]] = field(default_factory=list)
    """Inspection and words of each turn whose answer was seen."""
    refused: Counter[str] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)
    spent: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))


class Person:
    """One of the eight."""

    def __init__(self, place: Place, name: str, seed: int) -> None:
        self.services = Services(place.open())
        self.actor = self.services.people.sign_in(name, PASSWORD)
        self.rng, self.done, self.said = random.Random(seed), Done(name), 0
        self.photo = Photo(read_upload(SAMPLES / "panel.png").pixels)

    def work(self, until: float) -> Done:
        """Do one thing after another."""
        while time.time() < until:
            kind = "ask" if self.rng.random() < 0.3 else "review"
            start = time.perf_counter()
            try:
                kind = self.ask() if kind == "ask" else self.review()
                self.done.spent[kind].append(1000 * (time.perf_counter() - start))
            except HUMAN as exc:
                self.done.refused[type(exc).__name__] += 1
            except KenpinError as exc:
                self.done.failed.append(f"{type(exc).__name__}: {exc}")
        return self.done

    def ask(self) -> str:
        """Begin an inspection, or ask on in one of the queue."""
        asking = self.services.asking
        rows = self.services.reviews.queue(self.actor, QueueFilter(limit=TAKEN)).rows
        if rows and self.rng.random() < 0.4:
            kind, key = "ask on", self.rng.choice(rows).id
        else:
            kind = "ask anew"
            key = asking.start(self.actor, Material(subject=self.photo, product="panel"), planner="embedded")
        self.said += 1
        words = f"{self.rng.choice(SAYS)} #{self.done.name}-{self.said}"
        answer_of(asking.say(self.actor, key, words))
        self.done.turns.append((key, words))
        return kind

    def review(self) -> str:
        """Take a row and do something with it."""
        everything = self.rng.random() < 0.1
        wanted = QueueFilter(limit=TAKEN, waiting_only=not everything, state=State.SIGNED if everything else None)
        rows = self.services.reviews.queue(self.actor, wanted).rows
        if not rows:
            return "look"
        key = self.rng.choice(rows).id
        seen = self.services.reviews.dossier(self.actor, key)
        kind, act = self.choose(seen)
        # A person reads before acting; meanwhile another may write.
        time.sleep(self.rng.random() * 0.2)
        entry = act()
        self.done.acts.append((key, entry.n, entry.sha256))
        return kind

    def choose(self, seen: Dossier) -> tuple[str, Callable[[], Entry]]:
        """What to do with it, and how."""
        reviews, rng, a, key, head = self.services.reviews, self.rng, self.actor, seen.trace.id, seen.head
        if seen.state in LOCKED:
            return "amend", lambda: reviews.amend(a, key, head=head, why="look again")
        found = [f.id for f in seen.decision.findings]
        acts: dict[str, Callable[[], Entry]] = {
            "comment": lambda: reviews.comment(a, key, head=head, text=f"seen by {a.name}"),
            "judge": lambda: reviews.judge(a, key, head=head, verdict=rng.choice(list(Verdict))),
            "verdict": lambda: reviews.change_verdict(a, key, head=head, verdict=rng.choice(list(Verdict)), why="eye"),
            "missed": lambda: reviews.add_missed(a, key, head=head, type="dent", box=(5, 5, 40, 40)),
        }
        if found:
            acts["accept"] = lambda: reviews.accept(a, key, rng.choice(found), head=head)
            acts["correct"] = lambda: reviews.correct(a, key, rng.choice(found), head=head, box=(9, 9, 50, 50))
        if seen.decision.verdict in (Verdict.OK, Verdict.NG):
            proof = Proof(method="password", secret=PASSWORD)
            acts["sign"] = acts["sign too"] = lambda: reviews.sign(
                a, key, head=head, meaning=Meaning.APPROVED, proof=proof, content_sha256=seen.content_sha256 or ""
            )
        kind = rng.choice(sorted(acts))
        return kind.removesuffix(" too"), acts[kind]


def run_person(place: Place, name: str, seed: int, ready: Barrier, seconds: float, out: "Queue[Done]") -> None:
    """A process."""
    import cv2

    cv2.setNumThreads(1)
    person = Person(place, name, seed)
    person.services.asking.planner(person.actor, "embedded")
    ready.wait(PATIENCE)
    done = person.work(time.time() + seconds)
    done.spent = dict(done.spent)
    out.put(done)


def lost(kenpin: Kenpin, people: list[Done]) -> list[str]:
    """Acknowledged acts and turns that are not on record as they were acknowledged."""
    with kenpin.database.read() as connection:
        rows = connection.execute(entries.select()).all()
    kept = {(row.inspection, row.n, row.sha256): row.by for row in rows}
    found = []
    for person in people:
        found += [f"{person.name}: entry {n} of {key}" for key, n, sha in person.acts
                  if kept.get((key, n, sha)) != person.name]  # fmt: skip
        for key, words in person.turns:
            turns = [turn for turn in kenpin.traces.load(key).turns if turn.say == words]
            if len(turns) != 1 or turns[0].answer is None:
                found.append(f"{person.name}: {words!r} in {key}")
    return found


def show(place: Place, kenpin: Kenpin, people: list[Done], seconds: float) -> bool:
    """Print what came of it; whether it is as it must be."""
    acts, turns = sum(len(p.acts) for p in people), sum(len(p.turns) for p in people)
    print(f"\n{place.name}: {len(people)} people, {seconds:.0f} s: {acts} acts and {turns} turns acknowledged, "
          f"{kenpin.traces.count()} inspections, {kenpin.audit.count()} events")  # fmt: skip
    spent: dict[str, list[float]] = defaultdict(list)
    for person in people:
        for kind, times in person.spent.items():
            spent[kind] += times
    for kind, times in sorted(spent.items()):
        print(f"  {kind:10}{len(times):6}   p50 {quantile(times, 0.5):7.0f} ms   p95 {quantile(times, 0.95):7.0f} ms")
    refused: Counter[str] = sum((person.refused for person in people), Counter())
    failed = [f"{person.name}: {line}" for person in people for line in person.failed]
    gone = lost(kenpin, people)
    start = time.process_time()
    chain = kenpin.audit.verify()
    walked = time.process_time() - start
    records = kenpin.verifier.broken()
    print("  refused as it should be: " + (", ".join(f"{k} {n}" for k, n in sorted(refused.items())) or "nothing"))
    locks = sum("locked" in line or "lock timeout" in line or "deadlock" in line for line in failed)
    print(f"  lock errors {locks}, other failures {len(failed) - locks}, lost updates {len(gone)}")
    print(f"  audit chain {'whole' if not chain else chain[0]} ({walked:.2f} s CPU), records broken {len(records)}")
    for line in [*failed[:10], *gone[:10], *records[:10]]:
        print(f"    {line}")
    return bool(acts and turns) and not (failed or gone or chain or records)


def run(place: Place, count: int, seconds: float) -> bool:
    """Eight people against one installation."""
    kenpin = place.open()
    names = [f"person{number}" for number in range(count)]
    for name in names:
        account(kenpin, name, Role.OPERATOR, Role.REVIEWER)
    context = multiprocessing.get_context("spawn")
    out: Queue[Done] = context.Queue()
    ready = context.Barrier(count)
    processes = [
        context.Process(target=run_person, args=(place, name, seed, ready, seconds, out))
        for seed, name in enumerate(names)
    ]
    for process in processes:
        process.start()
    people = [out.get(timeout=seconds + 2 * PATIENCE) for _ in processes]
    for process in processes:
        process.join()
    fine = show(place, kenpin, people, seconds)
    kenpin.database.close()
    return fine


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--people", type=int, default=8)
    parser.add_argument("--on", choices=("sqlite", "postgresql", "both"), default="both")
    parser.add_argument("--url", default=None, help="an empty PostgreSQL database to use instead")
    args = parser.parse_args()
    with places(args.url) as found:
        chosen = [place for place in found if args.on in ("both", place.name) or args.url]
        fine = [run(place, args.people, args.seconds) for place in chosen]
    return int(not all(fine) or not fine)


if __name__ == "__main__":
    sys.exit(main())
