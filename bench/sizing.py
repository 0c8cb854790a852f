"""How many inspectors one server carries, by simulation from measured figures. It asks no server.

    python -m bench.sizing --prefill 8000 --decode 60 --context 4600 --fresh 900 --reply 90 --steps 5 --tools 1.0

One server answers requests as vLLM does: the prompts that wait are read one after another at `--prefill` tokens a
second, as far as the prefix cache has not got them (`--fresh` tokens a step; the first step of a dialogue reads
`--context`), and every running reply gets `--decode` tokens a second, slower by `--slow` per
reply that runs beside it. Between steps the tools take `--tools` seconds. Inspectors say something `--pause` seconds
after the answer (exponential). Printed: seconds of a turn, median and 95th percentile, for 1 to 64 inspectors. The
rates are those of your card: `bench/serving.py` gives fresh tokens, first token and reply time.
"""

import argparse
import heapq
import random
import statistics
from dataclasses import dataclass


@dataclass(frozen=True)
class Load:
    """What one inspector asks of a server."""

    prefill: float
    """Tokens read a second."""
    decode: float
    """Tokens written a second for a reply alone."""
    slow: float
    """Share by which each further reply slows the others."""
    context: int
    fresh: int
    reply: int
    steps: int
    tools: float
    pause: float
    turns: int = 6


def turns_of(load: Load, people: int, *, hours: float = 4.0, seed: int = 0) -> list[float]:
    """Seconds of every turn in some hours of work, in the order in which they ended."""
    draw = random.Random(seed)
    # (time, number, person): when a person's next step reaches the server.
    queue = [(draw.expovariate(1 / load.pause), person, person) for person in range(people)]
    heapq.heapify(queue)
    free, running = 0.0, []
    said: dict[int, tuple[float, int]] = {}
    held = dict.fromkeys(range(people), 0)
    done: list[float] = []
    number = people
    while queue and queue[0][0] < hours * 3600:
        now, _, person = heapq.heappop(queue)
        begun, step = said.get(person, (now, 0))
        running = [end for end in running if end > now]
        first = held[person] % load.turns == 0 and step == 0
        free = max(free, now) + (load.context if first else load.fresh) / load.prefill
        end = free + load.reply / load.decode * (1 + load.slow * len(running))
        running.append(end)
        if step + 1 < load.steps:
            said[person] = (begun, step + 1)
            after = end + load.tools
        else:
            done.append(end - begun)
            said.pop(person, None)
            held[person] += 1
            after = end + draw.expovariate(1 / load.pause)
        number += 1
        heapq.heappush(queue, (after, number, person))
    return done


def main() -> None:
    parser = argparse.ArgumentParser()
    for name, value in (("prefill", 8000.0), ("decode", 60.0), ("slow", 0.03), ("context", 4600), ("fresh", 900),
                        ("reply", 90), ("steps", 5), ("tools", 1.0), ("pause", 30.0)):
        parser.add_argument(f"--{name}", type=type(value), default=value)
    load = Load(**vars(parser.parse_args()))
    print(f"{'inspectors':>10} {'turns/h':>8} {'median s':>9} {'p95 s':>7}")
    for people in (1, 2, 4, 8, 16, 32, 64):
        found = turns_of(load, people)
        print(f"{people:10} {len(found) / 4:8.0f} {statistics.median(found):9.1f} "
              f"{statistics.quantiles(found, n=20)[-1]:7.1f}")


if __name__ == "__main__":
    main()
