"""A progress bar on stderr, while somebody looks: on a terminal alone."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def progress(text: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar of so many steps, by which what is done advances; a total of 0 is not known yet."""
    if not sys.stderr.isatty():
        yield lambda steps: None
        return
    # only what is wanted is imported
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(text, total=total or None)
        yield lambda steps: bar.advance(task, steps)
