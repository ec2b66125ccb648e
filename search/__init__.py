"""Searches: what to try next, and what the trials say in the end. Torch-free.

* ``base``: the seam: ``Assignment``, the events, the protocol ``Search`` (``ask``, ``tell``).
* ``evolution``, ``random``, ``local_search``, ``optuna_search``, ``deap_nsga``,
  ``halving``, ``tuning``: the algorithms, each a composition of the parts below.
* ``asynchronous``: the class that most of them return; ``work``, ``scores``, ``population`` and
  ``promotion`` are what it remembers of the events.
* ``proposals``, ``tournament``, ``objectives``: where new genomes and their parents come from;
  ``measures`` and ``noise``: what machines measured of them, and how much of it is luck.
* ``breeding``: what a search needs of a space; ``species`` gives it for our genomes, ``toy`` for a
  landscape of strings; ``draws``: the random numbers of an ask; ``coding``: flat spaces, which
  other tools can search.
* ``finals``, ``intervals``: who won, and whether it beat the baselines; ``front``: what nothing
  dominates.
* ``flat``: genomes as values by name; ``optuna_study`` and ``history`` write and read them as
  studies of Optuna, ``importances`` says which of them matter.
* ``replay``: asks a log again; ``simulation``: workers in simulated time; ``contract``: the tests
  that every search passes.

``base`` is all that is imported here: ranking loads numpy, which ``--help`` has no use for.
"""

from .base import Asked, Assignment, Birth, Event, Expired, Finished, Search

__all__ = ["Asked", "Assignment", "Birth", "Event", "Expired", "Finished", "Search"]
