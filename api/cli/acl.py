"""``jobrouter acl``: the users of the store and what each may do."""

from __future__ import annotations

import sys

from api.options import Options
from api.serving.access_keys import BadOption
from engine.grants import ROUTER, USERS, lines


def run(options: Options) -> int:
    """Prints the lines of an ACL file. Gives 0. Raises BadOption."""
    users = [name.strip() for name in options.users.split(",") if name.strip()] or list(ROUTER)
    _verify(users)
    passwords = _passwords(options.passwords)
    for line in lines(options.server_version, users, passwords, options.database):
        print(line)
    if missing := ", ".join(name for name in users if name not in passwords):
        print(
            f"jobrouter: no password was given for {missing} (--passwords, JOBROUTER_PASSWORDS): "
            "no server takes these lines as they are",
            file=sys.stderr,
        )
    return 0


def _verify(users: list[str]) -> None:
    for name in users:
        if name not in USERS:
            raise BadOption(f"There is no user '{name}': the users are {', '.join(USERS)}.")


def _passwords(text: str) -> dict[str, str]:
    """Passwords by user. What is wrong is told without them."""
    pairs = [entry.partition("=") for entry in text.split(";") if entry.strip()]
    passwords = {name.strip(): password for name, _, password in pairs}
    if not all(passwords.values()) or len(passwords) < len(pairs):
        raise BadOption("--passwords (or JOBROUTER_PASSWORDS) must be '<user>=<password>;<user>=<password>'.")
    if unknown := [name for name in passwords if name not in USERS]:
        raise BadOption(f"{len(unknown)} of the --passwords are of no user: these are {', '.join(USERS)}.")
    return passwords
