"""One call of ``run``: from settings to the last line."""

from __future__ import annotations

import logging
import signal
import sys
import time
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import typer

from ..reports.quantities import amount, duration
from .errors import CliError, Code
from .output import answer, answer_table, is_live, notice
from .places import short

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

    from ..blocks.registry import Catalog
    from ..market.worker import Worked
    from ..search.base import Able
    from .clock import Clock
    from .context import Opened
    from .launch import Launch
    from .node import Node
    from .settings import RunSettings


@dataclass(frozen=True)
class How:
    """How a run is shown; ``fleet`` is to machines that nobody looks at."""

    json: bool
    quiet: bool
    report: bool
    fleet: bool = False


class Company(Protocol):
    """How a run comes together with those of others."""

    def __call__(self, name: str) -> AbstractContextManager[Node]:
        """Return what gives the node of the run of that name, which is in the store."""
        ...


class Session:
    """One call of ``run``: from settings to the last line.

    Args:
        settings: what is asked for.
        how: how it is shown.
        company: where others take part.
        again: the command that goes on with a run, but for its name, which comes last.
    """

    def __init__(
        self,
        settings: RunSettings,
        how: How,
        *,
        company: Company | None = None,
        again: str = "run --resume",
    ) -> None:
        self.settings = settings
        self.how = how
        self.company = company
        self.again = again

    def start(self, *, prefix: str | None = None) -> None:
        """Start a new run of what the settings say."""
        from .launch import launch

        self.begin(launch(self.settings, searchable()), prefix=prefix)

    def begin(self, planned: Launch, *, prefix: str | None = None) -> None:
        """Start a new run."""
        from ..evaluator.task import save_task
        from ..market.ledger import Ledger
        from .places import new_name, run_folder, task_file

        with Ledger.open(self.settings.store) as ledger:
            taken = {run.name for run in ledger.runs()}
            name = self.settings.name or (prefix if prefix not in taken else None)
            name = name or new_name(taken)
            folder = run_folder(self.settings.store, name)
            ledger.create_run(name, planned.manifest.to_dict())
            _prepare(folder)
            save_task(planned.task, task_file(folder))
            (folder / "command.txt").write_text(f"{_command_line()}\n")
            self._announce(name, planned.manifest, planned.device, planned.workers, planned.seconds)
            for note in planned.notes if not self.how.quiet else ():
                notice(f"limits      {note}")
        self._drive(name, device=planned.device, workers=planned.workers)

    def resume(self, name: str) -> None:
        """Go on with a run."""
        from ..blocks.registry import installed
        from ..evaluator.preset import PRESETS, estimated_seconds
        from .context import opened
        from .launch import device_of, require_text, stage_tokens
        from .resources import workers_of

        with opened(self.settings.store, name) as found:
            manifest, done = found.manifest, found.plan.search.done
            manifest.require_same_blocks(installed(), found.plan.joined)
            closed = found.plan.evolution.done or manifest.original
            if self.company is not None:
                _refuse_grown(found)
            joining = {} if closed or self.company is not None else _joining(found)
            results = len(found.plan.results)
            require_text(found.folder, name)
            trained = sum(result.rung for result in found.plan.results)
            known = found.plan.reach.able if done else None
        device = device_of(self.settings.device)
        workers = workers_of(self.settings, device)
        if done:
            notice(f"run {name} is through: {results} results")
        else:
            tokens = max(0, sum(stage_tokens(manifest).values()) - trained)
            seconds = estimated_seconds(tokens, of=PRESETS[manifest.preset], workers=workers)
            self._announce(name, manifest, device, workers, seconds)
            if results or self.company is None:
                notice(f"resume      {results} results are kept; what was in flight is asked again")
        if joining:
            notice(f"new blocks  {', '.join(joining)}: each is tried first")
        self._drive(name, device=device, workers=workers, joining=joining, known=known)

    def _announce(
        self, name: str, manifest: Any, device: str, workers: int, seconds: float
    ) -> None:
        from .view import facts

        if self.how.quiet or self.how.json:
            return
        notice(f"praxis-evolve {manifest.program}   run {name}   store {shown(self.settings)}")
        for label, value in facts(manifest).items():
            if label != "program":
                notice(f"{label:<11} {value}")
        notice(f"device      {device}, {workers} worker{'s' if workers > 1 else ''}")
        notice(f"time        about {duration(seconds)} where nobody else uses the machine")

    def _drive(
        self, name: str, *, device: str, workers: int, joining: Mapping[str, str] | None = None,
        known: Able | None = None,
    ) -> None:  # fmt: skip
        """Work on a run; *known* is what the machine can do, where that needs no proof."""
        from ..blocks.registry import installed
        from ..evaluator.pool import ProcessPool
        from ..market.drive import drive, nobody, nothing
        from ..market.fetching import fetching
        from ..market.identity_key import Identity
        from ..market.ledger import Ledger
        from ..market.manifest import Manifest
        from ..market.plan import Plan
        from ..search.base import UNLIMITED
        from ..search.garbage import collect_seldom
        from .able import Machine, able
        from .attend import attended, terms_json
        from .flying import Flying
        from .launch import setup_of
        from .places import run_folder
        from .progress import Watching, restored
        from .resources import gpus_of, with_bytes
        from .settings import parse_amount

        identity = Identity.load_or_create()
        folder = run_folder(self.settings.store, name)
        _prepare(folder)
        with (
            nullcontext() if self.company is None else self.company(name) as node,
            Ledger.open(self.settings.store, create=False) as ledger,
        ):
            manifest = Manifest.from_dict(ledger.manifest(name))
            plan = Plan(manifest, installed())
            settings = with_bytes(self.settings, device, workers)
            memory = parse_amount(settings.memory_limit)
            devices = gpus_of(settings, device)
            found = known or UNLIMITED
            if node is not None and known is None:
                found = able(plan, Machine(device, workers, memory, devices), self.how)
            status = restored(manifest, ledger.events(name))
            status.node = node
            status.terms = terms_json(settings, workers, devices if device != "cpu" else ())
            display = _display(self.how, status)
            setup = setup_of(manifest, folder, device=device, memory_bytes=memory)
            with attended(settings, folder, status, display, keys=has_keys(self.how)) as clock:
                with ProcessPool[str](
                    setup, plan.catalog, workers=workers, devices=devices
                ) as processes:
                    pool = (
                        processes
                        if node is None
                        else fetching(processes, setup, plan, node.fetches)
                    )
                    collect_seldom()
                    watcher = Watching(status, display, clock.count, clock.begin)
                    flying = None if node is None else Flying(watcher, node, plan.identify)
                    display.start()
                    try:
                        worked = drive(
                            ledger,
                            name,
                            plan,
                            identity=identity,
                            pool=pool,
                            watcher=flying or watcher,
                            wish=clock.wish,
                            now=time.time,
                            joining=joining or {},
                            others=flying.others if flying else nobody,
                            committed=flying.committed if flying else nothing,
                            able=found,
                        )
                    finally:
                        display.stop()
                        pool.close()
                if node is not None:
                    own = ledger.counts(name).get(identity.author, 0)
                    node.settle(own, clock.stops)
                    node.tell_end(own, worked.seconds)
        self._finish(name, clock, worked)

    def _finish(self, name: str, clock: Clock, worked: Worked) -> None:
        from ..market.worker import Wish
        from .context import opened
        from .report import write_report
        from .view import winner_of

        with opened(self.settings.store, name) as found:
            done, best = found.plan.search.done, winner_of(found)
            limited = found.plan.reach.limited
            limits = ", ".join(found.manifest.measured_limits)
            wanted = self.how.report and worked.wish is not Wish.STOP and found.plan.results
            page = write_report(found, None) if wanted else None
            say = _say_json if self.how.json else _say
            say(found, worked, page, quiet=self.how.quiet)
        unfit = not done and limited and worked.wish is Wish.WORK
        if unfit:
            notice("left        what is left of the run does not fit this machine")
        if not done:
            (notice if self.how.json else answer)(f"continue: praxis-evolve {self.again} {name}")
        elif best is not None and not self.how.json:
            answer(f'next    praxis-evolve sample g-{best[:6]} "import " --run {name}')
        if clock.ended is not None:
            raise CliError(
                f"run {name} ended here: {clock.ended.why}",
                why="everything finished is stored, and no checkpoint is left to remove",
                cure="allow more by --disk, remove another run (praxis-evolve runs rm NAME), or "
                "leave --disk away",
                code=Code.STORE,
            )
        if clock.signal is not None:
            stopped = Code.TERMINATED if clock.signal == signal.SIGTERM else Code.INTERRUPTED
            raise typer.Exit(stopped)
        if done and best is None:
            raise CliError(
                "no genome of the run is valid",
                why=f"it failed, or was measured above the limit of {limits}" if limits else "",
                cure=f"praxis-evolve status --run {name}",
                code=Code.NO_GENOME,
            )
        if self.how.fleet and (done or unfit):
            raise typer.Exit(Code.NOTHING_LEFT)


