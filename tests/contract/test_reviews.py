"""Reviews, from outside, on every database: what people decide, sign, hide, and what is owed to the case store."""

import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from sqlalchemy import select

from kenpin.contracts.case import Case
from kenpin.contracts.errors import BadInput, Conflict, Locked, NotAllowed, SignInRefused, StoreError
from kenpin.contracts.people import Actor, Proof, Role
from kenpin.contracts.review import Meaning, QueueFilter, Rules, Severity, State
from kenpin.contracts.verdict import Verdict
from kenpin.database.engine import Database
from kenpin.database.tables import case_queue, entries, inspections, signed_traces

NG, OK, UNCERTAIN = Verdict.NG, Verdict.OK, Verdict.UNCERTAIN


@pytest.fixture
def office(office_double: ModuleType, database: Database, tmp_path: Path) -> Iterator[Any]:
    """A house of records."""
    yield office_double.Office(database, tmp_path)


@pytest.fixture
def rosa(office: Any) -> Actor:
    """A reviewer."""
    return office.account("rosa")


def owed(office: Any) -> list[tuple[str, str]]:
    """What the case store is still to do, in order."""
    with office.database.read() as connection:
        rows = connection.execute(select(case_queue.c.action, case_queue.c.case_id).order_by(case_queue.c.id))
        return [(action, case_id) for action, case_id in rows]


def case(office: Any, key: str, case_id: str) -> Case:
    """A case as the outbox holds it."""
    with office.database.read() as connection:
        body = connection.execute(select(case_queue.c.body).where(case_queue.c.case_id == case_id)).scalars().first()
    return Case.model_validate_json(office.vault.open(f"inspection:{key}", bytes(body), about=f"case:{case_id}"))


def test_a_reviewer_accepts_corrects_rejects_and_adds(office: Any, rosa: Actor) -> None:
    key = office.inspection()
    office.reviews.accept(rosa, key, "f1", head=0, severity=Severity.MAJOR)
    office.reviews.correct(rosa, key, "f1", head=1, type="crack", box=(22, 31, 58, 49), why="deeper than a scratch")
    office.reviews.false_alarm(rosa, key, "f2", head=2, why="dust")
    office.reviews.add_missed(rosa, key, head=3, type="chip", box=(0, 0, 10, 12), severity=Severity.CRITICAL)
    office.reviews.correct(rosa, key, "m1", head=4, box=(0, 0, 12, 12))

    seen = office.open(rosa, key)

    assert [(f.id, f.type, f.box, f.decision, f.severity) for f in seen.decision.findings] == [
        ("f1", "crack", (22, 31, 58, 49), "corrected", Severity.MAJOR),
        ("f2", "pit", (100, 80, 120, 95), "false_alarm", None),
        ("m1", "chip", (0, 0, 12, 12), "missed", Severity.CRITICAL),
    ]
    assert [f.real for f in seen.decision.findings] == [True, False, True]
    # Each record holds what it replaces.
    assert [e.act.old and (e.act.old.type, e.act.old.box) for e in seen.entries] == [
        ("scratch", (20, 30, 60, 50)), ("scratch", (20, 30, 60, 50)), ("pit", (100, 80, 120, 95)), None,
        ("chip", (0, 0, 10, 12)),
    ]  # fmt: skip
    assert seen.decision.findings[0].proposed.type == "scratch"
    assert office.verifier.broken() == []


@pytest.mark.parametrize("box", [(0, 0, 161, 10), (-1, 0, 10, 10), (10, 10, 10, 20), (30, 5, 20, 10)])
def test_a_box_lies_inside_the_picture(office: Any, rosa: Actor, box: Any) -> None:
    key = office.inspection()
    with pytest.raises(BadInput, match="does not lie inside the picture of 160x120 px"):
        office.reviews.add_missed(rosa, key, head=0, type="chip", box=box)
    assert office.open(rosa, key).head == 0


def test_a_changed_verdict_needs_a_reason_and_makes_a_disagreement(office: Any, rosa: Actor) -> None:
    key = office.inspection()
    with pytest.raises(BadInput, match="needs a reason"):
        office.reviews.change_verdict(rosa, key, head=0, verdict=OK, why="  ")

    office.reviews.change_verdict(rosa, key, head=0, verdict=OK, why="within the limit", cause="tool mark",
                                  disposition="use as is")

    seen = office.open(rosa, key)
    assert (seen.decision.proposed, seen.decision.verdict, seen.decision.disagrees) == (NG, OK, True)
    assert seen.entries[0].act.old is NG
    row = office.reviews.queue(rosa).rows[0]
    assert (row.verdict, row.proposed, row.disagrees) == (OK, NG, True)


