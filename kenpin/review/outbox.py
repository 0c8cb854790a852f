"""What the case store is owed, written in the transaction of the signature that it follows from."""

from collections.abc import Iterable

from sqlalchemy import Connection, select

from kenpin.contracts.case import Case
from kenpin.contracts.ports import Sealer
from kenpin.database.tables import case_queue


class Outbox:
    """Additions to and withdrawals from the case base that are still to be carried out, in order."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer

    def put(self, connection: Connection, inspection: str, cases: Iterable[Case]) -> None:
        """Owe the case store exactly these cases of an inspection: others of it that are there are withdrawn."""
        wanted = {case.id: case for case in cases}
        for case_id in self._published(connection, inspection) - wanted.keys():
            connection.execute(
                case_queue.insert().values(case_id=case_id, inspection=inspection, action="withdraw", done=False)
            )
        for case in wanted.values():
            body = self._sealer.seal(
                f"inspection:{inspection}", case.model_dump_json().encode(), about=f"case:{case.id}",
                connection=connection)
            connection.execute(
                case_queue.insert().values(case_id=case.id, inspection=inspection, action="add", body=body, done=False)
            )

    def _published(self, connection: Connection, inspection: str) -> set[str]:
        """Ids whose last order is to add them."""
        asked = select(case_queue.c.case_id, case_queue.c.action).where(case_queue.c.inspection == inspection)
        last = {row.case_id: row.action for row in connection.execute(asked.order_by(case_queue.c.id))}
        return {case_id for case_id, action in last.items() if action == "add"}
