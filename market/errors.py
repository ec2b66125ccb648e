"""The errors of the market: each text says the rule, the value, the thing and the cure."""

from __future__ import annotations


class StoreError(Exception):
    """A store cannot be used: unreachable, unreadable, corrupt, too new, or in use by another."""


class LeaseHeldError(StoreError):
    """Another process drives the run."""


class LeaseLostError(StoreError):
    """This process drove the run, but another has taken over since."""


class NotFoundError(LookupError):
    """A store has no run or genome of that name, or more than one."""


class RecordError(ValueError):
    """A record is not what the rules of the market allow."""


class IdentityError(Exception):
    """An identity file cannot be used."""


class BehindError(Exception):
    """A log has lines that whoever asked had not been told of."""
