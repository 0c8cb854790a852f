"""Review rules by product."""

from sqlalchemy import Connection, select

from kenpin.contracts.review import Rules
from kenpin.database.tables import rules as table


def rules_for(connection: Connection, product: str | None) -> Rules:
    """The rules of a product; those of "" where it has none; else the defaults."""
    names = [product or "", ""]
    rows = connection.execute(select(table.c.product, table.c.body).where(table.c.product.in_(names)))
    found = {row.product: row.body for row in rows}
    body = found.get(product or "") or found.get("")
    return Rules.model_validate_json(body) if body else Rules()


def all_rules(connection: Connection) -> tuple[Rules, ...]:
    """Every rule on record, by product."""
    rows = connection.execute(select(table.c.body).order_by(table.c.product)).scalars()
    return tuple(Rules.model_validate_json(body) for body in rows)


def put_rules(connection: Connection, rules: Rules) -> Rules | None:
    """Set a product's rules and return those that they replace, if it had any."""
    old = connection.execute(select(table.c.body).where(table.c.product == rules.product)).scalar_one_or_none()
    values = {"product": rules.product, "body": rules.model_dump_json()}
    if old is None:
        connection.execute(table.insert().values(**values))
        return None
    connection.execute(table.update().where(table.c.product == rules.product).values(**values))
    return Rules.model_validate_json(old)


def blind_products(connection: Connection) -> tuple[bool, frozenset[str]]:
    """Whether blind review is the default, and the products that have it otherwise."""
    default, others = False, set()
    stored = all_rules(connection)
    default = any(rules.blind for rules in stored if rules.product == "")
    others = {rules.product for rules in stored if rules.product and rules.blind != default}
    return default, frozenset(others)
