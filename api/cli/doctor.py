"""``jobrouter doctor``: what is not right with a store and its routers, and what to do about it."""

from __future__ import annotations

import sys
import textwrap
from itertools import zip_longest

import msgspec

from api.cli.check import store_url
from api.cli.plain import plain_json, plain_line
from api.cli.progress import progress
from api.cli.serve import run_until_told
from api.options import Options
from api.serving.settings import tenants_of
from engine.diagnosis import Finding, diagnose, worst
from engine.inspection import entities

STATUS = {"ok": 0, "warning": 1, "critical": 2}
"""Exit statuses, as Nagios and its like read them."""

_WIDTH = 100
_INDENT = " " * 10


def run(options: Options) -> int:
    """Prints the findings. Gives 0 when all is well, 1 for warnings, 2 when something is critical."""

    async def work() -> int:
        url, tenants = store_url(options), list(tenants_of(options))
        findings = []
        with progress("looking", await entities(url, tenants, whole=options.whole)) as advance:
            async for finding in diagnose(url, tenants, whole=options.whole, advance=advance):
                findings.append(finding)
        show(findings, as_json=options.json)
        return STATUS[worst(findings)]

    return run_until_told(work)


def show(findings: list[Finding], *, as_json: bool) -> None:
    """Prints findings, with what is to be done about several in a row once, behind them."""
    status = worst(findings)
    if as_json:
        print(plain_json(msgspec.json.encode({"status": status, "findings": findings}).decode()))
        return
    for finding, following in zip_longest(findings, findings[1:]):
        is_last = following is None or following.todo != finding.todo
        print(*lines(finding, todo=is_last), sep="\n")
    numbers = {level: sum(one.level == level for one in findings) for level in STATUS}
    warnings = "1 warning" if numbers["warning"] == 1 else f"{numbers['warning']} warnings"
    print(f"{status}: {numbers['critical']} critical, {warnings}", file=sys.stderr)


def lines(finding: Finding, *, todo: bool = True) -> list[str]:
    """A finding as text, with what is to be done unless ``todo`` is false."""
    where = f"{finding.router}: " if finding.router else ""
    told = finding.text if finding.times == 1 else f"{finding.text[:-1]} ({finding.times} times)."
    head = f"{finding.level:<{len(_INDENT)}}"
    text = textwrap.wrap(
        plain_line(where + told),
        _WIDTH,
        initial_indent=head,
        subsequent_indent=_INDENT,
        break_on_hyphens=False,
    )
    what_to_do = textwrap.wrap(
        plain_line(finding.todo if todo else ""),
        _WIDTH,
        initial_indent=f"{_INDENT}→ ",
        subsequent_indent=f"{_INDENT}  ",
        break_on_hyphens=False,
    )
    return text + what_to_do
