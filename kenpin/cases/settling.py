"""Carries what signatures and revocations owe the case base over to it: at least once, and never out of order."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Row, select, text, update

from kenpin.cases.lock import FolderLock
from kenpin.contracts.case import Case
from kenpin.contracts.errors import KeyRefused, StoreError
from kenpin.contracts.ports import CaseStore, PictureStore, Sealer
from kenpin.database.engine import Database
from kenpin.database.tables import case_queue

SETTLING_LOCK = 0x6B656E71
"""PostgreSQL advisory lock of whoever settles: `kenq` in ASCII."""

SETTLE = "run `kenpin cases settle`"


@dataclass
class Settler:
    """Brings the case base up to the records. Killed at any moment and run again, it ends at the same state.

    Of each case only the newest order counts, and the store takes the same case twice without a difference; so an
    order is carried out first and marked done afterwards. One process at a time does it, so that none carries out an
    old order after another has carried out a newer one.
    """

    database: Database
    sealer: Sealer
    pictures: PictureStore
    store: CaseStore

    def settle(self) -> int:
        """Carry out every order that is not done, and return how many were.

        Raises:
            Unavailable: The case base or the database does not answer; what is owed stays on record.
            KeyRefused: The master key is not the one that sealed the orders.
            StoreError: Some orders cannot be carried out (a picture or a key is gone); all others were.
        """
        if not self._waiting():
            return 0
        done, failed = 0, []
        with self._alone():
            for order in self._waiting():
                try:
                    self._carry_out(order)
                except KeyRefused:
                    raise
                except StoreError as exc:
                    failed.append(f"{order.case_id} ({exc})")
                    continue
                done += self._mark(order)
        if failed:
            raise StoreError(f"{len(failed)} signed cases could not be taken in: {'; '.join(failed[:3])}")
        return done

    def agreement(self) -> list[str]:
        """Where the case base and the records disagree; empty where they agree.

        Raises:
            Unavailable: As `settle`.
            KeyRefused: As `settle`.
        """
        orders = self._newest()
        waiting = {order.case_id for order in self._waiting()}
        heads = {head.id: head for head in self.store.heads()}
        said = [f"case {case_id} is owed to the case base; {SETTLE}" for case_id in sorted(waiting)]
        for case_id, order in sorted(orders.items()):
            if case_id not in waiting:
                said += self._differs(order, there=case_id in heads)
        said += [f"case {head.id} says that it is signed, and no signature is on record for it"
                 for head in heads.values() if head.origin == "signed" and head.id not in orders]
        return said

    def _differs(self, order: Row[Any], *, there: bool) -> list[str]:
        if order.action == "withdraw":
            return [f"case {order.case_id} was withdrawn and is in the case base"] if there else []
        if not there:
            return [f"case {order.case_id} is signed and is not in the case base"]
        try:
            if self.store.get(order.case_id) == self._case(order):
                return []
            return [f"case {order.case_id} is not the one that was signed"]
        except KeyRefused:
            raise
        except StoreError as exc:
            return [f"case {order.case_id} cannot be compared: {exc}"]

    def _carry_out(self, order: Row[Any]) -> None:
        if order.action == "withdraw":
            self.store.remove(order.case_id)
            return
        case = self._case(order)
        self.store.add(case, pixels=self.pictures.get(case.picture))

    def _case(self, order: Row[Any]) -> Case:
        body = self.sealer.open(f"inspection:{order.inspection}", order.body or b"", about=f"case:{order.case_id}")
        return Case.model_validate_json(body)

    def _waiting(self) -> list[Row[Any]]:
        """The newest order of each case that has one to be carried out, in the order in which they were given."""
        with self.database.read() as connection:
            ids = select(case_queue.c.case_id).where(case_queue.c.done.is_(False))
            rows = connection.execute(select(case_queue).where(case_queue.c.case_id.in_(ids)).order_by(case_queue.c.id))
            newest = {row.case_id: row for row in rows}
        return sorted(newest.values(), key=lambda row: row.id)

    def _newest(self) -> dict[str, Row[Any]]:
        with self.database.read() as connection:
            return {row.case_id: row for row in connection.execute(select(case_queue).order_by(case_queue.c.id))}

    def _mark(self, order: Row[Any]) -> int:
        """Mark an order done, with all that it makes void."""
        void = (case_queue.c.case_id == order.case_id, case_queue.c.id <= order.id, case_queue.c.done.is_(False))
        with self.database.write() as connection:
            return int(connection.execute(update(case_queue).where(*void).values(done=True)).rowcount)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        if self.database.sqlite:
            place = self.database.engine.url.database
            if not place or place == ":memory:":
                yield
                return
            lock = FolderLock(Path(f"{place}.settling"))
            try:
                with lock.held():
                    yield
            finally:
                lock.close()
            return
        with self.database.engine.connect() as connection:
            # Held by the session, not by a transaction: a lost connection gives it back.
            connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": SETTLING_LOCK})
            connection.commit()
            try:
                yield
            finally:
                connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": SETTLING_LOCK})
                connection.commit()


__all__ = ["Settler"]