def test_two_people_who_judge_differently_disagree(office: Any, rosa: Actor) -> None:
    key = office.inspection()
    office.reviews.judge(rosa, key, head=0, verdict=NG)
    assert not office.open(rosa, key).decision.disagrees
    office.reviews.judge(office.account("ben"), key, head=1, verdict=OK)
    assert office.open(rosa, key).decision.disagrees


def test_who_read_an_older_state_writes_nothing(office: Any, rosa: Actor) -> None:
    key = office.inspection()
    office.reviews.comment(office.account("ben"), key, head=0, text="Mine first.")
    with pytest.raises(Conflict, match="ben has written"):
        office.reviews.accept(rosa, key, "f1", head=0)
    assert office.open(rosa, key).head == 1


def test_of_many_at_once_exactly_one_writes(office: Any, rosa: Actor) -> None:
    key = office.inspection()
    outcomes: list[str] = []

    def write() -> None:
        try:
            office.reviews.comment(rosa, key, head=0, text="At once.")
            outcomes.append("written")
        except Conflict:
            outcomes.append("conflict")

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == ["conflict"] * 7 + ["written"]
    assert office.audit.verify() == [] == office.verifier.broken()


def test_a_signature_locks_the_record(office: Any, rosa: Actor) -> None:
    key = office.inspection(product="panel", lot="L7", part="P1")
    office.reviews.false_alarm(rosa, key, "f2", head=0)
    office.reviews.change_verdict(rosa, key, head=1, verdict=NG, why="too long", cause="handling", disposition="scrap")
    content = office.open(rosa, key).content_sha256

    entry = office.sign(rosa, key, Meaning.APPROVED)

    seen = office.open(rosa, key)
    assert seen.state is State.SIGNED
    assert [(s.by, s.signature.printed_name, s.signature.meaning) for s in seen.signatures] == [
        ("rosa", "Rosa", Meaning.APPROVED)
    ]
    assert entry.act.content_sha256 == content == seen.content_sha256
    for act in (
        lambda: office.reviews.comment(rosa, key, head=3, text="One more."),
        lambda: office.reviews.accept(rosa, key, "f1", head=3),
        lambda: office.reviews.judge(rosa, key, head=3, verdict=OK),
        lambda: office.reviews.change_verdict(rosa, key, head=3, verdict=OK, why="no"),
        lambda: office.follow_up(key, by="olga", verdict=OK),
        lambda: office.sign(rosa, key),
    ):
        with pytest.raises(Locked):
            act()
    row = office.reviews.queue(rosa, QueueFilter(waiting_only=False)).rows[0]
    assert (row.state, row.signed_by) == (State.SIGNED, "rosa")
    assert office.reviews.queue(rosa).total == 0
    assert office.verifier.broken() == []


def test_only_a_signed_ng_makes_cases_and_revoking_takes_them_back(office: Any, rosa: Actor) -> None:
    key = office.inspection(product="panel", lot="L7", part="P1")
    office.reviews.false_alarm(rosa, key, "f2", head=0)
    office.reviews.change_verdict(rosa, key, head=1, verdict=NG, why="too long", cause="handling", disposition="scrap")
    assert owed(office) == []
    entry = office.sign(rosa, key)

    assert owed(office) == [("add", f"signed-{key}-f1")]
    made = case(office, key, f"signed-{key}-f1")
    assert (made.product, made.lot, made.part, made.defect_type, made.box, made.cause, made.disposition) == (
        "panel", "L7", "P1", "scratch", (20, 30, 60, 50), "handling", "scrap")  # fmt: skip
    assert made.signed_by == "Rosa"

    with pytest.raises(SignInRefused):
        office.reviews.revoke(rosa, key, entry.n, head=3, why="wrong part", proof=Proof(method="password", secret="no"))
    proof = Proof(method="password", secret="a long enough password")
    office.reviews.revoke(rosa, key, entry.n, head=3, why="wrong part", proof=proof)

    assert owed(office)[1:] == [("withdraw", f"signed-{key}-f1")]
    assert office.open(rosa, key).state is State.WAITING
    assert len(office.settled) == 2


