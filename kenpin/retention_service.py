"""Retention as a service: what is due by rule, and deleting it so that a killed process can be run again."""

import logging
from collections.abc import Callable
from datetime import datetime

from pydantic import BaseModel, ConfigDict
from sqlalchemy import select

from kenpin.contracts.errors import StoreError
from kenpin.contracts.people import Actor, Right
from kenpin.contracts.review import Rules
from kenpin.contracts.trace import pictures_of
from kenpin.database.tables import case_queue
from kenpin.review.retention import ERASED, Due, Fate, Unfinished, delete, due, due_one, this_moment, unfinished
from kenpin.review.rulebook import all_rules
from kenpin.wiring import Kenpin

LOG = logging.getLogger(__name__)
GRACE = 3600.0
"""Seconds. A picture that was stored within them stays for now: an inspection, a product or a case that is just being
made may need it and not say so yet. A turn lasts three minutes at most unless settings say otherwise."""


class Retained(BaseModel):
    """What a run of the rules came to."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    due: tuple[Due, ...]
    deleted: tuple[str, ...] = ()
    busy: tuple[str, ...] = ()
    """Due, and left for the next run: a turn runs, or it was touched meanwhile."""
    unreadable: tuple[str, ...] = ()
    """Due, and left: what is stored is not what it should be, and only a person can say what to do."""
    pictures: int = 0
    """Pictures that were deleted."""
    shared: int = 0
    """Pictures of deleted inspections that stay, since something else names them."""
    pending: tuple[str, ...] = ()
    """Deleted inspections whose pictures wait for the next run."""
    blocked: str = ""
    """Why no picture was deleted: something cannot be read, so that what it needs cannot be known."""


class Retention:
    """Deletion by rule behind `Right.RETENTION`."""

    def __init__(self, kenpin: Kenpin, *, clock: Callable[[], datetime] = this_moment) -> None:
        self._kenpin, self._clock = kenpin, clock

    def rules(self, actor: Actor) -> tuple[Rules, ...]:
        """The rules on record, by product.

        Raises:
            NotAllowed: The actor may not read.
        """
        self._kenpin.people.check(actor, Right.READ)
        with self._kenpin.database.read() as connection:
            return all_rules(connection)

    def due(self, actor: Actor) -> list[Due]:
        """What would be deleted now, the oldest first.

        Raises:
            NotAllowed: The actor may not delete by rule.
        """
        self._kenpin.people.check(actor, Right.RETENTION)
        with self._kenpin.database.read() as connection:
            return due(connection, now=self._clock())

    def apply(self, actor: Actor, *, cases: Fate = "withdraw") -> Retained:
        """Delete what is due: each inspection in one transaction, then checkpoints and pictures.

        Killed at any moment and run again it ends at the same state: the transaction puts on record what is still to
        be erased, and every step after it can be done twice.

        Args:
            actor: In whose name.
            cases: Whether the past cases that a deleted inspection was signed into are withdrawn or stay.
        Raises:
            NotAllowed: As `due`.
        """
        found = self.due(actor)
        deleted: list[str] = []
        busy: list[str] = []
        unreadable: list[str] = []
        for one in found:
            try:
                (deleted if self._delete(actor, one, cases) else busy).append(one.id)
            except StoreError as exc:
                LOG.warning("inspection %s is due and stays: %s", one.id, exc)
                unreadable.append(one.id)
        done = Retained(due=tuple(found), deleted=tuple(deleted), busy=tuple(busy), unreadable=tuple(unreadable))
        return self._erase(actor, done)

    def _delete(self, actor: Actor, found: Due, cases: Fate) -> bool:
        """Delete one, unless a turn of it runs or it was touched since it was found due."""
        kenpin = self._kenpin
        with kenpin.holds.hold_if_free(found.id) as free:
            if not free:
                return False
            trace = kenpin.traces.load(found.id)
            with kenpin.database.write() as connection:
                if due_one(connection, found.id, now=self._clock()) != found:
                    return False
                delete(connection, found, trace, sealer=kenpin.vault, log=kenpin.audit, by=actor.name, cases=cases)
        return True

    def _erase(self, actor: Actor, done: Retained) -> Retained:
        """Erase what deletions have left: withdrawn cases, checkpoints, pictures."""
        kenpin = self._kenpin
        with kenpin.database.read() as connection:
            left = unfinished(connection)
        if not left:
            return done
        if self._owed():
            kenpin.settler.settle()
        since = self._clock().timestamp() - GRACE
        checkpoints = kenpin.checkpointer()
        for one in left:
            checkpoints.delete_thread(one.inspection)
        try:
            needed = self._needed()
        except StoreError as exc:
            waiting = tuple(one.inspection for one in left)
            return done.model_copy(update={"pending": waiting, "blocked": str(exc)})
        gone, shared, pending = 0, 0, []
        for one in left:
            free = [sha256 for sha256 in one.pictures if sha256 not in needed]
            there = [sha256 for sha256 in free if kenpin.vault.holds(f"picture:{sha256}")]
            discarded = {sha256 for sha256 in free if kenpin.pictures.discard(sha256, unused_since=since)}
            gone += len(discarded & set(there))
            shared += len(one.pictures) - len(free)
            if len(discarded) == len(free):
                self._finish(actor, one)
            else:
                pending.append(one.inspection)
        return done.model_copy(update={"pictures": gone, "shared": shared, "pending": tuple(pending)})

    def _owed(self) -> bool:
        with self._kenpin.database.read() as connection:
            asked = select(case_queue.c.id).where(case_queue.c.done.is_(False)).limit(1)
            return connection.execute(asked).one_or_none() is not None

    def _needed(self) -> set[str]:
        """Every picture that an inspection, a product or a case names.

        Raises:
            StoreError: One of them cannot be read, so that what it names cannot be known: no picture is deleted.
        """
        kenpin = self._kenpin
        needed: set[str] = set()
        for inspection in kenpin.traces.ids():
            needed.update(pictures_of(kenpin.traces.load(inspection)))
        for product in kenpin.products.all():
            needed.update(sample.sha256 for sample in (*product.good, *product.references))
        needed.update(case.picture for case in kenpin.cases.all())
        return needed

    def _finish(self, actor: Actor, one: Unfinished) -> None:
        with self._kenpin.database.write() as connection:
            subject = f"inspection:{one.inspection}"
            self._kenpin.audit.append(connection, actor=actor.name, action=ERASED, subject=subject)
