"""What lies of a case in a record: some of it readable for filters and lists, all text sealed."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from kenpin.contracts.case import Case, CaseHead
from kenpin.contracts.errors import StoreError
from kenpin.contracts.ports import Sealer

ABOUT = "case"


@dataclass(frozen=True)
class Reader:
    """Writes cases as records and reads them back. Without a `sealer` they lie plain."""

    sealer: Sealer | None

    def record(self, case: Case, stamp: str) -> dict[str, Any]:
        """What is stored; `stamp` changes whenever the case does."""
        head = case.head.model_dump(exclude={"id"})
        record = {"case": case.id, "stamp": stamp, **head, "part": head["part"] or "", "date": head["date"] or ""}
        text = case.model_dump_json()
        if self.sealer is None:
            return {**record, "plain": text}
        sealed = self.sealer.seal(key_of(case.id), text.encode(), about=ABOUT)
        # Not as a document: Chroma would put three-letter pieces of it into its full-text index.
        return {**record, "sealed": base64.b64encode(sealed).decode()}

    def case(self, record: Mapping[str, Any]) -> Case:
        """The case of a record.

        Raises:
            StoreError: It was changed, or belongs somewhere else, or its key was deleted.
            KeyRefused: The master key is not the one that sealed it.
        """
        try:
            if is_plain(record):
                return Case.model_validate_json(record["plain"])
            if self.sealer is None:
                raise StoreError(f"case {record['case']} is sealed; open the installation with its master key")
            sealed = base64.b64decode(record["sealed"], validate=True)
            return Case.model_validate_json(self.sealer.open(key_of(str(record["case"])), sealed, about=ABOUT))
        except (KeyError, ValidationError, binascii.Error) as exc:
            raise StoreError(f"case {record.get('case')} is not what was stored; restore it from a backup") from exc


def key_of(case_id: str) -> str:
    """Whose data key seals a case."""
    return f"case:{case_id}"


def is_plain(record: Mapping[str, Any]) -> bool:
    """Whether a record's text can be read as it lies."""
    return "sealed" not in record


def head_of(record: Mapping[str, Any]) -> CaseHead:
    """What is readable in a record. One of an earlier Kenpin lacks date and origin, which its plain text has."""
    if "origin" not in record:
        return Reader(None).case(record).head
    return CaseHead(id=record["case"], product=record["product"], defect_type=record["defect_type"],
                    disposition=record["disposition"], part=record["part"] or None, date=record["date"] or None,
                    origin=record["origin"])
