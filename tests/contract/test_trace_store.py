"""What every trace store does, on each database."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from kenpin.contracts.errors import Locked, StoreError
from kenpin.contracts.ports import TraceStore
from kenpin.contracts.review import LOCKED, Act, Amendment, Comment, Judgement, Meaning, Signature, State, VerdictChange
from kenpin.contracts.trace import Answer, Finding, PlannerInfo, Trace, TraceImage, Turn, trace_bytes, trace_sha256
from kenpin.contracts.verdict import Verdict
from kenpin.database.engine import Database
from kenpin.database.tables import inspections, traces
from kenpin.review.book import Book
from kenpin.security.keyring import Keyring, new_key
from kenpin.security.vault import Vault
from kenpin.traces.records import DatabaseTraces

KEY = Keyring((new_key(),), "this test")
Opened = Callable[[], DatabaseTraces]
START = datetime(2026, 1, 31, 9, tzinfo=UTC)


@pytest.fixture
def opened(database: Database) -> Opened:
    """Opens the same store anew, as another process would."""
    vault = Vault(database, KEY)
    return lambda: DatabaseTraces(database, vault, reviewed=Book(database, vault).follow)


def trace(name: str, *turns: Turn | str, **more: Any) -> Trace:
    image = TraceImage(id="v0", role="subject", sha256="0" * 64, width=8, height=6)
    return Trace(
        id=name,
        created=more.pop("created", START),
        planner=PlannerInfo(backend="scripted", model="script", prompt="none"),
        images=(image,),
        turns=tuple(Turn(say=turn) if isinstance(turn, str) else turn for turn in turns),
        **more,
    )


def turn(verdict: Verdict | None = Verdict.NG, *, findings: int = 1, say: str = "look", by: str | None = None) -> Turn:
    found = tuple(Finding(id=f"f{i}", type="pit", box=(0, 0, 1, 1), score=0.5) for i in range(findings))
    return Turn(say=say, by=by, answer=Answer(kind="answer", text="", verdict=verdict, rule="r1", findings=found))


def row(database: Database, name: str) -> Any:
    with database.read() as connection:
        return connection.execute(select(inspections).where(inspections.c.id == name)).one()


def put(database: Database, name: str, **columns: Any) -> None:
    """What the review writes."""
    with database.write() as connection:
        connection.execute(update(inspections).where(inspections.c.id == name).values(**columns))


def act(database: Database, name: str, *acts: Act) -> None:
    """What people wrote, as the review keeps it."""
    book = Book(database, Vault(database, KEY))
    for one in acts:
        with database.write() as connection:
            reading = book.read(connection, name, to_write=True)
            entry = book.append(connection, reading, one, by="eve")
            book.summarise(connection, DatabaseTraces(database, Vault(database, KEY)).load(name),
                           (*reading.entries, entry))


SIGNED = Signature(meaning=Meaning.APPROVED, content_sha256="0" * 64, method="password", printed_name="Eve")


def test_it_is_a_trace_store(opened: Opened) -> None:
    assert isinstance(opened(), TraceStore)


def test_a_trace_comes_back_as_it_was(opened: Opened) -> None:
    stored = trace("20260131-a1", "傷を探して", "why?")
    opened().save(stored)

    assert opened().load("20260131-a1") == stored


def test_a_later_state_replaces_the_earlier_one(opened: Opened) -> None:
    opened().save(trace("a", "one"))
    opened().save(trace("a", "one", "two"))

    assert len(opened().load("a").turns) == 2 and list(opened().ids()) == ["a"]


def test_the_newest_comes_first(opened: Opened) -> None:
    for age, name in ((300, "b"), (100, "c"), (200, "a")):
        opened().save(trace(name, created=START - timedelta(seconds=age)))

    assert list(opened().ids()) == ["c", "a", "b"]
    assert [r.id for r in opened().recent(2)] == ["c", "a"] and [r.id for r in opened().recent(9, 2)] == ["b"]


def test_of_one_second_the_one_that_was_touched_last_is_the_newest(opened: Opened) -> None:
    for name in ("z", "a", "m"):
        opened().save(trace(name))

    assert list(opened().ids()) == ["m", "a", "z"]


def test_an_empty_store_has_no_ids(opened: Opened) -> None:
    assert list(opened().ids()) == [] and opened().count() == 0 and not opened().has("a")


@pytest.mark.parametrize("name", ["missing", "../secret", "", "a/b", ".hidden", "x" * 200, "a\n", "a' OR '1'='1"])
def test_what_is_not_there_is_said(opened: Opened, name: str) -> None:
    opened().save(trace("a"))

    with pytest.raises(StoreError):
        opened().load(name)


@pytest.mark.parametrize("text", [b"", b"{}", b"[]", b"{'", b'{"version": 2}', b"\xff"])
def test_what_is_no_trace_is_said(opened: Opened, database: Database, text: bytes) -> None:
    opened().save(trace("a"))
    sealed = Vault(database, KEY).seal("inspection:a", text, about="trace")
    with database.write() as connection:
        connection.execute(update(traces).values(body=sealed))

    with pytest.raises(StoreError, match="is not a trace of version 1"):
        opened().load("a")


def test_one_trace_cannot_stand_in_for_another(opened: Opened, database: Database) -> None:
    opened().save(trace("a", "one"))
    opened().save(trace("b", "two"))
    with database.write() as connection:
        body = connection.execute(select(traces.c.body).where(traces.c.inspection == "a")).scalar_one()
        connection.execute(update(traces).where(traces.c.inspection == "b").values(body=body))

    with pytest.raises(StoreError, match="inspection:b is not what was stored"):
        opened().load("b")


def test_nothing_that_was_said_lies_open(opened: Opened, database: Database) -> None:
    opened().save(trace("a", "the customer is Yamada", turn()))
    with database.read() as connection:
        body = connection.execute(select(traces.c.body)).scalar_one()
        plain = str(connection.execute(select(inspections)).one())

    assert b"Yamada" not in body and b"say" not in body and "Yamada" not in plain


def test_the_summary_says_what_the_queue_needs(opened: Opened, database: Database) -> None:
    names = {"asker": "ann", "product": "lid", "lot": "L-7", "part": "3"}
    stored = trace("a", turn(Verdict.OK, findings=0), turn(findings=2, by="bob"), turn(None, by="ann"), **names)
    opened().save(stored)

    found = row(database, "a")
    assert found.created == "2026-01-31T09:00:00.000000+00:00"
    assert (found.asker, found.product, found.lot, found.part) == ("ann", "lid", "L-7", "3")
    assert found.picture == "0" * 64
    assert (found.planner, found.model, found.speakers) == ("scripted", "script", "ann\nbob")
    assert (found.proposed, found.verdict, found.rule, found.findings) == ("ng", "ng", "r1", 2)
    assert (found.disagrees, found.state, found.priority, found.head) == (False, "waiting", 1, 0)
    assert found.trace_sha256 == trace_sha256(stored)


@pytest.mark.parametrize(("turns", "state", "priority"), [
    ((), "open", 3), (("look",), "open", 3), ((turn(), "and?"), "open", 1), ((turn(None),), "waiting", 3),
    ((turn(Verdict.OK),), "waiting", 2), ((turn(Verdict.UNCERTAIN),), "waiting", 0),
])  # fmt: skip
def test_it_is_open_until_the_last_turn_has_ended(
    opened: Opened, database: Database, turns: tuple[Turn | str, ...], state: str, priority: int
) -> None:
    opened().save(trace("a", *turns))

    assert (row(database, "a").state, row(database, "a").priority) == (state, priority)


@pytest.mark.parametrize("state", sorted(LOCKED))
def test_a_locked_record_keeps_its_trace(opened: Opened, database: Database, state: State) -> None:
    signed = trace("a", turn())
    opened().save(signed)
    put(database, "a", state=state)
    before = row(database, "a")

    with pytest.raises(Locked, match="a is signed; amend it first"):
        opened().save(trace("a", turn(), "and?"))
    opened().save(signed)  # the same once more is no change

    assert opened().load("a") == signed and row(database, "a") == before


def test_an_amendment_lets_turns_join_and_goes_on(opened: Opened, database: Database) -> None:
    opened().save(trace("a", turn()))
    act(database, "a", SIGNED, Amendment(why="look again"))

    opened().save(trace("a", turn(), "and?"))
    assert row(database, "a").state == State.OPEN
    opened().save(trace("a", turn(), turn(Verdict.OK)))

    assert row(database, "a").state == State.AMENDING


def test_a_verdict_that_a_person_set_stays(opened: Opened, database: Database) -> None:
    opened().save(trace("a", turn(Verdict.OK)))
    act(database, "a", VerdictChange(old=Verdict.OK, verdict=Verdict.OK, why="seen"))

    opened().save(trace("a", turn(Verdict.OK), turn(Verdict.NG)))

    found = row(database, "a")
    assert (found.proposed, found.verdict, found.disagrees, found.priority) == ("ng", "ok", True, 0)


def test_a_remark_sets_no_verdict(opened: Opened, database: Database) -> None:
    opened().save(trace("a", turn(Verdict.OK)))
    act(database, "a", Comment(text="hm"))

    opened().save(trace("a", turn(Verdict.OK), turn(Verdict.NG)))

    found = row(database, "a")
    assert (found.proposed, found.verdict, found.disagrees, found.priority) == ("ng", "ng", False, 1)


def test_a_judgement_differs_from_a_later_proposal(opened: Opened, database: Database) -> None:
    opened().save(trace("a", turn(Verdict.OK)))
    act(database, "a", Judgement(verdict=Verdict.OK))

    opened().save(trace("a", turn(Verdict.OK), turn(Verdict.NG)))

    assert row(database, "a").disagrees


def test_names_that_no_column_would_take_are_cut(opened: Opened, database: Database) -> None:
    stored = trace("a", turn(), product="p" * 500, lot="a\0b", asker="x\ny")
    opened().save(stored)

    found = row(database, "a")
    assert (found.product, found.lot, found.asker) == ("p" * 200, "ab", "x y")
    assert found.speakers == "x y" and opened().load("a") == stored


def test_a_save_that_fails_leaves_the_state_before(opened: Opened, database: Database) -> None:
    class Broken(Vault):
        def seal(self, *args: Any, **more: Any) -> bytes:
            raise StoreError("the disk is gone")

    before = trace("a", "one")
    opened().save(before)
    for name in ("a", "b"):
        with pytest.raises(StoreError, match="disk is gone"):
            DatabaseTraces(database, Broken(database, KEY)).save(trace(name, "one", turn()))

    assert opened().load("a") == before and list(opened().ids()) == ["a"]


def test_the_bytes_are_what_is_hashed(opened: Opened, database: Database) -> None:
    stored = trace("a", turn())
    opened().save(stored)

    assert trace_bytes(opened().load("a")) == trace_bytes(stored)


def test_the_longest_names_of_four_byte_signs_are_stored(opened: Opened, database: Database) -> None:
    """An index row of PostgreSQL has a limit in bytes."""
    longest = "\N{GRINNING FACE}" * 200
    opened().save(trace("a" * 80, turn(), product=longest, lot=longest, part=longest, asker=longest))

    assert row(database, "a" * 80).asker == longest
