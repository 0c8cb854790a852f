"""Turns signed reviews into training conversations: what a person signed, shown as calls that a planner should make."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.opening import Material, Photo
from agent.wording import language
from kenpin.contracts.errors import BadInput
from kenpin.contracts.ports import PictureStore
from kenpin.contracts.review import Dossier, JudgedFinding, State
from kenpin.tuning.dialogues import Writer
from kenpin.tuning.teacher import Message, Teacher

MOST_FINDINGS = 6
"""Zoomed in on; an inspection with more teaches these."""
WORDS = {
    "en": {"check": "A verdict needs a picture that is good enough.", "look": "A closer look at {type}.",
           "end": "Everything that was asked for is done.", "one": "{type} [{n}].", "none": "No defect is seen [1]."},
    "ja": {"check": "判定には十分な画質の画像が必要なため。", "look": "{type}を近くで見るため。",
           "end": "依頼されたことはすべて終わったため。", "one": "{type} [{n}]。", "none": "欠陥は見られません [1]。"},
}


@dataclass(frozen=True)
class Exported:
    """What was written, and what was left out and why, an id and a reason each."""

    written: tuple[str, ...]
    left_out: tuple[tuple[str, str], ...]


def why_not(dossier: Dossier) -> str | None:
    """Why an inspection is no training material; None if it is."""
    if dossier.state is not State.SIGNED:
        return f"it is {dossier.state.value}, not signed"
    if dossier.hidden:
        return "its proposal is hidden from you until your own judgement is in"
    if not dossier.trace.turns:
        return "nothing was said in it"
    return None


def conversation(dossier: Dossier, pictures: PictureStore, teacher: Teacher) -> list[Message]:
    """What should have been done: check the picture, look at each defect that people left standing, and say so.

    Places are those that were signed, with people's corrections; false alarms are not looked at. No verdict is in it:
    rules compute that.

    Raises:
        BadInput: It is not signed, or a signed place cannot be looked at.
        StoreError: Its picture is missing.
    """
    if reason := why_not(dossier):
        raise BadInput(f"{dossier.trace.id} cannot be trained on: {reason}")
    trace, say = dossier.trace, dossier.trace.turns[0].say
    subject, *rest = trace.images
    scales = [image.mm_per_px for image in trace.images if image.mm_per_px]
    material = Material(
        subject=Photo(pixels=pictures.get(subject.sha256)), criteria=trace.criteria, product=trace.product,
        references=[Photo(pixels=pictures.get(image.sha256)) for image in rest if image.role == "reference"],
        mm_per_px=scales[0] if scales else None, lang=trace.lang)
    real = [finding for finding in dossier.decision.findings if finding.real][:MOST_FINDINGS]
    return teacher.demonstrate(material, say, list(_calls(real, WORDS[language(trace.lang, say)],
                                                          judged=dossier.decision.verdict is not None)))


def _calls(real: list[JudgedFinding], words: dict[str, str], *, judged: bool) -> Iterator[tuple[str, dict[str, Any]]]:
    yield "check_image", {"why": words["check"]}
    for finding in real:
        yield "zoom", {"why": words["look"].format(type=finding.type)[:400], "box": list(finding.box)}
    said = [words["one"].format(type=finding.type, n=n) for n, finding in enumerate(real, 2)]
    yield "answer", {"why": words["end"], "text": " ".join(said) or words["none"], "kind": "answer", "judged": judged,
                     "about": []}


def export(dossiers: Iterable[Dossier], pictures: PictureStore, folder: Path) -> Exported:
    """Write the signed ones as `dialogues.jsonl` with their pictures, as `kenpin.tuning.train` reads them."""
    teacher, writer = Teacher(), Writer(folder)
    written, left_out = [], []
    try:
        for dossier in dossiers:
            reason = why_not(dossier)
            if reason is None:
                try:
                    messages = conversation(dossier, pictures, teacher)
                    lang = language(dossier.trace.lang, dossier.trace.turns[0].say)
                    writer.write("signed", lang, messages, inspection=dossier.trace.id,
                                 content_sha256=dossier.content_sha256)
                    written.append(dossier.trace.id)
                    continue
                except BadInput as exc:
                    reason = str(exc)
            left_out.append((dossier.trace.id, reason))
    finally:
        writer.close()
    return Exported(tuple(written), tuple(left_out))
