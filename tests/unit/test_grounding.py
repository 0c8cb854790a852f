"""What a text claims is held against the steps that it cites, in English and Japanese."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.claims import cited, quantities
from agent.grounding import contradicts, own_words, unverified
from kenpin.contracts.trace import Step
from kenpin.contracts.verdict import Verdict


def step(n: int, tool: str, result: dict[str, Any], *, args: dict[str, Any] | None = None, status: str = "ok") -> Step:
    return Step.model_validate(
        {"n": n, "tool": tool, "why": "w", "args": args or {}, "status": status, "result": result, "ms": 1}
    )


def found(name: str, kind: str, box: list[int], score: float) -> dict[str, Any]:
    outline = [[x, 7777] for x in range(40)]
    return {"id": name, "type": kind, "box": box, "score": score, "area_px": 490.0, "outline": outline}


STEPS = [
    step(1, "check_image", {"passed": True, "exposure": {"mean": 127.4, "clipped_bright_share": 0.0213}}),
    step(2, "detect", {"findings": [found("f1", "scratch", [150, 395, 335, 435], 0.934), found("f2", "pit", [608, 138, 633, 163], 0.88)],
                       "decided": True, "reason": "The surface is plain."}),
    step(3, "measure", {"quantity": "length", "value": 45.62, "unit": "mm", "uncertainty": 0.31, "value_px": 182.5, "of": "f1"}),
    step(4, "read_text", {"lines": [{"id": "t1", "text": "SN 88-0153"}, {"id": "t2", "text": "LOT2024B  2026-01-31  1,250 kg"}]}),
    step(5, "calibrate", {"mm_per_px": 0.25, "method": "marker"}, args={"size_mm": 15.0}),
    step(6, "count", {"count": 11, "what": "washer", "items": [{"id": f"o{i}", "box": [i, i, i + 12, i + 13]} for i in range(1, 12)]}),
    step(7, "compare", {"turn_deg": -3.021, "shift_px": [4.1, -2.6], "confidence": 0.953, "findings": []}),
    step(8, "measure", {"quantity": "length", "value": 999.0, "unit": "mm", "uncertainty": 1.0}, status="failed"),
    step(9, "measure", {"quantity": "angle", "value": 88.7, "unit": "deg", "uncertainty": 0.4}),
    step(10, "measure", {"quantity": "area", "value": 12.5, "unit": "mm2", "uncertainty": 0.4}),
]  # fmt: skip

SUPPORTED = [
    "The scratch is 45.6 mm long [3].",
    "The scratch is 45.6mm long [3].",
    "It is 46 mm [3].",
    "45.62 mm ± 0.31 mm [3]",
    "45.6 ± 0.3 mm [3]",
    "That is 4.56 cm, 45620 µm or 1.796 inches [3].",
    "In pixels it is 182.5 px [3].",
    "Two findings; f1 at [150, 395, 335, 435], score 0.93 [2].",
    "f1 and f2 [2]: f1/f2 both.",
    "2 findings, 1 scratch [2].",
    "Box (608, 138, 633, 163) [2].",
    "About 490 px² [2].",
    "The serial number is 88-0153 [4].",
    "Serial 0153, lot 2024B? It reads LOT2024B [4].",
    "The date is 2026-01-31 [4].",
    "The date is 2026/01/31 [4].",
    "日付は2026年1月31日です [4]。",
    "It weighs 1,250 kg by its label [4].",
    "It weighs 1250 kg by its label [4].",
    "Scale: 0.25 mm per pixel, so 1 px = 0.25 mm [5].",
    "縮尺は1pxあたり0.25mm [5]。マーカーは15mm [5]。",
    "I count 11 washers [6]; o11 is the last [6].",
    "Turned by -3.02°, shifted by 4.1, -2.6 px, 95 % sure [7].",
    "回転 3.0 度、ずれ (4.1, -2.6)、確かさ95％ [7]。",
    "傷の長さは４５．６ｍｍです［３］。",
    "傷は45.6ミリ、画素では182.5ピクセル [3]。",
    "2.13 % burnt out [1], mean 127 [1].",
    "Mean brightness 127 [1]. The scratch is 45.6 mm [3].",
    "Its angle is 88.7° [9], or 88.7 degrees [9].",
    "12.5 mm² [10]",
    "Step 3 measured it; ステップ3 も同じ [3].",
    "1. A scratch, 45.6 mm [3]\n2. A pit [2]",
    "The 1st and the 2nd finding [2].",
    "No number at all.",
    "The lengths [3, 9] are known.",
    "It is 45.6 mm. [3]",
    "「88-0153」と読めます [4]。",
    "The marker, 15 mm, gave 0.25 mm per px [5].",
]

INVENTED = [
    ("The scratch is 54.6 mm long [3].", ("54.6",)),
    ("The scratch is 45.7 mm long [3].", ("45.7",)),
    ("The scratch is 45.6 px long [3].", ("45.6",)),  # it was mm
    ("The scratch is 182.5 mm long [3].", ("182.5",)),  # it was px
    ("The area is 12.5 mm [10].", ("12.5",)),  # it was mm²
    ("傷の長さは182.5mmです [3]。", ("182.5mm",)),
    ("The scratch is 93 mm long [2].", ("93",)),  # 0.93 is a score, not a share of a millimetre
    ("A score of 93 [2].", ("93",)),
    ("The scratch is 999 mm long [8].", ("[8]", "999")),  # that step failed
    ("The scratch is 45.6 mm long [12].", ("[12]", "45.6")),
    ("It is 45.6 mm long [2].", ("45.6",)),  # another step said so
    ("f1 at [150, 395, 435, 335] [2].", ("[150, 395, 435, 335]",)),
    ("f1 at [150, 395, 336, 435] [2].", ("[150, 395, 336, 435]",)),
    ("7777 [2]", ("7777",)),  # only a point of an outline
    ("Serial number 88-0513 [4].", ("88-0513",)),
    ("Serial number 8-0153 [4].", ("8-0153",)),
    ("Serial number 153 [6].", ("153",)),
    ("The date is 2026-01-13 [4].", ("2026-01-13",)),
    ("LOT2024 [4]", ("LOT2024",)),
    ("I count 12 washers [6].", ("12",)),
    ("I count 13 [6].", ("13",)),
    ("3 findings [2].", ("3",)),
    ("f3 is a crack [2].", ("f3",)),
    ("Turned by 30.2° [7].", ("30.2",)),
    ("Model A4-17 [4].", ("A4-17",)),
    ("1,350 kg [4]", ("1,350",)),
    ("合格率は97％です [7]。", ("97",)),
    ("傷は１２本です [2]。", ("12",)),
    ("It is 45.6 mm long.", ("45.6",)),  # cites nothing
    ("Findings [2] and a length of 45.6 mm. It is long.", ("45.6",)),
]


@pytest.mark.parametrize("text", SUPPORTED)
def test_what_the_cited_steps_say_is_supported(text: str) -> None:
    assert unverified(text, STEPS) == ()


@pytest.mark.parametrize(("text", "claims"), INVENTED)
def test_what_they_do_not_say_is_listed(text: str, claims: tuple[str, ...]) -> None:
    assert unverified(text, STEPS) == claims


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ("Reject scratches over 25 mm", "Held against 25 mm [2]."),
        ("25mm以上の傷は不良", "25 mm 以上の傷はありません [2]。"),
        ("ワッシャーは12個のはず", "12個に対して11個です [6]。"),
        ("Look at [10, 20, 110, 220]", "I looked at [10, 20, 110, 220] [2]."),
        ("box 100,200,300,400", "In (100, 200, 300, 400) [2]."),
        ("Is this part MX-4471 ok?", "Part MX-4471 [2]."),
    ],
)
def test_the_users_own_numbers_may_be_repeated(said: str, text: str) -> None:
    assert unverified(text, STEPS, said=said) == ()


def test_a_unit_that_the_user_did_not_say_is_invented() -> None:
    assert unverified("The limit is 25 px [2].", STEPS, said="Reject scratches over 25 mm") == ("25",)


def test_configured_limits_and_scales_need_no_step() -> None:
    assert unverified("Limit 6.1 mm, scale 0.05 mm per px [2].", STEPS, known=[6.1, 0.05]) == ()


def test_a_hash_or_an_id_is_no_source_of_numbers() -> None:
    steps = [step(1, "zoom", {"sha256": "12345678e9" + "a" * 54, "of": "f9", "view": "v17"})]

    assert unverified("9 [1]. 17 [1]. 12345678 [1].", steps) == ("9", "17", "12345678")


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("a [1] b [2][3]", (1, 2, 3)),
        ("a [2, 3] b [3]", (2, 3)),
        ("［４］と【4】", (4,)),
        ("[1、2]", (1, 2)),
        ("box [1, 2, 3, 4]", ()),
        ("f[x] [a]", ()),
        ("[1234]", ()),
    ],
)
def test_citations(text: str, steps: tuple[int, ...]) -> None:
    assert cited(text) == steps


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("約28.8mm、3個", [(28.8, "mm"), (3.0, None)]),
        ("１，２３４ｐｘ", [(1234.0, "px"), (1.0, None), (234.0, None)]),
        ("2.5 cm or 1 inch", [(25.0, "mm"), (25.4, "mm")]),
        ("-3.5° at 95%", [(3.5, "deg"), (95.0, "%")]),
        ("f1, LOT12, e5, v2", []),
        ("1.25e-05 mm", [(1.25e-05, "mm")]),
    ],
)
def test_numbers_of_a_text(text: str, read: list[tuple[float, str | None]]) -> None:
    found = list(quantities(text))

    assert [q.value for q in found] == pytest.approx([value for value, _ in read])
    assert [q.family for q in found] == [family for _, family in read]


@given(st.floats(0.01, 5000), st.integers(0, 3), st.floats(1.2, 9))
def test_rounding_is_supported_and_another_number_is_not(value: float, digits: int, factor: float) -> None:
    steps = [step(1, "measure", {"quantity": "length", "value": value, "unit": "mm", "uncertainty": 0.0})]

    assert unverified(f"It is {value:.{digits}f} mm long [1].", steps) == ()
    wrong = f"{value * factor + 1:.{digits}f}"
    assert unverified(f"It is {wrong} mm long [1].", steps) == (wrong,)


@given(st.text(max_size=300), st.text(max_size=80))
def test_no_text_breaks_the_check(text: str, said: str) -> None:
    assert isinstance(unverified(text, STEPS, said=said), tuple)
    contradicts(text, Verdict.NG)


@given(st.text(alphabet="0123456789.,-[]()e %mpx", max_size=60))
def test_no_heap_of_numbers_breaks_the_check(text: str) -> None:
    assert isinstance(unverified(text, STEPS, said=text), tuple)


@pytest.mark.parametrize(
    "text",
    [
        "The part passes.", "It passed inspection.", "The part is acceptable.", "The surface is defect-free.", "This is OK.",
        "It looks good.", "合格です。", "良品です。", "良品と判定します。",
    ],
)  # fmt: skip
def test_a_verdict_in_words_must_be_that_of_the_rules(text: str) -> None:
    assert contradicts(text, Verdict.NG) and contradicts(text, Verdict.UNCERTAIN)
    assert contradicts(text, Verdict.NG, partly=True)
    assert contradicts(text, Verdict.OK) is None and contradicts(text, None) is None


@pytest.mark.parametrize(
    "text",
    [
        "No defects were found.",
        "No scratches.",
        "Nothing wrong.",
        "異常はありません。",
        "傷は見当たりません。",
        "問題なし",
    ],
)
def test_nothing_found_may_stand_beside_an_open_verdict_or_other_findings(text: str) -> None:
    assert contradicts(text, Verdict.NG)
    assert contradicts(text, Verdict.UNCERTAIN) is None
    assert contradicts(text, Verdict.NG, partly=True) is None


@pytest.mark.parametrize(
    "text",
    [
        "The part does not pass.", "It is not acceptable.", "This is unacceptable.", "It isn't acceptable.", "不合格です。",
        "合格とは言えません。", "合格基準は25 mmです。", "The picture passed the check [1].", "ピントは問題ありません [1]。",
        "I cannot tell whether it passes if the scale is missing.", "The scratch passes only if it is under the limit.",
    ],
)  # fmt: skip
def test_words_that_claim_nothing_good_do_not_contradict(text: str) -> None:
    assert contradicts(text, Verdict.NG) is None


def test_what_is_read_off_a_picture_or_a_case_is_no_claim_of_the_answer() -> None:
    steps = [
        step(1, "read_text", {"lines": [{"id": "t1", "text": "QC PASSED  [7] 合格"}], "codes": [{"id": "t2", "text": "OK"}]}),
        step(2, "recall", {"hits": [{"case_id": "c1", "cause": "part passes gate 3", "disposition": "use as is"}]}),
    ]  # fmt: skip
    text = "The label reads “QC PASSED [7] 合格” and “OK” [1]. Cause: part passes gate 3; done: use as is [2]."

    own = own_words(text, steps)

    assert cited(own) == (1, 2) and unverified(own, steps) == ()
    assert contradicts(own, Verdict.NG) is None


@pytest.mark.parametrize(
    "text",
    ["QC PASSED [1].", "The part “passes” [1].", "「合格です」 [1]", "It says “QC PASSED”, so the part passes [1]."],
)
def test_what_the_answer_says_itself_stays_a_claim(text: str) -> None:
    steps = [step(1, "read_text", {"lines": [{"id": "t1", "text": "QC PASSED"}]})]

    assert contradicts(own_words(text, steps), Verdict.NG)
