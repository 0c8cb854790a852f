"""Registered products as a service."""

from collections.abc import Iterable, Sequence

from kenpin.contracts.people import Actor, Right
from kenpin.contracts.product import Product
from kenpin.contracts.verdict import Criteria
from kenpin.security.uploads import Upload
from kenpin.wiring import Kenpin


class ProductService:
    """Products behind `Right.READ` and `Right.PRODUCTS`. Each change is in the audit log."""

    def __init__(self, kenpin: Kenpin) -> None:
        self._kenpin = kenpin

    def all(self, actor: Actor) -> Sequence[Product]:
        """Every product, by name.

        Raises:
            NotAllowed: The actor may not read products.
        """
        self._kenpin.people.check(actor, Right.READ)
        return self._kenpin.products.all()

    def get(self, actor: Actor, name: str) -> Product:
        """One product.

        Raises:
            NotAllowed: As `all`.
            BadInput: There is none of this name.
        """
        self._kenpin.people.check(actor, Right.READ)
        return self._kenpin.products.get(name)

    def add(
        self,
        actor: Actor,
        name: str,
        *,
        good: Iterable[Upload] = (),
        references: Iterable[Upload] = (),
        criteria: Criteria | None = None,
    ) -> Product:
        """Register a product, or add to one; see `kenpin.products.store.FileProducts.add`.

        Raises:
            NotAllowed: The actor may not change products.
            BadInput: The name or the number of samples cannot be.
        """
        self._kenpin.people.check(actor, Right.PRODUCTS)
        product = self._kenpin.products.add(name, good=good, references=references, criteria=criteria)
        samples = {"good": len(product.good), "references": len(product.references)}
        self._note(actor, "product.registered", product, **samples, revision=_revision(product))
        return product

    def remove(self, actor: Actor, name: str) -> Product:
        """Withdraw a product and return what it was; its pictures stay, since traces may need them.

        Raises:
            NotAllowed: As `add`.
            BadInput: There is none of this name.
        """
        self._kenpin.people.check(actor, Right.PRODUCTS)
        product = self._kenpin.products.get(name)
        self._note(actor, "product.removed", product)
        self._kenpin.products.remove(product.name)
        return product

    def _note(self, actor: Actor, action: str, product: Product, **detail: object) -> None:
        with self._kenpin.database.write() as connection:
            subject = f"product:{product.name}"
            self._kenpin.audit.append(connection, actor=actor.name, action=action, subject=subject, **detail)


def _revision(product: Product) -> str | None:
    return product.criteria.revision if product.criteria else None
