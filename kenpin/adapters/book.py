"""Which adapters were loaded and which one is in use, as the database has it."""

from pydantic import BaseModel, ConfigDict
from sqlalchemy import Connection, select

from kenpin.adapters.keeping import Kept
from kenpin.database.tables import installation

ROW = "adapters"


class Book(BaseModel):
    """What an administrator did with adapters."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    loaded: tuple[Kept, ...] = ()
    in_use: str | None = None
    """Name of the one that turns ask for; None is the model itself."""

    def named(self, name: str) -> Kept | None:
        """The loaded one of a name."""
        return next((one for one in self.loaded if one.name == name), None)

    @property
    def used(self) -> Kept | None:
        """The one in use."""
        return self.named(self.in_use) if self.in_use else None

    def without(self, name: str) -> "Book":
        """The same without one, which is then not in use either."""
        left = tuple(one for one in self.loaded if one.name != name)
        return Book(loaded=left, in_use=None if self.in_use == name else self.in_use)

    def with_one(self, kept: Kept) -> "Book":
        """The same with one more, in the place of one of its name."""
        left = tuple(one for one in self.loaded if one.name != kept.name)
        return Book(loaded=(*left, kept), in_use=self.in_use)


def read_book(connection: Connection) -> Book:
    """The book as it stands; an empty one if nothing was ever done."""
    body = connection.execute(select(installation.c.body).where(installation.c.name == ROW)).scalar_one_or_none()
    return Book.model_validate_json(body) if body else Book()


def write_book(connection: Connection, book: Book) -> None:
    """Put it in the place of the one before."""
    connection.execute(installation.delete().where(installation.c.name == ROW))
    connection.execute(installation.insert().values(name=ROW, body=book.model_dump_json()))
