"""Inspections as reviewers leave them, for tests of reports: every kind of ruling, signatures, past cases."""

import hashlib
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import cv2
import numpy as np

from kenpin.contracts.audit import AuditHead
from kenpin.contracts.review import (
    Act,
    Amendment,
    Comment,
    Dossier,
    Entry,
    Judgement,
    Meaning,
    Rules,
    Ruling,
    Severity,
    Signature,
    VerdictChange,
)
from kenpin.contracts.trace import Answer, Finding, Measure, PlannerInfo, Step, Trace, TraceImage, Turn, finished
from kenpin.contracts.verdict import Criteria, Criterion, Op, Verdict
from kenpin.contracts.view import RgbImage
from kenpin.review.content import content_sha256, entry_sha256
from kenpin.review.folding import decided, standing, state_of

AT = datetime(2026, 1, 31, 9, 0, tzinfo=UTC)
HEAD = AuditHead(seq=41, at="2026-01-31T09:30:00.000000+00:00", sha256="ab" * 32)


@lru_cache(maxsize=8)
def _encoded(data: bytes, shape: tuple[int, ...], kind: str) -> bytes:
    pixels = np.frombuffer(data, np.uint8).reshape(shape)
    return cv2.imencode(kind, np.ascontiguousarray(pixels[..., ::-1]))[1].tobytes()


