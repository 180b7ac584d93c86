"""All commands together, and :func:`main`, the only place that turns errors into exit codes."""

import os
import sys
import traceback
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup

from seefen.client import codelists
from seefen.client.cli import (
    action_day,
    agent,
    alert,
    amend,
    audit,
    breach,
    case,
    channel,
    codelist,
    device,
    export,
    file,
    found,
    guest,
    house,
    join,
    nodes,
    officer,
    queue,
    ref,
    request,
    root,
    schema,
    status,
    tail,
    trace,
    unlock,
    watch,
    work,
)
from seefen.client.cli.arguments import existing_file, folder
from seefen.client.cli.complaints import EndedError, StoppedError, explain
from seefen.client.cli.screen import complain, make_printable
from seefen.client.cli.settings import Settings, hoisted, home_folder, language
from seefen.protocol.messages import learn

_GROUPS: Final = (
    found, join, unlock, officer, watch, channel, action_day, alert, case, request, trace,
    amend, queue, file, export, work, ref, codelist, device, house, guest, agent, root, audit,
    breach, status, tail, nodes, schema,
)  # fmt: skip


class _Commands(TyperGroup):
    """All commands: a parser that ends one at Ctrl-C, or where nobody answers, says nothing."""

    def invoke(self, ctx: Any) -> Any:
        """Run a command."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise StoppedError from None
        except EOFError:
            raise EndedError from None


app = typer.Typer(
    name="seefen",
    cls=_Commands,
    help="Sealed cases and alerts between the nodes of the network, each reading on record.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"seefen {version('seefen-client')}")
        raise typer.Exit


@app.callback()
def global_options(
    context: typer.Context,
    home: Annotated[
        Path | None,
        typer.Option(parser=folder, metavar="DIR", help="Folder of vault and keys (SEEFEN_HOME)."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")] = False,
    passphrase_file: Annotated[
        Path | None,
        typer.Option(parser=existing_file, metavar="FILE", help="Passphrase, for scripts."),
    ] = None,
    lang: Annotated[
        str | None,
        typer.Option(metavar="LANG", help="Coded values in sq, sr, sr-Cyrl, mk, ro, uk."),
    ] = None,
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Take what holds for all commands."""
    context.obj = Settings(home_folder(home), json, passphrase_file, language(lang))
    for row in codelists.read(context.obj.home):  # a form is read before a vault is opened
        learn(row.table, {row.code: row.label})


for _group in _GROUPS:
    _group.register(app)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    0 done, 1 refused or failed, 2 not a command, 3 nothing reachable and therefore queued,
    130 stopped with Ctrl-C. Prints to ``sys.stdout`` and ``sys.stderr`` as they are now.
    """
    make_printable(sys.stdout, sys.stderr)
    try:
        words = hoisted(sys.argv[1:] if argv is None else argv)
        code = app(words or ["--help"], prog_name="seefen", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except SystemExit as stop:  # the parser's own answer to a closed pipe
        return stop.code if isinstance(stop.code, int) else 1
    except BrokenPipeError:
        # The reader of our output went away (a pager that was closed): no error of ours.
        return 0
    # The last resort of a program: a sentence, never a traceback.
    except (Exception, KeyboardInterrupt) as error:
        return _failed(error)


def _failed(error: BaseException) -> int:
    if os.environ.get("SEEFEN_DEBUG"):
        traceback.print_exception(error, file=sys.stderr)
    complaint = explain(error)
    complain(complaint.message, complaint.hint)
    return complaint.code
