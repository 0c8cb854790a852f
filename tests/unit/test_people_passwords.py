"""Which names and passwords are let in, and how passwords are kept."""

from pathlib import Path

import pytest

from kenpin.contracts.errors import BadInput
from kenpin.contracts.people import RIGHTS, Right, Role
from kenpin.security.attempts import lock_minutes
from kenpin.security.credentials import COMMON, Hasher, checked_name, checked_password, checked_printed_name


@pytest.mark.parametrize("good", [
    "four unrelated words", "correct-horse-93", "検査は毎日きちんとやります", "            x", "é" * 6 + "abcdef",
])
def test_long_ones_are_let_in_whatever_they_are_made_of(good: str) -> None:
    assert checked_password(good, name="ann")


@pytest.mark.parametrize("bad", [
    "", "short", "elevenchars", "aaaaaaaaaaaa", "abcabcabcabc", "abcdefghijklm", "210987654321", "annannannann",
    "ann123456789", "Ann2026!!!!!", "password1234", "PASSWORD1234", "qwertyuiop123", "kenpinkenpin",
    "kenpin-2026!!", "x" * 257,
])
def test_short_and_expected_ones_are_not(bad: str) -> None:
    with pytest.raises(BadInput) as refused:
        checked_password(bad, name="Ann")
    assert not bad or bad not in str(refused.value)


def test_the_list_is_of_passwords_that_length_lets_in() -> None:
    assert all(len(word) >= 12 and word == word.casefold() for word in COMMON)


@pytest.mark.parametrize("bad", [
    "", " ", "a b", "guest", "Console", "console:ann", "-ann", "a\nb", "a\0b", "x" * 65, "a/b", "<b>", "\u202eann", "a|b",
])
def test_names_that_cannot_be(bad: str) -> None:
    with pytest.raises(BadInput):
        checked_name(bad)


@pytest.mark.parametrize("bad", ["", "\n", "a\x1b[2Jb", "x" * 129, "a\u202eb"])
def test_printed_names_that_cannot_be(bad: str) -> None:
    with pytest.raises(BadInput):
        checked_printed_name(bad)


def test_production_hashes_by_rfc_9106() -> None:
    assert Hasher().hash("four unrelated words").startswith("$argon2id$v=19$m=65536,t=3,p=4$")


def test_two_keyboards_write_one_password() -> None:
    hasher = Hasher.for_tests()
    assert hasher.fits(hasher.hash("ﾊﾟｽﾜｰﾄﾞ検品検品検品"), "パスワード検品検品検品")
    assert not hasher.fits(None, "anything")
    assert not hasher.fits("no hash at all", "anything")


def test_guesses_a_day() -> None:
    minute, guesses = 0.0, 0
    while minute < 1440:
        guesses += 1
        minute += lock_minutes(guesses)
    assert guesses == 33


def test_the_table_of_roles_in_the_documents_is_the_one_that_holds() -> None:
    lines = (Path(__file__).parents[2] / "docs" / "security.md").read_text(encoding="utf-8").splitlines()
    assert any(line == f"| right | allows to | {' | '.join(Role)} |" for line in lines)
    for right in Right:
        (row,) = [line for line in lines if line.startswith(f"| `{right}` |")]
        ticks = [cell.strip() == "✓" for cell in row.split("|")[3:-1]]
        assert ticks == [right in RIGHTS[role] for role in Role]


def test_the_names_of_roles_at_the_command_line_are_those_of_the_contract() -> None:
    from kenpin.cli_users import RoleName

    assert [name.value for name in RoleName] == [role.value for role in Role]
