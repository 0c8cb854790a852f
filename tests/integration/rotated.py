"""Processes that change the master key and are killed, and processes that work meanwhile.

Run as `rotated.py killed FOLDER` or `rotated.py works HOME`.
"""

import json
import os
import random
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from kenpin.database.engine import Database, open_database
from kenpin.security import keyring, rotation, vault
from kenpin.security.audit import ChainedAudit
from kenpin.traces.pictures import FilePictures

RECORDS = 120
POINTS = (
    "keyring._beside:1", "rotation.write_keyring:1", "rotation._put_in_force:1", "rotation.wrap:90",
    "rotation._wrap_some:2", "rotation._left:1", "rotation._note:2", "keyring._beside:2", "rotation.write_keyring:2",
)  # fmt: skip
"""Where a process ends itself with SIGKILL: right after the n-th call of a function. `rotation.wrap:90` lies in the
middle of a transaction, `keyring._beside:2` between a written key file and the move to its place."""
RANDOM = 8
"""How many are killed at a random moment."""


class Installation:
    """What `kenpin.wiring` has of keys and pictures, without the rest, which takes seconds to load."""

    def __init__(self, home: Path) -> None:
        self.database: Database = open_database(None, folder=home)
        self.source = keyring.KeySource(home / "master.key")
        self.vault = vault.open_vault(self.database, self.source)
        self.audit = ChainedAudit(self.database)
        self.pictures = FilePictures(home / "pictures", self.vault)


def opened(home: Path) -> Installation:
    """The installation in a folder."""
    return Installation(home)


def filled(home: Path) -> dict[str, bytes]:
    """Seal records in a new installation."""
    home.mkdir()
    kenpin = opened(home)
    kept = {f"inspection:{i}": kenpin.vault.seal(f"inspection:{i}", str(i).encode(), about="t") for i in range(RECORDS)}
    kenpin.database.close()
    return kept


def lost(home: Path, kept: dict[str, bytes]) -> list[str]:
    """Records that do not open any more."""
    kenpin = opened(home)
    gone = [r for r, data in kept.items() if f"inspection:{kenpin.vault.open(r, data, about='t').decode()}" != r]
    kenpin.database.close()
    return gone


def change(home: Path) -> rotation.Rotated:
    """Change the key, in small transactions."""
    rotation.BATCH = 40
    kenpin = opened(home)
    done = rotation.rotate(kenpin.database, kenpin.source, kenpin.audit, actor="console:test")
    kenpin.database.close()
    return done


def trap(point: str) -> None:
    """End this process after the n-th call of a function."""
    place, _, number = point.partition(":")
    module, _, name = place.partition(".")
    holder = {"keyring": keyring, "rotation": rotation}[module]
    run: Callable[..., Any] = getattr(holder, name)
    left = [int(number)]

    def trapped(*args: Any, **kwargs: Any) -> Any:
        result = run(*args, **kwargs)
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(holder, name, trapped)


def in_child(act: Callable[[], Any], kill_after: float | None = None) -> int:
    """Run something in a process of its own and return how it ended."""
    if (child := os.fork()) == 0:
        act()
        os._exit(0)
    if kill_after is not None:
        time.sleep(kill_after)
        os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def killed(folder: Path) -> None:
    """Kill a rotation at each point, look whether everything opens, and go on. Prints one JSON object."""
    points, kept = {}, filled(folder / "first")
    for point in (*POINTS, "random"):
        shutil.copytree(folder / "first", folder / point)
    for point in POINTS:
        home = folder / point

        def ends(home: Path = home, point: str = point) -> None:
            trap(point)
            change(home)

        ended = in_child(ends)
        between = lost(home, kept)
        keys = len(keyring.read_keyring(home / "master.key").keys)
        points[point] = {"ended": ended, "lost": between, "keys": keys, **after(home, kept)}
    home, chance = folder / "random", random.Random(4)
    ends_at_random = [in_child(lambda: change(home), chance.uniform(0, 0.09)) for _ in range(RANDOM)]
    missing = lost(home, kept)
    outcome = {"ended": ends_at_random, "lost": missing, **after(home, kept)}
    sys.stdout.write(json.dumps({"points": points, "random": outcome}))


def after(home: Path, kept: dict[str, bytes]) -> dict[str, Any]:
    """What a rotation that is run again leaves."""
    change(home)
    kenpin = opened(home)
    state = rotation.examine(kenpin.database, kenpin.source)
    told = {"finally": lost(home, kept), "keys_left": len(state.keys), "waiting": state.waiting,
            "chain": kenpin.audit.verify()}
    kenpin.database.close()
    return told


def works(home: Path) -> None:
    """Store pictures, seal and open until standard input ends; prints what it did as one JSON object."""
    vault.CACHED = 2  # so that keys come from the database all the time
    kenpin, ended = opened(home), threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    pictures, sealed, shown = [], {}, False
    while not ended.is_set():
        n = len(sealed)
        pixels = np.full((16, 16, 3), n % 256, np.uint8)  # the same ones in each process
        pictures.append(kenpin.pictures.put(pixels))
        assert np.array_equal(FilePictures(home / "pictures", kenpin.vault).get(pictures[-1]), pixels)
        record = f"inspection:{os.getpid()}-{n}"
        sealed[record] = kenpin.vault.seal(record, record.encode(), about="t").hex()
        early = f"inspection:{os.getpid()}-{n // 2}"
        assert kenpin.vault.open(early, bytes.fromhex(sealed[early]), about="t") == early.encode()
        if not shown:
            shown = True
            sys.stdout.write("works\n")
            sys.stdout.flush()
    sys.stdout.write(json.dumps({"pictures": sorted(set(pictures)), "sealed": sealed}))


if __name__ == "__main__":
    {"killed": killed, "works": works}[sys.argv[1]](Path(sys.argv[2]))