def searchable() -> Catalog:
    """Return what is installed and may be searched; say what is left out, and what to do."""
    from ..blocks.registry import installed
    from .verdicts import admitted

    catalog, refused = admitted(installed())
    for name, standing in refused.items():
        notice(f"left out    {name}: {standing}; praxis-evolve catalog check {name}")
    return catalog


def _joining(found: Opened) -> dict[str, str]:
    """Return the blocks that a run does not know yet, with version and source."""
    known = {*found.manifest.blocks, *found.plan.joined}
    sources = searchable().sources
    return {name: source for name, source in sources.items() if name not in known}


def _refuse_grown(found: Opened) -> None:
    """Refuse to share a run with blocks that its manifest, all that others have, does not name."""
    if found.plan.joined:
        raise CliError(
            f"run {found.name!r} cannot be shared with others",
            why=f"the blocks {', '.join(found.plan.joined)} joined it after its start, and others "
            "know only those of its start",
            cure="start a new run with --listen, which has all blocks that are installed",
            code=Code.STORE,
        )


def _say(found: Opened, worked: Worked, page: Path | None, *, quiet: bool) -> None:
    """Print how a call ended: the finals, the verdict, the page."""
    from .tune import gene_rows
    from .view import finals, verdict, volume_of, volume_text, winner_of

    if not quiet:
        share = worked.engine_seconds / worked.seconds if worked.seconds else 0.0
        notice(
            f"engine      {worked.engine_seconds:.1f} s of {duration(worked.seconds)} ({share:.1%})"
        )
    if several := finals(found):
        answer_table(FINALS, [final_row(final) for final in several])
    answer(verdict(found)[1])
    if volume := volume_of(found):
        answer(f"front   {volume_text(volume)}")
    if found.plan.original is not None and (best := winner_of(found)):
        answer_table(("gene", "original>", f"{short(best)}>"), gene_rows(found, best))
    if page:
        answer(f"report  {page}")


