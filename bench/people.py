"""What sign-in and the guard cost: CPU time of a check, of a password, and known against unknown names.

    python bench/people.py
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from kenpin.config import Settings
from kenpin.contracts.errors import SignInRefused
from kenpin.contracts.people import Actor, Right, Role
from kenpin.database.engine import open_database
from kenpin.security.audit import ChainedAudit
from kenpin.security.people import People

WORDS = "four unrelated words here"
CONSOLE = Actor(name="console:bench", roles=frozenset({Role.OPERATOR, Role.ADMINISTRATOR}), kind="console")


def cpu_ms(act: Callable[[], object], times: int) -> list[float]:
    """CPU time of each call, ms, all threads of this process."""
    spent = []
    for _ in range(times):
        began = time.process_time()
        act()
        spent.append((time.process_time() - began) * 1000)
    return spent


def refused(people: People, name: str, word: str) -> None:
    """A sign-in that is not let in."""
    try:
        people.sign_in(name, word)
    except SignInRefused:
        return
    raise AssertionError(name)


def main() -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as folder:
        database = open_database(None, folder=Path(folder))
        people = People(database, ChainedAudit(database), Settings(home=Path(folder)), console=True)
        for n in range(200):
            people.accounts.add(CONSOLE, f"user{n}", roles=[Role.REVIEWER], oidc=("https://id.example.com", str(n)))
        people.accounts.add(CONSOLE, "ann", roles=[Role.REVIEWER], password=WORDS)
        actor = people.sign_in("ann", WORDS)
        check = cpu_ms(lambda: people.check(actor, Right.READ), 500)
        print(f"check of a right, 201 accounts: {statistics.median(check):.2f} ms, "
              f"95 % below {statistics.quantiles(check, n=20)[-1]:.2f} ms")
        known, unknown = [], []
        for n in range(20):
            # Side by side, so that what else the machine does falls on both; the right one resets the count.
            known += cpu_ms(lambda: refused(people, "ann", "wrong words here"), 1)
            unknown += cpu_ms(lambda n=n: refused(people, f"nobody{n}", "wrong words here"), 1)  # type: ignore[misc]
            people.sign_in("ann", WORDS)
        print(f"refused sign-in: known name {statistics.median(known):.1f} ms, unknown name "
              f"{statistics.median(unknown):.1f} ms, ratio {statistics.median(known) / statistics.median(unknown):.3f}")
        right = cpu_ms(lambda: people.sign_in("ann", WORDS), 10)
        print(f"sign-in: {statistics.median(right):.1f} ms")
        database.close()


if __name__ == "__main__":
    main()
