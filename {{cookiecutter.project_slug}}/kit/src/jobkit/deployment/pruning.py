"""What a ledger forgets: instances that have been over for long, and what only they needed."""

from __future__ import annotations

import sqlalchemy as sql

from . import schema
from .instance import OVER
from .schema import artefacts, instances, operations

_MILLISECONDS_TO_WAIT = 3_600_000
"""How long an artefact is kept for an instance that does not come."""


def prune(connection: sql.Connection, deployment: str, kept: int) -> None:
    """Remove, in a transaction, the oldest instances of a deployment that are over, with artefacts and operations.

    An instance stays while one that is not over has taken over from it: that is what a rollback goes back to.

    Args:
        connection: Of the transaction; it has `instances` for itself.
        deployment: Whose.
        kept: How many of those that are over stay.
    """
    this = instances.c.deployment == deployment
    over = connection.scalars(
        sql.select(instances.c.uid).where(this, instances.c.status.in_(OVER)).order_by(instances.c.number.desc())
    ).all()
    needed = set(connection.scalars(sql.select(instances.c.previous).where(instances.c.status.not_in(OVER))))
    gone = [uid for uid in over[kept:] if uid not in needed]
    if gone:
        connection.execute(sql.delete(instances).where(instances.c.uid.in_(gone)))
    oldest = sql.select(sql.func.min(instances.c.created)).where(this).scalar_subquery()
    connection.execute(sql.delete(operations).where(operations.c.deployment == deployment, operations.c.ended < oldest))
    is_referred_to = sql.exists().where(instances.c.artefact == artefacts.c.sha256)
    since = artefacts.c.waiting_since
    waits = since.is_not(None) & (since >= schema.clock(connection) - _MILLISECONDS_TO_WAIT)
    connection.execute(sql.delete(artefacts).where(~is_referred_to, ~waits))