@pytest.mark.parametrize(("verdict", "meaning"), [(OK, Meaning.APPROVED), (NG, Meaning.REJECTED)])
def test_ok_parts_and_rejected_records_make_no_case(office: Any, rosa: Actor, verdict: Verdict, meaning: Meaning) -> None:
    key = office.inspection(verdict=verdict, findings=())
    office.sign(rosa, key, meaning)
    assert owed(office) == []
    assert office.open(rosa, key).state is (State.REJECTED if meaning is Meaning.REJECTED else State.SIGNED)


def test_an_amendment_opens_the_record_and_keeps_everything(office: Any, rosa: Actor) -> None:
    key = office.inspection()
    with pytest.raises(BadInput, match="not signed"):
        office.reviews.amend(rosa, key, head=0, why="?")
    office.sign(rosa, key)
    office.reviews.amend(rosa, key, head=1, why="the second finding is dust")
    assert office.open(rosa, key).state is State.AMENDING
    office.reviews.false_alarm(rosa, key, "f2", head=2)
    office.follow_up(key, by="olga", verdict=NG)
    assert owed(office) == [("add", f"signed-{key}-f1"), ("add", f"signed-{key}-f2")]

    # The answer of the follow-up has no findings, so f1, which nobody ruled on, is ruled on now.
    office.reviews.accept(rosa, key, "f1", head=3)
    office.sign(rosa, key)

    assert owed(office)[2:] == [("withdraw", f"signed-{key}-f2"), ("add", f"signed-{key}-f1")]
    seen = office.open(rosa, key)
    assert [s.n for s in seen.signatures] == [5]
    assert len(office.traces.load(key).turns) == 2
    with office.database.read() as connection:
        assert connection.execute(select(signed_traces.c.n).order_by(signed_traces.c.n)).scalars().all() == [1, 5]
    # Both signatures still hold what they signed.
    assert office.verifier.broken() == []


def test_what_is_signed_is_what_was_seen(office: Any, rosa: Actor) -> None:
    key = office.inspection()
    seen = office.open(rosa, key)
    office.follow_up(key, by="olga", verdict=OK)
    with pytest.raises(Conflict):
        office.sign(rosa, key, head=seen.head, content_sha256=seen.content_sha256)
    assert office.open(rosa, key).state is State.WAITING


def test_signing_takes_the_password_again(office: Any, rosa: Actor) -> None:
    key = office.inspection()
    for _ in range(5):
        with pytest.raises(SignInRefused):
            office.sign(rosa, key, password="wrong")
    # Locked out, and the session that the wrong passwords came from has ended.
    with pytest.raises(SignInRefused):
        office.open(rosa, key)
    assert office.traces.load(key)
    with office.database.read() as connection:
        assert connection.execute(select(entries.c.n)).all() == []


def test_uncertain_or_unfinished_work_is_not_signed(office: Any, rosa: Actor) -> None:
    with pytest.raises(BadInput, match="uncertain"):
        office.sign(rosa, office.inspection(verdict=UNCERTAIN))
    with pytest.raises(BadInput, match="has not ended"):
        office.sign(rosa, office.inspection(ended=False))


def test_a_picture_that_was_swapped_is_not_signed(office: Any, rosa: Actor) -> None:
    key = office.inspection()
    sha256 = office.traces.load(key).images[0].sha256
    place = next(p for p in (office.folder / "pictures").rglob(sha256))
    place.write_bytes(place.read_bytes()[:-1] + b"x")
    with pytest.raises(StoreError, match="not the one that was stored"):
        office.sign(rosa, key)


def test_two_people_sign_where_the_product_asks_for_it(office: Any, rosa: Actor) -> None:
    admin = office.account("ada", Role.ADMINISTRATOR)
    office.reviews.set_rules(admin, Rules(product="panel", two_person=True))
    key = office.inspection(product="panel")
    office.sign(rosa, key, Meaning.REVIEWED)
    assert office.open(rosa, key).state is State.HALF_SIGNED
    assert owed(office) == []
    with pytest.raises(BadInput, match="another person"):
        office.sign(rosa, key)
    with pytest.raises(Locked):
        office.reviews.accept(rosa, key, "f1", head=1)

    office.sign(office.account("ben"), key)

    assert office.open(rosa, key).state is State.SIGNED
    assert len(owed(office)) == 2
    assert case(office, key, f"signed-{key}-f1").signed_by == "Rosa, Ben"
    assert office.reviews.rules(rosa, "other") == Rules()


