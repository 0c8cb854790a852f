"""What the small planner calls, against the embedded planner that taught it.

    python bench/planner_small.py make TESTS [--each 100] [--trained DATA/dialogues.jsonl] [--suite PATH ...]
    python bench/planner_small.py score TESTS MODEL [--each 60] [--batch 16]

`make` (Kenpin's environment) holds conversations with the embedded planner about pictures that training never drew:
wording that was trained on, the writers and templates that were held out, and the first turns of suites. `score` (extra
`tune`) gives MODEL each conversation up to the first call of its last turn and takes the likeliest call, without a
grammar. Printed per group: calls that parse, right tool, right tool with all arguments (boxes at IoU 0.5; `why`, and
what `answer` and `ask` say, are free wording and not compared), and by eye: the kind, the ninth of the picture, and
both. A wrong action is a tool that runs where the teacher asks or answers at once. The reference is the teacher, so
a group's figures say how well it was copied, not how often the teacher is right.
"""

import argparse
import json
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

CALL = re.compile(r"<tool_call>\s*(\{.*?\})\s*</tool_call>", re.DOTALL)
FREE = {"answer": {"text", "about"}, "ask": {"question", "missing"}}
"""Arguments that are wording."""
UNSEEN = 100_000
"""First of the pictures that training does not draw."""


def instructions(path: Path) -> set[str]:
    """What was said in the conversations of a file."""
    said = set()
    for line in path.read_text(encoding="utf-8").splitlines():
        for message in json.loads(line)["messages"]:
            if message["role"] == "user":
                content = message["content"]
                said.add(content if isinstance(content, str) else content[0]["text"])
    return said


def make(folder: Path, each: int, suites: Sequence[Path], trained: set[str] | None) -> None:
    """Hold the conversations; of the wording that is known, what training had no time for is a group of its own."""
    from kenpin.tuning.dialogues import Plan, Writer, by_eye, material, plans
    from kenpin.tuning.teacher import Teacher

    rng, teacher, writer = np.random.default_rng(99), Teacher(), Writer(folder)
    count: Counter[str] = Counter()
    found = plans(rng)
    for path in suites:
        for line in path.read_text(encoding="utf-8").splitlines():
            say = json.loads(line)["turns"][0]["say"]
            lang = "ja" if any(ord(c) > 0x3000 for c in say) else "en"
            found.append(Plan("suite", lang, (say,), "", int(rng.integers(48))))
    other = {"known": "same writers, other words", "template": "other slots"}
    for planned in found:
        new = trained is not None and planned.source in other and planned.says[-1] not in trained
        plan = replace(planned, source=other[planned.source]) if new else planned
        if count[plan.source] < each:
            count[plan.source] += 1
            messages = teacher.converse(material(plan, first=UNSEEN), plan.says)
            writer.write(plan.source, plan.lang, messages, turns=len(plan.says))
    for number in range(each):
        lang = ("en", "ja")[number % 2]
        writer.write("by eye", lang, by_eye(teacher, rng, lang, seed=UNSEEN + number), turns=1)
    writer.close()
    print(dict(count))


