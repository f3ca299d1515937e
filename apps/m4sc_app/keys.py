"""`m4sc keys`: keys that hide what is for one user alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

keys_app = typer.Typer(no_args_is_help=True, help="Make, list and remove users' keys.")
DEFAULT_FILE = Path("keys.json")
File = Annotated[Path, typer.Option("--file", help="File of the keys; only its owner may read it.")]
User = Annotated[int, typer.Argument(help="Number of the user, 0 to 65535.")]


@keys_app.command()
def add(
    user: User,
    file: File = DEFAULT_FILE,
    key: Annotated[
        str, typer.Option(help="64 hex digits that the user has; a new random key if not given.")
    ] = "",
) -> None:
    """Make a key for a user and print it; the user's receiver needs the same.

    Example: m4sc keys add 3
    """
    from m4sc.sharing.privacy import KeyRing

    from m4sc_app.errors import UserError

    try:
        given = bytes.fromhex(key) if key else None
    except ValueError:
        raise UserError("--key takes 64 hex digits") from None
    typer.echo(KeyRing(file).add(user, given).key.hex())


@keys_app.command("list")
def list_keys(file: File = DEFAULT_FILE) -> None:
    """List the users who have a key; the keys stay in the file.

    Example: m4sc keys list
    """
    from m4sc.sharing.privacy import KeyRing

    for user in KeyRing(file).users:
        typer.echo(user)


@keys_app.command()
def remove(user: User, file: File = DEFAULT_FILE) -> None:
    """Forget a user's key.

    Example: m4sc keys remove 3
    """
    from m4sc.sharing.privacy import KeyRing

    KeyRing(file).remove(user)