@pytest.mark.parametrize("asker", ["rosa", "ROSA", "console:rosa"])
def test_who_asked_does_not_sign_where_the_product_says_so(office: Any, rosa: Actor, asker: str) -> None:
    office.reviews.set_rules(office.account("ada", Role.ADMINISTRATOR), Rules(asker_cannot_sign=True))
    key = office.inspection(asker=asker)
    with pytest.raises(BadInput, match="who asked cannot sign"):
        office.sign(rosa, key)
    office.sign(office.account("ben"), key)
    spoke = office.inspection()
    office.follow_up(spoke, by=asker, verdict=NG)
    with pytest.raises(BadInput, match="who asked cannot sign"):
        office.sign(rosa, spoke)


def test_blind_review_hides_everything_of_the_proposal(office: Any, rosa: Actor) -> None:
    office.reviews.set_rules(office.account("ada", Role.ADMINISTRATOR), Rules(product="panel", blind=True))
    key = office.inspection(product="panel")
    office.follow_up(key, by="olga", verdict=UNCERTAIN)
    other = office.account("ben")
    office.reviews.judge(other, key, head=0, verdict=OK, why="nothing there")

    seen = office.open(rosa, key)

    assert seen.hidden and seen.content_sha256 is None and seen.entries == ()
    shown = seen.model_dump_json(exclude={"rules": True, "trace": {"criteria"}})
    for secret in ('"ng"', '"uncertain"', '"ok"', '"scratch"', '"pit"', '"f1"', "no-finding", "And now?", "nothing there"):
        assert secret not in shown
    row = office.reviews.queue(rosa).rows[0]
    assert row.hidden and row.verdict is row.proposed is row.rule is row.findings is None and not row.disagrees
    # Neither a filter nor the order tells what is hidden.
    assert office.reviews.queue(rosa, QueueFilter(verdict=UNCERTAIN)).total == 0
    assert office.reviews.queue(rosa, QueueFilter(disagrees=True)).total == 0
    with pytest.raises(BadInput, match="own judgement first"):
        office.reviews.accept(rosa, key, "f1", head=1)

    office.reviews.judge(rosa, key, head=seen.head, verdict=NG)

    after = office.open(rosa, key)
    assert not after.hidden and after.decision.proposed is UNCERTAIN
    assert after.entries[-1].act.blind and after.decision.disagrees
    assert not office.reviews.queue(rosa).rows[0].hidden


def test_who_asked_has_seen_the_proposal(office: Any) -> None:
    office.reviews.set_rules(office.account("ada", Role.ADMINISTRATOR), Rules(blind=True))
    olga = office.account("olga")
    key = office.inspection(asker="olga")
    assert not office.open(olga, key).hidden
    assert not office.reviews.queue(olga).rows[0].hidden


def test_the_queue_has_uncertain_and_disagreements_first(office: Any, rosa: Actor) -> None:
    keys = {verdict: office.inspection(verdict=verdict) for verdict in (OK, None, NG, UNCERTAIN)}
    disputed = office.inspection(verdict=NG)
    office.reviews.change_verdict(rosa, disputed, head=0, verdict=OK, why="clean")
    office.inspection(ended=False)
    signed = office.inspection()
    office.sign(rosa, signed)

    page = office.reviews.queue(rosa)

    assert [row.id for row in page.rows] == [keys[UNCERTAIN], disputed, keys[NG], keys[OK], keys[None]]
    assert page.total == 5
    assert office.reviews.queue(rosa, QueueFilter(waiting_only=False)).total == 7
    assert [r.id for r in office.reviews.queue(rosa, QueueFilter(limit=2, offset=1)).rows] == [disputed, keys[NG]]


