"""One inspection as a self-contained HTML file: pictures, steps, answers and verdicts, nothing loaded from anywhere."""

import base64
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from agent.prompting import word
from agent.reasons import explain
from agent.wording import language
from kenpin.contracts.errors import FileRefused
from kenpin.contracts.ports import PictureStore
from kenpin.contracts.trace import Trace
from tools.overlay import draw_boxes

LABELS = {
    "en": {"title": "Inspection report", "asked": "Asked", "answer": "Answer", "steps": "Steps", "findings": "Findings", "measures": "Measures",
           "rule": "Rule", "reasons": "Reasons", "why": "Why", "evidence": "Evidence", "planner": "Planner", "picture": "Picture",
           "unsigned": "A proposal: not signed by a person.", "unverified": "Not supported by any step", "question": "Question", "refusal": "Cannot be done",
           "created": "Created", "score": "score", "prompt": "Prompt", "product": "Product", "good": "Good samples"},
    "ja": {"title": "検査報告", "asked": "指示", "answer": "回答", "steps": "手順", "findings": "検出", "measures": "測定値",
           "rule": "判定規則", "reasons": "理由", "why": "目的", "evidence": "証拠画像", "planner": "プランナー", "picture": "画像",
           "unsigned": "提案です。人による署名はまだありません。", "unverified": "裏づけのない記述", "question": "質問", "refusal": "対応できません",
           "created": "作成", "score": "スコア", "prompt": "プロンプト", "product": "製品", "good": "良品サンプル"},
}


def write_report(path: Path, trace: Trace, pictures: PictureStore, *, lang: str = "auto") -> None:
    """Write the report.

    Raises:
        FileRefused: The file cannot be written.
        StoreError: A picture that the trace names is missing or was changed.
    """
    say = trace.turns[-1].say if trace.turns else ""
    shown = language(lang, say)
    env = Environment(loader=PackageLoader("kenpin", "templates"), autoescape=True, undefined=StrictUndefined)
    env.filters["word"] = lambda name: word(name, shown)
    env.filters["reason"] = lambda code: explain(code, shown)
    html = env.get_template("report.html").render(trace=trace, t=LABELS[shown], lang=shown, data=_data(trace, pictures))
    try:
        path.write_text(html, encoding="utf-8")
    except OSError as exc:
        raise FileRefused(f"{path}: the report cannot be written ({exc.strerror or exc})") from None


def _data(trace: Trace, pictures: PictureStore) -> dict[str, Any]:
    """Every picture that the report shows, as data addresses by sha256, and the original with each turn's findings."""
    needed = {sha256 for turn in trace.turns for step in turn.steps for sha256 in step.evidence}
    files = {sha256: _address(pictures.read_file(sha256)) for sha256 in sorted(needed)}
    original = pictures.get(trace.images[0].sha256)
    marked = []
    for turn in trace.turns:
        findings = turn.answer.findings if turn.answer else ()
        sha256 = pictures.put(draw_boxes(original, [f.box for f in findings], labels=[f"{f.id} {f.type}" for f in findings]), lossless=False)
        marked.append(_address(pictures.read_file(sha256)))
    return {"files": files, "marked": marked}


def _address(data: bytes) -> str:
    kind = "png" if data.startswith(b"\x89PNG") else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
