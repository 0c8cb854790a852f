"""How many inspectors one server carries, by simulation from measured figures. It asks no server.

    python -m bench.sizing --prefill 8000 --decode 60 --kv 152000

Measured by `bench/serving.py` (docs/serving.md, first row of *Speed*), and the defaults here: `--context`, tokens of a
request; `--reused`, the share of them that the prefix cache gives; `--steps`, requests a turn; `--reply`, tokens of a
reply. Assumptions that you replace by what you measure on your card: `--prefill`, tokens read a second; `--decode`,
tokens a second of a reply alone; `--slow`, the share by which each further reply slows all of them; `--kv`, tokens that
the card's memory holds (`bench/cards.py`); `--tools`, seconds of tools between two requests; `--pause`, seconds until
an inspector goes on (exponential).

The server is modelled as vLLM works: waiting prompts are read one after another, as far as the prefix cache has not got
them; replies are written side by side, each slower for every other. Where the dialogues of all inspectors together are
larger than the memory, a request finds the beginning of its prompt with the probability that it is still there. The
first request of a dialogue of six turns finds nothing. Printed: seconds of a turn, median and 95th percentile, for 1 to
64 inspectors, and the share of time in which the server reads or writes.
"""

import argparse
import heapq
import random
import statistics
from dataclasses import dataclass, field

INSPECTORS = (1, 2, 4, 8, 16, 32, 64)


@dataclass(frozen=True)
class Load:
    """What a server can do and what one inspector asks of it."""

    prefill: float = 8000.0
    """Tokens read a second."""
    decode: float = 60.0
    """Tokens written a second for a reply alone."""
    slow: float = 0.03
    """Share by which each further reply slows all."""
    kv: int = 152_000
    """Tokens of keys and values that fit."""
    context: int = 17_045
    """Tokens of a request: 68,179 a turn of four."""
    reused: float = 0.901
    reply: int = 48
    steps: int = 4
    tools: float = 1.0
    pause: float = 30.0
    turns: int = 6

    def read(self, people: int, first: bool, draw: random.Random) -> int:
        """Tokens of a request that must be read."""
        kept = min(1.0, self.kv / (people * self.context))
        found = not first and draw.random() < kept
        return round(self.context * (1 - self.reused)) if found else self.context


@dataclass
class Server:
    """Reads one prompt at a time and writes all replies side by side."""

    load: Load
    now: float = 0.0
    busy: float = 0.0
    waiting: list[tuple[int, float]] = field(default_factory=list)
    """Person and seconds of reading, the first being read."""
    writing: dict[int, float] = field(default_factory=dict)
    """Tokens left of each person's reply."""

    @property
    def rate(self) -> float:
        return self.load.decode / (1 + self.load.slow * (len(self.writing) - 1))

    def next_event(self) -> float:
        """When a prompt has been read or a reply has been written, if nothing comes before."""
        ends = [self.now + self.waiting[0][1]] if self.waiting else []
        if self.writing:
            ends.append(self.now + min(self.writing.values()) / self.rate)
        return min(ends, default=float("inf"))

    def advance(self, until: float) -> list[int]:
        """Work until a time that is no later than `next_event`; return whose replies ended."""
        passed, done = until - self.now, []
        rate = self.rate if self.writing else 0.0
        self.busy += passed if self.waiting or self.writing else 0.0
        for person in list(self.writing):
            self.writing[person] -= passed * rate
            if self.writing[person] <= 1e-9:
                del self.writing[person]
                done.append(person)
        if self.waiting:
            person, left = self.waiting.pop(0)
            if left - passed <= 1e-12:
                self.writing[person] = float(self.load.reply)
            else:
                self.waiting.insert(0, (person, left - passed))
        self.now = until
        return done


def simulated(load: Load, people: int, *, hours: float = 4.0, seed: int = 0) -> tuple[list[float], float]:
    """Seconds of every turn that ended in some hours of work, and the share of time in which the server worked."""
    draw, server, end = random.Random(seed), Server(load), hours * 3600
    coming = [(draw.expovariate(1 / load.pause), person) for person in range(people)]
    heapq.heapify(coming)
    begun, step, held = dict.fromkeys(range(people), 0.0), dict.fromkeys(range(people), 0), [0] * people
    done: list[float] = []
    while server.now < end:
        due = coming[0][0] if coming else float("inf")
        at = min(due, server.next_event())
        for person in server.advance(at):
            step[person] += 1
            if step[person] < load.steps:
                heapq.heappush(coming, (at + load.tools, person))
                continue
            done.append(at - begun[person])
            step[person], held[person] = 0, held[person] + 1
            heapq.heappush(coming, (at + draw.expovariate(1 / load.pause), person))
        while coming and coming[0][0] <= at:
            _, person = heapq.heappop(coming)
            if step[person] == 0:
                begun[person] = at
            first = step[person] == 0 and held[person] % load.turns == 0
            server.waiting.append((person, load.read(people, first, draw) / load.prefill))
    return done, server.busy / server.now


def table(load: Load) -> list[str]:
    """The lines that are printed."""
    lines = [f"{'inspectors':>10} {'turns/h':>8} {'median s':>9} {'p95 s':>7} {'busy':>6}"]
    for people in INSPECTORS:
        found, busy = simulated(load, people)
        lines.append(f"{people:10} {len(found) / 4:8.0f} {statistics.median(found):9.1f} "
                     f"{statistics.quantiles(found, n=20)[-1]:7.1f} {100 * busy:4.0f} %")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    for name, value in vars(Load()).items():
        parser.add_argument(f"--{name}", type=type(value), default=value)
    print("\n".join(table(Load(**vars(parser.parse_args())))))


if __name__ == "__main__":
    main()
