"""The command line. Each command is a module; heavy libraries are imported inside commands."""

import os

# The matrices of a search are so small that a second thread only gets in the workers' way (asks
# take twice as long). OpenBLAS reads this when numpy is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from .app import main

__all__ = ["main"]
