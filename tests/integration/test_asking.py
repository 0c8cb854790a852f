"""Asking as a service: rights first, signed records refused, the audit log told, killed processes made good."""

import json
from collections.abc import Callable
from pathlib import Path
from runpy import run_path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import update

from agent.events import TurnEnded
from agent.inspector import Inspector, Material, Photo
from kenpin.config import Settings
from kenpin.contracts.errors import BadInput, InstructionRefused, Locked, NotAllowed, StoreError, Unavailable
from kenpin.contracts.people import Actor, Role
from kenpin.contracts.review import Rules
from kenpin.contracts.trace import as_of, trace_sha256
from kenpin.contracts.verdict import Verdict
from kenpin.database.tables import inspections
from kenpin.holding import Holds
from kenpin.replaying.replay import replay
from kenpin.security.people import GUEST
from kenpin.services import Services

double = SimpleNamespace(**run_path(str(Path(__file__).parents[1] / "services_double.py")))
CONSOLE: Actor = double.CONSOLE
account = double.account


@pytest.fixture
def office(tmp_path: Path, house: ModuleType) -> Callable[[], Services]:
    """Open the installation; each time as another process would."""
    tools = house.real(house.searching(("scratch", 0.9, (20, 50, 40, 70))))
    return lambda: Services(double.Office(Settings(home=tmp_path), True, tools))


@pytest.fixture
def services(office: Callable[[], Services]) -> Services:
    return office()


@pytest.fixture
def material(house: ModuleType) -> Material:
    return Material(subject=Photo(house.plate()))


def told(services: Services, inspection: str) -> list[tuple[str, str, dict[str, Any]]]:
    events = services.kenpin.audit.events(subject=f"inspection:{inspection}")
    return [(event.actor, event.action, event.detail) for event in reversed(events)]


def state(services: Services, inspection: str, value: str) -> None:
    with services.kenpin.database.write() as connection:
        connection.execute(update(inspections).where(inspections.c.id == inspection).values(state=value))


def test_who_asked_stands_in_the_trace_and_in_the_audit_log(services: Services, material: Material) -> None:
    asking = services.asking
    key = asking.start(CONSOLE, material)
    list(asking.say(CONSOLE, key, "Look for scratches."))
    list(asking.say(CONSOLE, key, "Show the corner."))

    trace = asking.trace(CONSOLE, key)

    assert trace.asker == "console:root" and [turn.by for turn in trace.turns] == [None, None]
    assert told(services, key) == [
        ("console:root", "inspection.started", {}),
        ("console:root", "inspection.asked", {"turn": 1}),
        ("console:root", "inspection.answered", {"turn": 1, "sha256": trace_sha256(as_of(trace, 1))}),
        ("console:root", "inspection.asked", {"turn": 2}),
        ("console:root", "inspection.answered", {"turn": 2, "sha256": trace_sha256(trace)}),
    ]
    assert services.kenpin.audit.verify() == []
    assert services.kenpin.traces.load(key) == trace
    words = json.dumps([detail for _, _, detail in told(services, key)])
    assert "scratch" not in words and "corner" not in words


def test_the_turn_is_in_the_audit_log_before_its_end_is_told(services: Services, material: Material) -> None:
    key = services.asking.start(CONSOLE, material)

    for event in services.asking.say(CONSOLE, key, "Look."):
        if isinstance(event, TurnEnded):
            break  # a caller that stops listening here

    assert told(services, key)[-1][1] == "inspection.answered"


def test_a_name_that_the_material_claims_does_not_count(services: Services, house: ModuleType) -> None:
    key = services.asking.start(CONSOLE, Material(subject=Photo(house.plate()), asker="the president"))

    assert services.asking.trace(CONSOLE, key).asker == "console:root"


def test_without_the_right_nothing_happens(services: Services, material: Material) -> None:
    key = services.asking.start(CONSOLE, material)
    auditor = account(services, "aida", Role.AUDITOR)
    before = services.kenpin.traces.load(key)

    for refused in (
        lambda: services.asking.start(auditor, material),
        lambda: services.asking.say(auditor, key, "Look."),
        lambda: services.asking.resume(auditor, key),
        lambda: services.asking.planner(auditor),
        lambda: services.cases.add(auditor, material.subject.pixels, box=None),
        lambda: services.cases.take_in(auditor, Path()),
        lambda: services.cases.rebuild(auditor),
        lambda: services.cases.withdraw(auditor, "x"),
        lambda: services.products.add(auditor, "p"),
        lambda: services.products.remove(auditor, "p"),
    ):
        with pytest.raises(NotAllowed, match="aida may not"):
            refused()
    assert services.kenpin.traces.load(key) == before and len(services.kenpin.traces.ids()) == 1
    assert services.asking.trace(auditor, key) == before and services.products.all(auditor) == []
    # Once there are accounts, a guest is nobody, and a claimed role does not help.
    for nobody in (GUEST, Actor(name="aida", roles=frozenset({Role.ADMINISTRATOR}), session=auditor.session)):
        with pytest.raises(NotAllowed):
            services.asking.say(nobody, key, "Look.")
        with pytest.raises(NotAllowed):
            services.asking.trace(nobody, key)