class Pictures:
    """Implements `PictureStore` in memory."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def put(self, pixels: RgbImage, *, lossless: bool = True) -> str:
        file = _encoded(pixels.tobytes(), pixels.shape, ".png" if lossless else ".jpg")
        key = hashlib.sha256(file).hexdigest()
        self.files[key] = file
        return key

    def get(self, sha256: str) -> RgbImage:
        return np.asarray(cv2.imdecode(np.frombuffer(self.files[sha256], np.uint8), cv2.IMREAD_COLOR)[..., ::-1])

    def read_file(self, sha256: str) -> bytes:
        return self.files[sha256]


@lru_cache(maxsize=1)
def plate(width: int = 1000, height: int = 700) -> RgbImage:
    """A grey plate with a few marks."""
    grain = np.random.default_rng(1).normal(150, 5, (height, width, 1)).clip(0, 255).astype(np.uint8)
    pixels = np.ascontiguousarray(grain.repeat(3, axis=2))
    cv2.line(pixels, (140, 160), (360, 230), (70, 62, 60), 3)
    cv2.circle(pixels, (700, 420), 18, (60, 52, 50), -1)
    cv2.ellipse(pixels, (500, 560), (60, 22), 0, 0, 360, (120, 108, 84), -1)
    cv2.line(pixels, (820, 120), (900, 150), (90, 82, 80), 2)
    return pixels


def case(case_id: str, *, cause: str, kind: str = "scratch", signed_by: str | None = "M. Sato") -> dict[str, Any]:
    """A past case as `recall` puts it into its result."""
    return {"case_id": case_id, "product": "Panel (B)", "defect_type": kind, "cause": cause, "disposition": "rework",
            "note": "", "date": "2025-11-03", "lot": "L-0771", "signed_by": signed_by, "likeness": 0.61,
            "likeness_words": "very alike", "by": "region", "picture": "c" * 64, "box": None, "source": "line 2"}


def make_trace(pictures: Pictures, *, key: str = "20260131-panel-0001", verdict: Verdict | None = Verdict.NG,
               say: str = "Look for scratches and say whether the longest is within 25 mm.",
               **more: Any) -> Trace:
    """A finished inspection with three findings, a measure and a past case."""
    pixels = plate()
    subject, shown = pictures.put(pixels), pictures.put(pixels[100:300, 100:400], lossless=False)
    f1 = Finding(id="f1", type="scratch", box=(138, 158, 362, 234), score=0.93, steps=(2,))
    f2 = Finding(id="f2", type="pit", box=(676, 396, 724, 444), score=0.81, steps=(2,))
    f3 = Finding(id="f3", type="stain", box=(438, 536, 562, 584), score=0.64, steps=(2,))
    steps = (
        Step(n=1, tool="check_image", why="Is the picture good enough to judge?", args={"view": "v0"}, status="ok",
             result={"ok": True, "sharpness": 0.8123}, ms=11.5),
        Step(n=2, tool="detect", why="Search the whole surface.", args={"view": "v0"}, status="ok", ms=210.0,
             result={"decides": True, "found": 3, "regions": [{"type": "scratch", "score": 0.93}] * 9},
             boxes=(f1.box, f2.box, f3.box), evidence=(shown,)),
        Step(n=3, tool="measure", why="Measure the longest scratch.", args={"of": "f1", "quantity": "length"},
             status="ok", result={"value": 28.81, "unit": "mm"}, boxes=(f1.box,), evidence=(shown,), ms=8.2),
        Step(n=4, tool="recall", why="Has this been seen before?", args={"of": "f1"}, status="ok", ms=60.0, result={
            "hits": [case("K-0007", cause="burr on the conveyor guide"),
                     case("K-0012", cause="loose gripper pad", signed_by=None)], "searched": 120}),
        Step(n=5, tool="zoom", why="Look closer.", args={"box": [0, 0, 5000, 5000]}, status="refused",
             error="the box lies outside the picture", ms=0.4),
    )
    answer = Answer(
        kind="answer", text="The scratch f1 is 28.8 mm long [3]; the limit is 25 mm.", verdict=verdict,
        rule="scratch.length<=25mm" if verdict else None, findings=(f1, f2, f3) if verdict is not Verdict.OK else (),
        measures=(Measure(quantity="length", value=28.81, unit="mm", uncertainty=0.31, of="f1", step=3),),
        cites=(2, 3), unverified=("about 3 days old",), reasons=("limit.steps:32",),
    )
    given: dict[str, Any] = {"product": "Panel (B)", "lot": "L-0815", "part": "P-17", "asker": "tanaka"}
    return Trace(
        id=key, created=AT,
        planner=PlannerInfo(backend="embedded", model="kenpin-router", prompt="planner/3", prompt_sha256="d" * 64),
        images=(TraceImage(id="v0", role="subject", sha256=subject, upload_sha256="e" * 64, width=1000, height=700,
                           mm_per_px=0.128, notes=("turned upright",)),),
        criteria=Criteria(product="Panel (B)", revision="3", source="panel.yaml", limits=(
            Criterion(of="scratch", quantity="length", op=Op.LE, value=25, unit="mm", revision="3", origin="panel.yaml"),
        )),
        tools={"detect": "4", "measure": "2"}, good=("f" * 64,),
        turns=(Turn(say=say, steps=steps, answer=answer, by="tanaka"),), **(given | more),
    )


def reviewed(trace: Trace, *acts: tuple[str, Act]) -> Dossier:
    """The dossier after acts of people, a minute between them; a signature signs what stands when it is given."""
    entries: list[Entry] = []
    for n, (by, given) in enumerate(acts, start=1):
        stands = content_sha256(trace, decided(trace, entries))
        act = given.model_copy(update={"content_sha256": stands}) if isinstance(given, Signature) else given
        entry = Entry(inspection=trace.id, n=n, at=AT + timedelta(minutes=n), by=by, act=act, sha256="",
                      previous=entries[-1].sha256 if entries else "0" * 64)
        entries.append(entry.model_copy(update={"sha256": entry_sha256(entry)}))
    decision = decided(trace, entries)
    return Dossier(
        trace=trace, entries=tuple(entries), decision=decision, state=state_of(trace, entries),
        signatures=standing(entries), needed=1, rules=Rules(), head=len(entries), hidden=False, asker=trace.asker,
        content_sha256=content_sha256(trace, decision) if finished(trace) else None,
    )


def signature(name: str = "佐藤 美咲", meaning: Meaning = Meaning.APPROVED) -> Signature:
    """A signature by password."""
    return Signature(meaning=meaning, content_sha256="", method="password", printed_name=name)


def rulings(trace: Trace) -> list[tuple[str, Act]]:
    """One ruling of each kind, a judgement, a comment and a changed verdict with its cause."""
    f1, f2, f3 = (f for turn in trace.turns if turn.answer for f in turn.answer.findings)
    return [
        ("sato", Judgement(verdict=Verdict.NG, why="plain to see", blind=True)),
        ("sato", Ruling(finding="f1", decision="accepted", old=f1, type="scratch", box=f1.box, severity=Severity.MAJOR)),
        ("sato", Ruling(finding="f2", decision="corrected", old=f2, type="dent", box=(660, 380, 742, 462),
                        severity=Severity.MINOR, why="a dent, and larger")),
        ("sato", Ruling(finding="f3", decision="false_alarm", old=f3, type="stain", box=f3.box, why="a water mark")),
        ("sato", Ruling(finding="m1", decision="missed", old=None, type="scratch", box=(815, 112, 906, 158),
                        severity=Severity.CRITICAL, why="髙橋が見つけた。")),
        ("sato", Comment(text="Conveyor stopped for inspection.\nSecond line.")),
        ("sato", VerdictChange(old=Verdict.NG, verdict=Verdict.NG, why="confirmed with the limit sample",
                               cause="burr on the guide", disposition="scrap")),
    ]


def amendment(why: str = "the limit was read wrongly") -> Amendment:
    """The beginning of an amendment."""
    return Amendment(why=why)
