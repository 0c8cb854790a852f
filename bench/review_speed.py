"""How fast the queue and one inspection are, in the service layer, with many inspections on record.

    python bench/review_speed.py [--inspections 10000] [--rounds 100] [--on sqlite|postgresql|both] [--url …]
        [--require]

Fills an installation through its stores with inspections like a real one of the embedded planner, every third of them
reviewed, some signed; then asks as a reviewer does. Prints median and 95th percentile in milliseconds, of the wall
clock and of this thread's CPU. `--require` exits 1 where the 95th percentile (wall clock) passes its limit: 100 ms for
a page of the queue, 150 ms for one inspection.
"""

import argparse
import itertools
import random
import sys
import time
from collections.abc import Callable

from office import CONSOLE, PASSWORD, Clock, Place, account, fill, places, quantile, real_trace

from kenpin.contracts.people import Actor, Proof, Role
from kenpin.contracts.review import Meaning, QueueFilter, Rules, State
from kenpin.contracts.verdict import Verdict
from kenpin.wiring import Kenpin

QUEUE_MS, ONE_MS = 100.0, 150.0
FILTERS = {
    "what waits": QueueFilter(),
    "one product": QueueFilter(product="product 7"),
    "one lot": QueueFilter(product="product 7", lot="L07-3"),
    "verdict ng": QueueFilter(verdict=Verdict.NG),
    "disagreements": QueueFilter(disagrees=True),
    "older than 300 days": QueueFilter(older_than_days=300),
    "newer than 7 days": QueueFilter(newer_than_days=7),
    "signed": QueueFilter(state=State.SIGNED, waiting_only=False),
    "an asker, everything": QueueFilter(asker="operator3", waiting_only=False),
    "a planner": QueueFilter(planner="embedded"),
    "everything, newest": QueueFilter(waiting_only=False, limit=50),
    "everything, page 100": QueueFilter(waiting_only=False, limit=50, offset=5000),
    "nothing fits": QueueFilter(product="' OR 1=1 --"),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inspections", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--on", choices=("sqlite", "postgresql", "both"), default="both")
    parser.add_argument("--url", default=None, help="an empty PostgreSQL database to use instead")
    parser.add_argument("--require", action="store_true")
    args = parser.parse_args()
    with places(args.url) as found:
        chosen = [place for place in found if args.on in ("both", place.name) or args.url]
        late = [line for place in chosen for line in measured(place, args.inspections, args.rounds)]
    for line in late:
        print(f"over its limit: {line}")
    return int(bool(late) and args.require)


def measured(place: Place, inspections: int, rounds: int) -> list[str]:
    """Fill, ask and print; returns what took longer than it may."""
    kenpin = place.open()
    start = time.process_time()
    keys = fill(kenpin, real_trace(kenpin), inspections)
    filled = 1000 * (time.process_time() - start) / inspections
    rosa, blind = account(kenpin, "rosa", Role.REVIEWER), account(kenpin, "blanche", Role.REVIEWER)
    entries = review(kenpin, rosa, keys)
    print(f"\n{place.name}: {inspections} inspections ({filled:.1f} ms CPU each to store), {entries} entries")
    print(f"  {'':34}{'wall p50':>9}{'p95':>7}{'CPU p50':>9}{'p95':>7}   found")
    late = []
    for name, wanted in FILTERS.items():
        late += asked(name, lambda wanted=wanted: kenpin.reviews.queue(rosa, wanted).total, rounds, QUEUE_MS)
    kenpin.reviews.set_rules(CONSOLE, Rules(blind=True))
    late += asked("what waits, blind review", lambda: kenpin.reviews.queue(blind).total, rounds, QUEUE_MS)
    kenpin.reviews.set_rules(CONSOLE, Rules())
    late += asked("choices of the filters", lambda: len(kenpin.reviews.choices(rosa).lots), rounds, QUEUE_MS)
    reviewed, bare = itertools.cycle(keys[::3]), itertools.cycle(keys[1::3])
    late += asked("one inspection, reviewed", lambda: kenpin.reviews.dossier(rosa, next(reviewed)).head, rounds, ONE_MS)
    late += asked("one inspection, new", lambda: kenpin.reviews.dossier(rosa, next(bare)).head, rounds, ONE_MS)
    kenpin.database.close()
    return [f"{place.name}, {line}" for line in late]


def review(kenpin: Kenpin, rosa: Actor, keys: list[str]) -> int:
    """Every third inspection gets a comment or another verdict, and some are signed; returns the entries."""
    rng, entries = random.Random(1), 0
    for number, key in enumerate(keys[::3]):
        if number % 2:
            kenpin.reviews.comment(rosa, key, head=0, text="Looked at it under the lamp.")
        else:
            kenpin.reviews.change_verdict(rosa, key, head=0, verdict=rng.choice(list(Verdict)), why="seen by eye")
        entries += 1
    for key in keys[:1800:60]:
        seen = kenpin.reviews.dossier(rosa, key)
        if seen.decision.verdict is Verdict.UNCERTAIN or not seen.content_sha256:
            continue
        kenpin.reviews.sign(rosa, key, head=seen.head, meaning=Meaning.APPROVED, content_sha256=seen.content_sha256,
                            proof=Proof(method="password", secret=PASSWORD))
        entries += 1
    return entries


def asked(name: str, ask: Callable[[], int], rounds: int, limit: float) -> list[str]:
    """Ask often, print a line, and return it if it is over its limit."""
    clock, found = Clock(), ask()
    for _ in range(rounds):
        with clock.time():
            ask()
    late = quantile(clock.wall, 0.95)
    print(f"  {name:34}{quantile(clock.wall, 0.5):9.1f}{late:7.1f}"
          f"{quantile(clock.cpu, 0.5):9.1f}{quantile(clock.cpu, 0.95):7.1f}   {found}")
    return [f"{name}: {late:.1f} ms, {limit:.0f} allowed"] if late > limit else []


if __name__ == "__main__":
    sys.exit(main())