@pytest.mark.parametrize("locked", ["signed", "half_signed", "rejected"])
def test_a_signed_inspection_refuses_before_any_work(services: Services, material: Material, locked: str) -> None:
    key = services.asking.start(CONSOLE, material)
    list(services.asking.say(CONSOLE, key, "Look."))
    state(services, key, locked)
    before, events = services.kenpin.traces.load(key), told(services, key)

    for act in (
        lambda: services.asking.say(CONSOLE, key, "And now?"),
        lambda: services.asking.resume(CONSOLE, key),
    ):
        with pytest.raises(Locked, match="is signed; amend it first"):
            act()

    assert services.kenpin.traces.load(key) == before == services.asking.trace(CONSOLE, key)
    assert told(services, key) == events


def test_one_that_is_signed_between_question_and_start_is_refused(services: Services, material: Material) -> None:
    key = services.asking.start(CONSOLE, material)
    list(services.asking.say(CONSOLE, key, "Look."))
    events = services.asking.say(CONSOLE, key, "And now?")
    state(services, key, "signed")

    with pytest.raises(Locked):
        next(events)
    assert len(services.kenpin.traces.load(key).turns) == 1


def test_while_a_turn_runs_the_record_is_open(services: Services, material: Material) -> None:
    key = services.asking.start(CONSOLE, material)
    list(services.asking.say(CONSOLE, key, "Look."))
    running = services.asking.say(CONSOLE, key, "And now?")
    next(running)

    row = services.kenpin.traces.recent(1)[0]

    assert row.state == "open" and services.asking.trace(CONSOLE, key).turns[-1].answer is None
    running.close()
    list(services.asking.resume(CONSOLE, key))
    assert services.kenpin.traces.recent(1)[0].state == "waiting"
    assert [entry[1] for entry in told(services, key)].count("inspection.answered") == 2


@pytest.mark.parametrize("text", ["", "  ", "x" * 8001])
def test_what_is_no_instruction_is_refused_at_once(services: Services, material: Material, text: str) -> None:
    key = services.asking.start(CONSOLE, material)
    with pytest.raises(InstructionRefused):
        services.asking.say(CONSOLE, key, text)


@pytest.mark.parametrize("key", ["nothing", "../x", "x' OR 1=1 --"])
def test_what_is_not_there_is_said(services: Services, key: str) -> None:
    for act in (services.asking.resume, services.asking.trace):
        with pytest.raises(StoreError):
            act(CONSOLE, key)
    with pytest.raises(StoreError):
        services.asking.say(CONSOLE, key, "Look.")


def test_under_blind_review_a_follow_up_opens_no_proposal(services: Services, material: Material) -> None:
    key = services.asking.start(CONSOLE, material)
    list(services.asking.say(CONSOLE, key, "Look."))
    services.reviews.set_rules(CONSOLE, Rules(blind=True))
    reviewer = account(services, "rika", Role.REVIEWER)

    hidden = services.asking.trace(reviewer, key)
    (listed,), total = services.asking.recent(reviewer, limit=5)

    assert "scratch" not in hidden.model_dump_json() and hidden.turns[0].answer is None and hidden == listed
    assert total == 1 and not any(turn.ending or turn.labels or turn.seals for turn in hidden.turns)
    with pytest.raises(BadInput, match="blind"):
        services.asking.say(reviewer, key, "What is it?")
    seen = services.reviews.dossier(reviewer, key)
    services.reviews.judge(reviewer, key, head=seen.head, verdict=Verdict.OK)
    assert services.asking.trace(reviewer, key).turns[0].answer
    list(services.asking.say(reviewer, key, "What is it?"))
    assert services.asking.trace(CONSOLE, key).turns[1].by == "rika"


