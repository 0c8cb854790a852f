"""What the benches of records share: installations on each database, accounts, and many inspections made fast."""

import importlib.util
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType

from pydantic import SecretStr

from agent.inspector import Material, Photo, answer_of
from kenpin.config import Settings
from kenpin.contracts.people import Actor, Role
from kenpin.contracts.trace import Trace
from kenpin.contracts.verdict import Verdict
from kenpin.samples import SAMPLES
from kenpin.security.uploads import read_upload
from kenpin.wiring import Kenpin

PASSWORD = "a password for a bench"
CONSOLE = Actor(name="console:bench", roles=frozenset({Role.OPERATOR, Role.ADMINISTRATOR}), kind="console")
VERDICTS = (Verdict.OK, Verdict.OK, Verdict.NG, Verdict.NG, Verdict.UNCERTAIN)
ASKED = "Is there anything wrong with this panel?"
MOST_YEARS = 365


def servers() -> ModuleType:
    """The helper of the tests that starts a PostgreSQL."""
    file = Path(__file__).parents[1] / "tests" / "servers" / "postgres.py"
    spec = importlib.util.spec_from_file_location("kenpin_bench_postgres", file)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@dataclass(frozen=True)
class Place:
    """Where an installation is, as another process can open it."""

    name: str
    home: Path
    url: str | None

    def open(self) -> Kenpin:
        """The installation."""
        return Kenpin(Settings(home=self.home, database_url=SecretStr(self.url) if self.url else None), console=True)


@contextmanager
def places(url: str | None) -> Iterator[list[Place]]:
    """SQLite, and a PostgreSQL of its own where one is installed; or the one at `url` alone, which must be empty."""
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        if url is not None:
            yield [Place("given", home / "given", url)]
            return
        found, server = [Place("sqlite", home / "sqlite", None)], None
        helper = servers()
        try:
            server = helper.start_postgres(safe=True)
            found.append(Place("postgresql", home / "postgresql", server.url(server.create())))
        except helper.CannotStart as exc:
            print(f"postgresql is left out: {exc}")
        try:
            yield found
        finally:
            if server is not None:
                server.close()


def account(kenpin: Kenpin, name: str, *roles: Role) -> Actor:
    """A person with an account, signed in."""
    kenpin.people.accounts.add(CONSOLE, name, roles=roles, printed_name=name.title(), password=PASSWORD)
    return kenpin.people.sign_in(name, PASSWORD)


def real_trace(kenpin: Kenpin) -> Trace:
    """An inspection of a bundled picture by the embedded planner, as large as they are."""
    inspector = kenpin.inspector("embedded")
    key = inspector.start(Material(subject=Photo(read_upload(SAMPLES / "panel.png").pixels)))
    answer_of(inspector.say(key, ASKED))
    return inspector.trace(key)


def fill(kenpin: Kenpin, pattern: Trace, count: int, *, seed: int = 0) -> list[str]:
    """Make many inspections like one, of 20 products, 200 lots and a year, and return their ids."""
    rng, now, keys = random.Random(seed), datetime.now(UTC), []
    for number in range(count):
        answer = pattern.turns[-1].answer
        assert answer
        verdict = rng.choice(VERDICTS)
        turn = pattern.turns[-1].model_copy(update={"answer": answer.model_copy(update={"verdict": verdict})})
        product = rng.randrange(20)
        one = pattern.model_copy(
            update={
                "id": f"bench-{number:06d}",
                "created": now - timedelta(days=rng.random() * MOST_YEARS),
                "product": f"product {product}",
                "lot": f"L{product:02d}-{rng.randrange(10)}",
                "part": str(number),
                "asker": f"operator{rng.randrange(5)}",
                "turns": (turn,),
            }
        )
        kenpin.traces.save(one)
        keys.append(one.id)
    return keys


class Clock:
    """Wall and CPU milliseconds of many calls of one kind."""

    def __init__(self) -> None:
        self.wall: list[float] = []
        self.cpu: list[float] = []

    @contextmanager
    def time(self) -> Iterator[None]:
        """One call."""
        wall, cpu = time.perf_counter(), time.thread_time()
        yield
        self.wall.append(1000 * (time.perf_counter() - wall))
        self.cpu.append(1000 * (time.thread_time() - cpu))


def quantile(values: list[float], share: float) -> float:
    """The value that this share of all stays at or below; 0 if there are none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
