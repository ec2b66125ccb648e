"""What ``doctor`` looks at: each check is a function that returns a state, a text and a fix."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from .conditions import bytes_text
from .errors import CliError
from .resources import usable_cores, usable_memory
from .settings import RunSettings, layered, memory_of

GIB = 1 << 30
LEAST_MEMORY, LEAST_DISK = 2 * GIB, 1 * GIB
"""A worker of the default run takes less than 1 GiB; a run keeps some 100 MB."""

PYTHON = (3, 11)

DRIVERS = Path("/dev")
"""Where a driver of NVIDIA puts its GPUs, whether torch can use them or not."""


@dataclass(frozen=True)
class Check:
    """What was found; ``fix`` is empty where it is ok."""

    name: str
    state: Literal["ok", "warn", "skip", "fail"]
    text: str
    fix: str = ""


def checks(store: str | None) -> Iterator[Check]:
    """Yield the checks, given the ``--store`` of the command line."""
    for check in (python, torch_here, cores, memory, battery, catalog_here):
        yield safe(check.__name__.removesuffix("_here"), check)
    try:
        settings = layered({"store": store}).settings
    except CliError as error:
        yield Check("settings", "fail", f"{error.what}: {error.why}", error.cure)
    else:
        yield safe("limit", lambda: limit(settings))
        yield safe("disk", lambda: disk(settings.store))
        yield safe("folder", lambda: folder(settings.store))
        yield safe("store", lambda: store_here(settings.store))
    yield safe("corpus", corpus)
    yield safe("identity", identity)
    yield extra("png", "kaleido", "reports have no PNG files")
    yield extra("postgres", "psycopg", "stores on PostgreSQL are not there")


def python() -> Check:
    """Look at the interpreter."""
    version = platform.python_version()
    if sys.version_info < PYTHON:
        return Check("python", "fail", version, "install Python 3.11 or later")
    return Check("python", "ok", version)


def torch_here() -> Check:
    """Look at torch and its devices."""
    import torch

    version = torch.__version__
    if not torch.cuda.is_available():
        if any(DRIVERS.glob("nvidia[0-9]*")):
            what = f"{version} sees no GPU, but this machine has one of NVIDIA"
            return Check("torch", "warn", what, "install torch for CUDA: https://pytorch.org")
        return Check("torch", "ok", f"{version}, no GPU: searches will be small")
    return Check("torch", "ok", f"{version}, {', '.join(_gpus())}")


def _gpus() -> Iterator[str]:
    """Yield number, name and memory of each GPU."""
    import torch

    memory_of_gpu = cast("Callable[[int], tuple[int, int]]", torch.cuda.mem_get_info)
    for number in range(torch.cuda.device_count()):
        free, total = memory_of_gpu(number)
        name = torch.cuda.get_device_name(number)
        yield f"GPU {number}: {name}, {free / GIB:.1f} of {total / GIB:.1f} GiB free"


def cores() -> Check:
    """Look at the cores that this process may use."""
    count = usable_cores()
    text = f"{count} of {os.cpu_count()} for this process, one worker each"
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    if load > 2 * count:
        return Check("cores", "warn", f"{text}; load {load:.1f}", "end what else uses the machine")
    return Check("cores", "ok", text)


def memory() -> Check:
    """Look at the memory that is free."""
    import psutil

    found = psutil.virtual_memory()
    text = f"{found.available / GIB:.1f} of {found.total / GIB:.1f} GiB free"
    if found.available < LEAST_MEMORY:
        return Check("memory", "warn", text, "close programs, or give fewer --workers")
    return Check("memory", "ok", text)


def battery() -> Check:
    """Look at the plug: ``peer`` does not work without one unless told to."""
    from .machine import battery

    found = battery()
    if found is None:
        return Check("battery", "ok", "none is seen")
    on_battery, charge = found
    if on_battery:
        text = f"no plug, {charge:.0f} % left: peer pauses"
        return Check("battery", "warn", text, "plug it in, or give --on-battery yes")
    return Check("battery", "ok", f"plugged in, {charge:.0f} %")


def limit(settings: RunSettings) -> Check:
    """Look whether all workers together may take more memory than this process can have.

    A worker measures its memory and ends an evaluation that is above; what it cannot measure, or
    takes between two looks, only the system stops, by the limit of the machine or the container.
    """
    import psutil

    workers, most = settings.workers or usable_cores(), usable_memory()
    each = memory_of(settings.memory_limit, most // workers)
    held = psutil.Process().memory_info().rss  # a system that cannot say so is a finding
    text = f"{workers} x {bytes_text(each)} for workers of {bytes_text(most)}, measured by each"
    if workers * each + held > most:
        return Check("limit", "warn", text, "give fewer --workers, or --memory-limit MAX/2")
    return Check("limit", "ok", text)


def catalog_here() -> Check:
    """Look at the blocks, those of other distributions among them."""
    from ..blocks.registry import OWN, installed

    found = list(installed())
    return Check("catalog", "ok", f"{len(found)} entries, {len(found) - len(OWN)} of others")


def disk(url: str) -> Check:
    """Look at the space where runs are kept."""
    from .places import run_folder

    place = run_folder(url, "any").parent.absolute()
    place = next(each for each in (place, *place.parents) if each.is_dir())
    free = shutil.disk_usage(place).free
    text = f"{free / GIB:.1f} GiB free at {place}"
    if free < LEAST_DISK:
        return Check("disk", "warn", text, "remove a run: praxis-evolve runs rm NAME")
    return Check("disk", "ok", text)


def folder(url: str) -> Check:
    """Write a file where the folders of runs are, and remove it."""
    from .places import run_folder

    place = run_folder(url, "any").parent.absolute()
    place = next(each for each in (place, *place.parents) if each.exists())
    try:
        with tempfile.TemporaryFile(dir=place) as file:
            file.write(bytes(1 << 16))
    except OSError as error:
        text = f"{place} cannot be written to: {error.strerror or error}"
        return Check(
            "folder", "fail", text, "name a store elsewhere: --store sqlite:///PATH/name.db"
        )
    return Check("folder", "ok", f"{place} can be written to")


def store_here(url: str) -> Check:
    """Open the store, if there is one, and write nothing into it under a lock.

    Raises:
        StoreError: it cannot be used.
    """
    from ..market.store import Store, address_of
    from ..market.tables import SCHEMA

    address = address_of(url)
    file = Path(address.database or "")
    local = address.get_backend_name() == "sqlite" and bool(address.database)
    if local and not file.exists():
        return _no_store(file)
    opened = Store.open(url, create=False)
    try:
        with opened.writing() as connection:
            dialect = connection.dialect
            version = ".".join(map(str, dialect.server_version_info or ()))
            mode = (
                "sqlite" in dialect.name
                and connection.exec_driver_sql("PRAGMA journal_mode").scalar()
            )
    finally:
        opened.close()
    log = {"wal": ", write-ahead log"}.get(str(mode), "")
    text = f"{dialect.name} {version}{log}, schema {SCHEMA}, writable"
    if mode and mode != "wal":
        return Check("store", "warn", text, "move the store to a local disk")
    return Check("store", "ok", text)


def corpus() -> Check:
    """Look for the text that needs no download."""
    from ..evaluator.task import TaskError, embedded_task

    try:
        task = embedded_task()
    except TaskError:
        return Check(
            "corpus", "warn", "this Python came without its library's source", "give --text FILE"
        )
    return Check("corpus", "ok", f"{task.name}, {len(task.text) / 1e6:.1f} MB")


def identity() -> Check:
    """Look at the key that signs results, without making one."""
    from ..market.errors import IdentityError
    from ..market.identity_key import Identity, default_path

    path = default_path()
    if not path.exists():
        return Check("identity", "skip", f"none at {path} yet", "the first run makes it")
    try:
        author = Identity.load_or_create(path).author
    except IdentityError as error:
        mode = stat.S_IMODE(path.stat().st_mode)
        fix = f"chmod 600 {path}" if mode & 0o077 else "move the file away to get a new identity"
        return Check("identity", "fail", str(error).partition(":")[0], fix)
    return Check("identity", "ok", f"{author[:12]}, readable by its owner alone")


def extra(name: str, module: str, without: str) -> Check:
    """Look for an extra."""
    if importlib.util.find_spec(module) is not None:
        return Check(name, "ok", module)
    return Check(name, "skip", f"no {module}: {without}", f'pip install "praxis-evolve[{name}]"')


def _no_store(file: Path) -> Check:
    place = next(each for each in file.absolute().parents if each.exists())
    if place.is_dir() and os.access(place, os.W_OK):
        return Check("store", "ok", f"none yet; the first run makes {file}")
    what = "is not writable" if place.is_dir() else "is a file"
    return Check("store", "fail", f"{file} cannot be made: {place} {what}", "name another --store")


def safe(name: str, check: Callable[[], Check]) -> Check:
    """Return what *check* finds; what it raises is a finding, too."""
    from ..market.errors import StoreError

    try:
        return check()
    except StoreError as error:
        what, _, fix = str(error).rpartition("; ")
        return Check(name, "fail", what or str(error), fix if what else "check the URL")
    except Exception as error:
        what = " ".join(f"{type(error).__name__}: {error}".split())
        return Check(name, "fail", what, "install praxis-evolve again")
