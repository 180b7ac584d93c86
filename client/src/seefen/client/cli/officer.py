"""``seefen officer``: invite a person's device into your node."""

from pathlib import Path
from typing import Annotated

import typer

from seefen.client.cli.arguments import distinct, new_file, role
from seefen.client.cli.session import opened
from seefen.client.cli.views import joining

group = typer.Typer(help="Officers: a paper slip and an invite file each.")


def register(app: typer.Typer) -> None:
    """Add the group."""
    app.add_typer(group, name="officer")


@group.command()
def add(
    context: typer.Context,
    roles: Annotated[
        list[str],
        typer.Option(
            "--role", parser=role, metavar="ROLE", help="field, keyholder, lead, admin or auditor."
        ),
    ],
    officer: Annotated[
        str, typer.Option(metavar="OFFICER", help="Whose further device it is [a new officer's].")
    ] = "",
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", parser=new_file, metavar="FILE", help="NODE-officer.invite."),
    ] = None,
) -> None:
    """Write an invite for one device: seefen officer add --role field -o o-7f31.invite."""
    chosen = distinct(roles, "role", least=1)
    with opened(context) as session:
        path = out or _free_name(session.do(lambda client: client.node))
        made = session.do(lambda client: client.devices.invite(chosen, path, officer=officer))
        alone = session.do(lambda client: client.devices.opens_alone(chosen, officer))
        shown = {"invite": made, "roles": chosen, "opens_names_alone": alone}
        session.screen.show(shown, joining.invited)


def _free_name(node: str) -> Path:
    names = (Path(f"{node}-{number}.invite") for number in range(1, 1000))
    return next(path for path in names if not path.exists())
