"""Names and passwords: how they are written, which are let in, and how a password is kept."""

import re
import secrets
import unicodedata
from functools import cached_property
from threading import BoundedSemaphore

import argon2
from argon2.exceptions import InvalidHashError, VerificationError

from kenpin.contracts.errors import BadInput

LEAST_PASSWORD = 12
"""Characters. NIST SP 800-63B asks for 8 at least and advises 15 where nothing else is asked for; attempts are limited
here, and no rule of composition pushes people to `Password1!`."""
MOST_PASSWORD = 256
MOST_NAME = 64
AT_ONCE = 4
"""Passwords hashed at a time: each takes 64 MiB, so that a flood of sign-ins cannot take the machine's memory."""
RESERVED = frozenset({"guest", "console", "kenpin", "system", "unknown", "nobody"})
"""Names that stand for something else in records."""
NAME = re.compile(r"[\w][\w.@+-]*")
COMMON = frozenset(
    """
    123456789012 1234567890123 12345678901234 123123123123 123456123456 112233445566 987654321098 000000000000
    1q2w3e4r5t6y 1qaz2wsx3edc 1qazxsw23edc 1qaz2wsx3edc4rfv q1w2e3r4t5y6 zaq12wsxcde3 zaq1xsw2cde3 qazwsxedcrfv
    qwerty123456 qwertyuiop12 qwertyuiop123 qwertyuiopasdf qwertyqwerty qwertyuiop[] asdfghjkl123 asdfghjklzxc
    abcdefghijkl abcd12345678 abc123abc123 a1b2c3d4e5f6 1234567890ab 1234567890qw 123456qwerty
    password1234 password12345 password123456 password123! password1234! passwordpassword password2024 password2025
    password2026 p@ssw0rd1234 p@ssword1234 passw0rd1234 mypassword123 newpassword1 changeme1234 changemenow1
    changepassword letmein12345 letmeinletmein welcome12345 welcome123456 iloveyou1234 iloveyouiloveyou
    administrator administrator1 admin1234567 admin12345678 adminadminadmin rootrootroot testtesttest test12345678
    monkey123456 dragon123456 superman1234 football1234 baseball1234 sunshine1234 princess1234 trustno1trustno1
    correcthorsebatterystaple thequickbrownfox
    inspection12 inspection123 inspector123 inspector1234 kenpinkenpin kenpin123456 qualitycontrol quality12345
    """.split()
) | {"correct horse battery staple"}
"""Common ones of the length that is let in, from the tops of published lists, and this product's own words."""
RUNS = ("abcdefghijklmnopqrstuvwxyz", "01234567890123456789", "qwertyuiopasdfghjklzxcvbnm")


class Hasher:
    """Keeps passwords as argon2id hashes (RFC 9106, second recommended choice: 64 MiB, 3 passes, 4 lanes)."""

    def __init__(self, argon: argon2.PasswordHasher | None = None) -> None:
        self._argon = argon or argon2.PasswordHasher.from_parameters(argon2.profiles.RFC_9106_LOW_MEMORY)
        self._room = BoundedSemaphore(AT_ONCE)

    @classmethod
    def for_tests(cls) -> "Hasher":
        """Quick and weak: the smallest that argon2 takes. Never used unless it is handed in."""
        return cls(argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))

    def hash(self, password: str) -> str:
        """The hash to store, with its salt and parameters."""
        with self._room:
            return self._argon.hash(_plain(password))

    def fits(self, stored: str | None, password: str) -> bool:
        """Whether a password is the stored one. Without a stored one it takes as long, and it is not."""
        decoy = self._decoy
        with self._room:
            try:
                self._argon.verify(stored or decoy, _plain(password))
            except (VerificationError, InvalidHashError):
                return False
        return stored is not None

    def outdated(self, stored: str) -> bool:
        """Whether a hash was made with other parameters than today's."""
        return self._argon.check_needs_rehash(stored)

    @cached_property
    def _decoy(self) -> str:
        return self.hash(secrets.token_urlsafe(16))


def normal_name(name: str) -> str:
    """A name as it is stored and compared: NFKC, without regard to upper and lower case.

    What no database takes (NUL, lone surrogates) becomes `?`, which is in no name.
    """
    return _plain(_plain(name).replace("\0", "?").strip().casefold())


def checked_name(name: str) -> str:
    """A name for a new account.

    Raises:
        BadInput: It cannot be one.
    """
    normal = normal_name(name)
    if len(normal) > MOST_NAME or not NAME.fullmatch(normal):
        raise BadInput(f"a name is 1 to {MOST_NAME} letters, digits and . _ @ + -, beginning with a letter or digit")
    if normal in RESERVED:
        raise BadInput(f"the name {normal} stands for something else in records; choose another")
    return normal


def checked_printed_name(printed: str) -> str:
    """A person's name as printed.

    Raises:
        BadInput: It is empty, too long, or holds line breaks or control characters.
    """
    plain = " ".join(unicodedata.normalize("NFC", printed).split())
    if not plain or len(plain) > MOST_NAME * 2 or any(unicodedata.category(c) in {"Cc", "Cf", "Cs"} for c in plain):
        raise BadInput(f"a printed name is one line of 1 to {MOST_NAME * 2} characters")
    return plain


def checked_password(password: str, *, name: str) -> str:
    """A password that may be set.

    Source: NIST SP 800-63B, 5.1.1.2: length, a list of those that are expected, no rules of composition.

    Raises:
        BadInput: It may not.
    """
    plain = _plain(password)
    if len(plain) < LEAST_PASSWORD:
        raise BadInput(f"the password has {len(plain)} characters; at least {LEAST_PASSWORD} are needed, spaces count")
    if len(plain) > MOST_PASSWORD:
        raise BadInput(f"the password is longer than {MOST_PASSWORD} characters")
    folded = plain.casefold()
    stems = {normal_name(name), normal_name(name)[::-1], "kenpin"}
    if any(stem and not folded.replace(stem, "").strip("0123456789!?._- ") for stem in stems):
        raise BadInput("the password is the name or little more; choose another, for example four unrelated words")
    if folded in COMMON or _repeats(folded) or _runs(folded):
        raise BadInput("the password is one that is tried first; choose another, for example four unrelated words")
    return plain


def _plain(password: str) -> str:
    """NFKC, as NIST SP 800-63B asks, so that two keyboards write the same password. Lone surrogates are no text."""
    return unicodedata.normalize("NFKC", password).encode("utf-8", "replace").decode()


def _repeats(text: str) -> bool:
    return any(text == (text[:n] * len(text))[: len(text)] for n in range(1, 5))


def _runs(text: str) -> bool:
    return any(text in way * 2 for run in RUNS for way in (run, run[::-1]))