def test_the_queue_is_filtered_by_bound_values(office: Any, rosa: Actor) -> None:
    mine = office.inspection(product="panel", lot="L1")
    office.inspection(product="cap", lot="L2")
    for wanted, found in (
        (QueueFilter(product="panel"), [mine]), (QueueFilter(lot="L1"), [mine]), (QueueFilter(product="' OR 1=1 --"), []),
        (QueueFilter(product="panel", verdict=OK), []), (QueueFilter(planner="embedded", lot="L1"), [mine]),
        (QueueFilter(older_than_days=1), []), (QueueFilter(newer_than_days=1, product="panel"), [mine]),
        (QueueFilter(asker="olga", product="panel", state=State.WAITING), [mine]),
        (QueueFilter(product="x'; DROP TABLE inspections; --"), []),
    ):  # fmt: skip
        assert [row.id for row in office.reviews.queue(rosa, wanted).rows] == found, wanted
    choices = office.reviews.choices(rosa)
    assert (choices.products, choices.lots, choices.planners) == (("cap", "panel"), ("L1", "L2"), ("embedded",))


@pytest.mark.parametrize("role", [Role.OPERATOR, Role.AUDITOR, Role.ADMINISTRATOR])
def test_who_is_no_reviewer_changes_nothing(office: Any, role: Role) -> None:
    actor = office.account("una", role)
    key = office.inspection()
    assert office.open(actor, key).head == 0
    for act in (
        lambda: office.reviews.comment(actor, key, head=0, text="?"),
        lambda: office.reviews.judge(actor, key, head=0, verdict=OK),
        lambda: office.reviews.accept(actor, key, "f1", head=0),
        lambda: office.reviews.false_alarm(actor, key, "f1", head=0),
        lambda: office.reviews.correct(actor, key, "f1", head=0),
        lambda: office.reviews.add_missed(actor, key, head=0, type="x", box=(0, 0, 9, 9)),
        lambda: office.reviews.change_verdict(actor, key, head=0, verdict=OK, why="x"),
        lambda: office.sign(actor, key),
        lambda: office.reviews.amend(actor, key, head=0, why="x"),
        lambda: office.reviews.revoke(actor, key, 1, head=0, why="x", proof=Proof(method="password", secret="x")),
    ):
        with pytest.raises(NotAllowed):
            act()
    if role is not Role.ADMINISTRATOR:
        with pytest.raises(NotAllowed):
            office.reviews.set_rules(actor, Rules(two_person=False))
    assert office.open(actor, key).head == 0


def test_a_claimed_role_is_worth_nothing(office: Any) -> None:
    una = office.account("una", Role.OPERATOR)
    forged = una.model_copy(update={"roles": frozenset(Role)})
    with pytest.raises(NotAllowed):
        office.sign(forged, office.inspection())


def test_another_persons_signature_is_not_revoked(office: Any, rosa: Actor) -> None:
    key = office.inspection()
    entry = office.sign(rosa, key)
    proof = Proof(method="password", secret="a long enough password")
    with pytest.raises(BadInput, match="only rosa can revoke"):
        office.reviews.revoke(office.account("ben"), key, entry.n, head=1, why="no", proof=proof)


def test_what_was_changed_behind_the_service_is_named(office: Any, rosa: Actor) -> None:
    key, other = office.inspection(), office.inspection()
    office.reviews.comment(rosa, key, head=0, text="fine")
    office.sign(rosa, key)
    with office.database.write() as connection:
        connection.execute(inspections.update().where(inspections.c.id == key).values(verdict="ok"))
    assert office.verifier.broken() == [f"inspection {key}: its row says verdict ok, its entries come to ng"]
    with office.database.write() as connection:
        connection.execute(inspections.update().where(inspections.c.id == key).values(verdict="ng", head=1))
        connection.execute(entries.delete().where(entries.c.inspection == key, entries.c.n == 2))
    assert f"inspection {key}: entry 2 is gone; the audit log tells of it" in office.verifier.broken()
    assert office.verifier.broken(other) == []
    with office.database.write() as connection:
        connection.execute(inspections.delete().where(inspections.c.id == key))
    assert office.verifier.broken() == [f"inspection {key}: the audit log tells of it, and it is not there"]


def test_nothing_that_people_wrote_lies_open(office: Any, rosa: Actor) -> None:
    key = office.inspection()
    office.reviews.change_verdict(rosa, key, head=0, verdict=NG, why="Kratzer vom Greifer", cause="gripper worn")
    office.reviews.comment(rosa, key, head=1, text="シミではなく傷です")
    office.sign(rosa, key)
    if office.database.sqlite:
        office.database.close()
        stored = b"".join(p.read_bytes() for p in office.folder.rglob("*.sqlite*"))
        for text in ("Kratzer vom Greifer", "gripper worn", "シミではなく傷です", "Look for scratches"):
            assert text.encode() not in stored
