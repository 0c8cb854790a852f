"""Everything that a person can do, each action with the actor first. Pages and commands call these and no store."""

from dataclasses import dataclass
from functools import cached_property

from kenpin.adapter_service import AdapterService
from kenpin.asking import Asking
from kenpin.case_service import CaseService
from kenpin.contracts.people import Actor, Right
from kenpin.contracts.ports import PictureStore, ProductStore
from kenpin.product_service import ProductService
from kenpin.retention_service import Retention
from kenpin.review.service import Reviews
from kenpin.security.audit_desk import AuditDesk
from kenpin.security.people import People
from kenpin.security.rotation import Rotated, rotate
from kenpin.tuning_service import Tuning
from kenpin.wiring import Kenpin


@dataclass(frozen=True)
class Services:
    """The services of one installation, each made when it is first asked for."""

    kenpin: Kenpin

    @cached_property
    def asking(self) -> Asking:
        """Start inspections, say something, read traces."""
        return Asking(self.kenpin)

    @cached_property
    def cases(self) -> CaseService:
        """Past cases."""
        return CaseService(self.kenpin)

    @cached_property
    def products(self) -> ProductService:
        """Registered products."""
        return ProductService(self.kenpin)

    def shelf(self, actor: Actor) -> tuple[ProductStore, PictureStore]:
        """Registered products and their pictures, to read material from.

        Raises:
            NotAllowed: The actor may not read products.
        """
        self.kenpin.people.check(actor, Right.READ)
        return self.kenpin.products, self.kenpin.pictures

    @property
    def reviews(self) -> Reviews:
        """The queue, decisions and signatures."""
        return self.kenpin.reviews

    @property
    def people(self) -> People:
        """Accounts and sessions."""
        return self.kenpin.people

    def rotate_keys(self, actor: Actor) -> Rotated:
        """Change the master key and wrap every data key anew.

        Raises:
            NotAllowed: The actor may not change keys.
            BadInput: As `kenpin.security.rotation.rotate`.
            KeyRefused: As `kenpin.security.rotation.rotate`.
        """
        self.kenpin.people.check(actor, Right.KEYS)
        return rotate(self.kenpin.database, self.kenpin.key_source, self.kenpin.audit, actor=actor.name)

    def seal_plain(self, actor: Actor) -> tuple[int, int, list[str]]:
        """Seal the pictures and the checkpoints that an earlier Kenpin left plain.

        Returns:
            How many of each there were, and what is wrong with pictures that stay as they are, a line each.
        Raises:
            NotAllowed: The actor may not change keys.
        """
        self.kenpin.people.check(actor, Right.KEYS)
        pictures, checkpoints, wrong = self.kenpin.seal_plain()
        if pictures or checkpoints:
            with self.kenpin.database.write() as connection:
                counts = {"pictures": pictures, "checkpoints": checkpoints}
                self.kenpin.audit.append(
                    connection, actor=actor.name, action="keys.sealed_plain", subject="keys", **counts
                )
        return pictures, checkpoints, wrong

    @cached_property
    def retention(self) -> Retention:
        """Deletion by rule."""
        return Retention(self.kenpin)

    @cached_property
    def tuning(self) -> Tuning:
        """Training material from signed work."""
        return Tuning(self.kenpin)

    @cached_property
    def adapters(self) -> AdapterService:
        """LoRA adapters of the model server."""
        return AdapterService(self.kenpin)

    @cached_property
    def audit(self) -> AuditDesk:
        """The audit log."""
        return AuditDesk(self.kenpin.people, self.kenpin.audit)