def question(dialogue: dict[str, Any]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The messages up to the first call of the last turn, and that call."""
    messages, turns, at = dialogue["messages"], dialogue["turns"], 0
    for i, message in enumerate(messages):
        if message["role"] == "assistant" and turns == 1:
            at = i
            break
        if message["role"] == "assistant" and message["tool_calls"][0]["function"]["name"] in ("answer", "ask"):
            turns -= 1
    return messages[:at], messages[at]["tool_calls"][0]["function"]


def called(text: str) -> dict[str, Any] | None:
    """The first call of a reply, None if it cannot be read."""
    match = CALL.search(text)
    try:
        call = json.loads(match.group(1)) if match else None
    except ValueError:
        return None
    good = isinstance(call, dict) and isinstance(call.get("name"), str) and isinstance(call.get("arguments"), dict)
    return call if good else None


def alike(name: str, said: Any, wanted: Any) -> bool:
    """Whether an argument is the same; boxes are where they overlap by half."""
    if name == "box" and isinstance(said, list) and isinstance(wanted, list) and len(said) == len(wanted) == 4:
        return all(isinstance(v, int | float) for v in said) and overlap(said, wanted) >= 0.5
    if name == "view":
        return (said or "v0") == (wanted or "v0")
    return bool(said == wanted)


def overlap(a: Sequence[float], b: Sequence[float]) -> float:
    """Intersection over union."""
    inner = max(0, min(a[2], b[2]) - max(a[0], b[0])) * max(0, min(a[3], b[3]) - max(a[1], b[1]))
    return inner / max((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - inner, 1e-9)


def score(call: dict[str, Any] | None, wanted: dict[str, Any]) -> dict[str, bool]:
    """What is right of one call."""
    tool = call is not None and call["name"] == wanted["name"]
    left = wanted["arguments"].keys() - {"why"} - FREE.get(wanted["name"], set())
    args = tool and all(alike(n, call["arguments"].get(n), wanted["arguments"][n]) for n in left)  # type: ignore[index]
    wrong = call is not None and wanted["name"] in FREE and call["name"] not in FREE
    return {"parses": call is not None, "tool": tool, "all arguments": args, "wrong action": wrong}


def seen(call: dict[str, Any] | None, wanted: dict[str, Any]) -> dict[str, bool]:
    """What was seen by eye: the words of `why` name kind and place in a fixed form."""
    said = str(call["arguments"].get("why")) if call else ""
    cut = re.compile(r"(?:By eye: |目視：)(.*?)(?:, |に)(.*?)。?\.?$")
    one, two = cut.match(said), cut.match(wanted["arguments"]["why"])
    kind, place = (1, 2) if wanted["arguments"]["why"].startswith("By") else (2, 1)
    if two is None:
        return {"kind": said == wanted["arguments"]["why"], "region": said == wanted["arguments"]["why"],
                "kind and region": said == wanted["arguments"]["why"]}
    right = [one is not None and one.group(i) == two.group(i) for i in (kind, place)]
    return {"kind": right[0], "region": right[1], "kind and region": all(right)}


def run(folder: Path, model_folder: Path, batch: int, each: int | None) -> dict[str, dict[str, float]]:
    """Ask the model everything and count."""
    import torch
    from transformers import Qwen3VLForConditionalGeneration

    from kenpin.tuning.encoding import Encoder, read_dialogues
    from kenpin.tuning.train import moved, tensors

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    tools = json.loads((folder / "tools.json").read_text(encoding="utf-8"))
    encoder = Encoder(model_folder, folder, tools)
    model = Qwen3VLForConditionalGeneration.from_pretrained(model_folder, dtype=torch.float32).to(device).eval()
    see_once(model)
    asked, taken = [], Counter[str]()
    for dialogue in read_dialogues(folder):
        if each is None or taken[dialogue["source"]] < each:
            taken[dialogue["source"]] += 1
            before, wanted = question(dialogue)
            asked.append((encoder.example(before, ask=True), wanted, dialogue["source"]))
    asked.sort(key=lambda item: len(item[0].ids))
    counts: dict[str, list[dict[str, bool]]] = defaultdict(list)
    for start in range(0, len(asked), batch):
        part = asked[start:start + batch]
        # Left padding, so that every prompt ends where the reply begins.
        inputs = moved(tensors([item[0] for item in part], encoder)[0], device)
        width = inputs["input_ids"].shape[1]
        for name in ("input_ids", "attention_mask", "mm_token_type_ids"):
            for row, item in enumerate(part):
                inputs[name][row] = torch.roll(inputs[name][row], width - len(item[0].ids))
        # In bfloat16 on a processor, as it is served there; on one that knows it this is three times as fast.
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=device.type == "cpu"):
            out = model.generate(**inputs, max_new_tokens=200, do_sample=False)
        for row, (_, wanted, source) in zip(out[:, width:], part, strict=True):
            call = called(encoder.tokenizer.decode(row, skip_special_tokens=False))
            counts[source].append(score(call, wanted) | (seen(call, wanted) if source == "by eye" else {}))
    return {source: {"decisions": len(rows)} | {key: round(float(np.mean([row[key] for row in rows])), 3)
                                                for key in rows[0]} for source, rows in sorted(counts.items())}


def see_once(model: Any) -> None:
    """Encode each picture once: many conversations are about the same one."""
    import torch

    find, known = model.model.get_image_features, {}

    def features(pixel_values: Any, image_grid_thw: Any, **more: Any) -> Any:
        sizes = image_grid_thw.prod(-1).tolist()
        keys = [part.cpu().numpy().tobytes() for part in pixel_values.split(sizes)]
        for key, part, grid in zip(keys, pixel_values.split(sizes), image_grid_thw, strict=True):
            if hash(key) not in known:
                known[hash(key)] = find(part, grid[None], **more)
        found = known[hash(keys[0])]
        made = copy(found)
        made.pooler_output = tuple(torch.cat(list(known[hash(key)].pooler_output)) for key in keys)
        return made

    model.model.get_image_features = features


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("make", "score"))
    parser.add_argument("tests", type=Path)
    parser.add_argument("model", type=Path, nargs="?")
    parser.add_argument("--each", type=int, help="of a group; make: 100 if not given, score: all")
    parser.add_argument("--trained", type=Path)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--suite", type=Path, nargs="*", default=[])
    given = parser.parse_args()
    if given.what == "make":
        make(given.tests, given.each or 100, given.suite, instructions(given.trained) if given.trained else None)
        return
    for source, figures in run(given.tests, given.model, given.batch, given.each).items():
        print(f"{source:20}", "  ".join(f"{key} {value:g}" for key, value in figures.items()), flush=True)


if __name__ == "__main__":
    main()