def test_a_record_that_a_killed_process_left_behind_is_brought_up(
    office: Callable[[], Services], material: Material, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = office()
    key = first.asking.start(CONSOLE, material)
    monkeypatch.setattr(Inspector, "_save", lambda *_: None)  # as one that was killed after its last checkpoint
    with pytest.raises(RuntimeError):
        for event in first.asking.say(CONSOLE, key, "Look."):
            if isinstance(event, TurnEnded):
                raise RuntimeError("killed")
    monkeypatch.undo()
    assert first.kenpin.traces.load(key).turns[0].answer is None

    second = office()
    shown = second.asking.trace(CONSOLE, key)

    assert shown.turns[0].answer and second.kenpin.traces.load(key) == shown
    assert [entry[1] for entry in told(second, key)].count("inspection.answered") == 1


def test_a_hash_that_a_killed_process_did_not_write_is_made_up_for(
    office: Callable[[], Services], material: Material, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = office()
    key = first.asking.start(CONSOLE, material)
    monkeypatch.setattr(type(first.asking), "_settle", lambda *_: None)
    list(first.asking.say(CONSOLE, key, "Look."))
    monkeypatch.undo()
    assert told(first, key)[-1][1] == "inspection.asked"

    second = office()
    list(second.asking.resume(CONSOLE, key))
    list(second.asking.say(CONSOLE, key, "Again."))

    answered = [detail["turn"] for _, action, detail in told(second, key) if action == "inspection.answered"]
    assert answered == [1, 2]
    hashes = {d["turn"]: d["sha256"] for _, action, d in told(second, key) if action == "inspection.answered"}
    assert replay(second.kenpin.traces.load(key), second.kenpin.pictures, recorded=hashes).identical


def test_a_planner_that_does_not_answer_hides_no_record(services: Services, material: Material) -> None:
    with pytest.raises(Unavailable):
        services.asking.start(CONSOLE, material, planner="vllm")
    assert services.kenpin.traces.ids() == []
    key = services.asking.start(CONSOLE, material)
    stored = services.kenpin.traces.load(key)
    other = stored.model_copy(update={"planner": stored.planner.model_copy(update={"backend": "vllm"})})
    services.kenpin.traces.save(other)

    assert services.asking.trace(CONSOLE, key) == other


def test_two_processes_do_not_run_one_inspection_at_once(tmp_path: Path) -> None:
    import os

    holds = Holds(tmp_path / "lock", patience=0.3)
    with holds.hold("one"), holds.hold("one"), holds.hold("two"):
        child = os.fork()
        if child == 0:
            own = Holds(tmp_path / "lock", patience=0.0)
            with own.hold_if_free("one") as one, own.hold_if_free("three") as three:
                os._exit(0 if (one, three) == (False, True) else 1)
        assert os.waitpid(child, 0)[1] == 0
    with Holds(tmp_path / "lock").hold_if_free("one") as free:
        assert free


def test_a_thread_waits_for_another_and_gives_up_in_words(tmp_path: Path) -> None:
    import threading

    holds, waited = Holds(tmp_path / "lock", patience=0.3), []
    with holds.hold("one"):
        outcome: list[str] = []

        def other() -> None:
            try:
                with holds.hold("one", waiting=lambda: waited.append(1)):
                    outcome.append("held")
            except Unavailable as exc:
                outcome.append(str(exc))

        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert outcome[0].startswith("this inspection is running elsewhere") and waited


def test_a_turn_that_was_left_without_an_end_is_let_go_by_whichever_thread_collects_it(tmp_path: Path) -> None:
    import threading

    holds = Holds(tmp_path / "lock", patience=0.3)

    def turn() -> Any:
        with holds.hold("one"):
            yield

    begun = [turn()]
    next(begun[0])
    collector = threading.Thread(target=begun.clear)
    collector.start()
    collector.join()
    outcome: list[bool] = []

    def other() -> None:
        with holds.hold_if_free("one") as free:
            outcome.append(free)

    after = threading.Thread(target=other)
    after.start()
    after.join()
    assert outcome == [True]
    with holds.hold("one"):
        pass


def test_products_and_cases_are_changed_by_those_who_may_and_on_record(services: Services, house: ModuleType) -> None:
    from kenpin.security.uploads import Upload

    upload = Upload(pixels=house.plate(seed=5), sha256="0" * 64, name="good.png", notes=())
    services.products.add(CONSOLE, "Panel A", good=[upload])
    assert [p.name for p in services.products.all(CONSOLE)] == ["Panel A"]
    services.products.remove(CONSOLE, "panel a")

    events = services.kenpin.audit.events(subject="product:Panel A")
    assert [(e.action, e.detail) for e in reversed(events)] == [
        ("product.registered", {"good": 1, "references": 0, "revision": None}), ("product.removed", {}),
    ]  # fmt: skip
