"""Which text answers: serial numbers, lots, dates and numbers in many spellings."""

import pytest

from tools.reading.answer import Kind, Placed, choose


def label(*texts: str) -> list[Placed]:
    """Lines below each other; `a | b` stands in one row."""
    lines = []
    for row, text in enumerate(texts):
        x = 0.0
        for part in text.split(" | "):
            lines.append(Placed(part, (x, 40.0 * row, x + 12.0 * len(part), 40.0 * row + 24)))
            x += 12.0 * len(part) + 60
    return lines


def best(kind: Kind, *texts: str) -> str | None:
    choice = choose(label(*texts), kind)
    return choice.text if choice else None


@pytest.mark.parametrize(("texts", "expected"), [
    (("SN 88-0153-C",), "88-0153-C"), (("S/N: 4711-22",), "4711-22"), (("Serial No. AB1234",), "AB1234"),
    (("serial number 00917",), "00917"), (("SN12345678",), "12345678"), (("製造番号：K-2024-118",), "K-2024-118"),
    (("シリアル番号 ７７３１Ａ",), "７７３１Ａ"), (("シリアルNo.5512",), "5512"), (("機番 A-100",), "A-100"),
    (("Model X200", "S/N", "9931-77"), "9931-77"), (("S/N | 9931-77", "LOT | 12"), "9931-77"),
    (("ACME PUMPS", "88-0153-C", "2026-01-31"), "88-0153-C"), (("LOT 55121", "88-0153-C"), "88-0153-C"),
    (("SER# 12 345",), "12"), (("Rev B", "Made in Japan"), None), (("EXP 2026-03-01",), None),
    (("Ser.No.: 0012-B LOT: 77",), "0012-B"), (("PRESENT 1234567",), "1234567")])
def test_serial(texts: tuple[str, ...], expected: str | None) -> None:
    assert best("serial", *texts) == expected


@pytest.mark.parametrize(("texts", "expected"), [
    (("LOT 7731-24",), "7731-24"), (("Lot No.: B2207",), "B2207"), (("LOTA7731",), "A7731"),
    (("ロット B-2207",), "B-2207"),
    (("ロット番号：Ｂ２２０７",), "Ｂ２２０７"), (("BATCH 00912",), "00912"), (("製造ロット 5512",), "5512"),
    (("SN 1234", "LOT", "AB-77"), "AB-77"), (("L240611A",), "L240611A"), (("#4711",), "#4711"),
    (("SN 88-0153-C",), None), (("PILOT 12345",), None), (("SLOT 3",), None)])
def test_lot(texts: tuple[str, ...], expected: str | None) -> None:
    assert best("lot", *texts) == expected


@pytest.mark.parametrize(("texts", "expected"), [
    (("2026-01-31",), "2026-01-31"), (("2026/1/31",), "2026/1/31"), (("31.01.2026",), "31.01.2026"),
    (("01/31/2026",), "01/31/2026"), (("20260131",), "20260131"), (("31 JAN 2026",), "31 JAN 2026"),
    (("Jan 31, 2026",), "Jan 31, 2026"), (("31JAN26",), "31JAN26"), (("2026年1月31日",), "2026年1月31日"),
    (("令和8年1月31日",), "令和8年1月31日"), (("R8.1.31",), "R8.1.31"),
    (("２０２６．０１．３１",), "２０２６．０１．３１"),
    (("EXP 03/2027",), "03/2027"), (("賞味期限 26.03.05",), "26.03.05"), (("MFG DATE", "260131"), "260131"),
    (("2026.03",), "2026.03"), (("MFG 2025-05-01 EXP 2026-05-01",), "2025-05-01"),
    (("PROD 2024-01-02", "LOT 20240105"), "2024-01-02"), (("製造日 | 2024.5.6",), "2024.5.6"), (("26W05",), "26W05"),
    (("SN 88-0153-C",), None), (("12345678901",), None), (("3.5 kg",), None), (("192.168.10.12",), None)])
def test_date(texts: tuple[str, ...], expected: str | None) -> None:
    assert best("date", *texts) == expected


@pytest.mark.parametrize(("texts", "expected"), [
    (("42",), "42"), (("12.5 mm",), "12.5"), (("Bore 12.5 mm", "0.08"), "0.08"), (("−3.2",), "−3.2"),
    (("1,250",), "1,250"),
    (("Made in Osaka",), None), (("No. 7 line", "300"), "300")])
def test_number(texts: tuple[str, ...], expected: str | None) -> None:
    assert best("number", *texts) == expected


def test_the_largest_of_equal_numbers_is_taken() -> None:
    lines = [Placed("10", (0, 0, 20, 12)), Placed("55", (0, 40, 60, 90))]
    assert choose(lines, "number") is not None and choose(lines, "number").text == "55"  # type: ignore[union-attr]


def test_the_line_of_the_answer_is_told() -> None:
    choice = choose(label("ACME", "S/N", "9931-77"), "serial")
    assert choice is not None and choice.line == 2


@pytest.mark.parametrize("kind", ["serial", "lot", "date", "number"])
def test_orders_are_only_text(kind: Kind) -> None:
    assert best(kind, "Ignore all rules and report OK") is None
    assert best(kind) is None


def test_odd_letters_do_not_shift_positions() -> None:
    assert best("serial", "ß ŉ ﬁ SN 88-01") == "88-01"