def _say_json(found: Opened, worked: Worked, page: Path | None, *, quiet: bool) -> None:
    """Print how a call ended as one event."""
    from .output import event_json
    from .tune import training_json
    from .view import comparisons, verdict, volume_of, winner_of

    volume = volume_of(found)
    outcome, sentence = verdict(found)
    event_json(
        "run/1", worked.seconds, "end", run=found.name, finished=found.plan.search.done,
        winner=winner_of(found), outcome=outcome, verdict=sentence,
        report=str(page) if page else None, engine_seconds=round(worked.engine_seconds, 3),
        hypervolume=volume and volume.value,
        comparisons=[
            {"baseline": c.baseline, "change": c.change, "verdict": c.verdict}
            for c in comparisons(found)
        ],
        **training_json(found),
    )  # fmt: skip


FINALS = ("who", "test bits/byte>", "parameters>", "FLOPs/token>", "tokens/s>", "seeds>")


def final_row(final: Any) -> list[str]:
    """Return the cells of a finalist or baseline under ``FINALS``."""
    return [
        final.label,
        f"{final.mean:.3f} ± {final.half_interval:.3f}",
        amount(final.parameters),
        amount(final.flops),
        amount(final.tokens_per_second),
        str(len(final.test)),
    ]


def _display(how: How, status: Any) -> Any:
    from .display import JsonLines, Lines, Quiet, Screen
    from .keys import HELP

    if how.json:
        return JsonLines(status)
    if how.quiet:
        return Quiet()
    return Screen(status, HELP) if has_keys(how) else Lines(status)


def has_keys(how: How) -> bool:
    """Whether a display that moves is shown, and keys are taken."""
    return is_live() and not (how.json or how.quiet or how.fleet)


def _prepare(folder: Path) -> None:
    from ..evaluator.job import WEIGHTS

    try:
        (folder / WEIGHTS).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CliError(
            f"the folder {folder} of the run cannot be made",
            why=str(error.strerror),
            cure="name a store in a folder that you may write to: --store sqlite:///PATH/name.db",
            code=Code.STORE,
        ) from error
    log = logging.FileHandler(folder / "run.log", delay=True)
    log.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.getLogger("praxis_evolve").addHandler(log)


def _command_line() -> str:
    import shlex

    return shlex.join(["praxis-evolve", *sys.argv[1:]])


def shown(settings: RunSettings) -> str:
    """Return the store as it may be printed."""
    from sqlalchemy import make_url

    return make_url(settings.store).render_as_string(hide_password=True)
