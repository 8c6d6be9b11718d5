"""`sipwarden-collector api-tokens`: who may use the REST API, and for what."""

import sys
from typing import Annotated

import typer

from collector.scopes import SCOPES
from collector.shell import USAGE_ERROR, AsJson, actor, fail, open_store, print_pages, when

DAY_S = 86_400
DEFAULT_DAYS = 365
MAX_DAYS = 3650

api_tokens = typer.Typer(no_args_is_help=True, help="Tokens of the REST API.")


@api_tokens.command("create")
def create(
    name: Annotated[str, typer.Argument(help="By which the audit trail and `revoke` know it.")],
    scope: Annotated[list[str], typer.Option(help="What it opens; may be given more than once.")],
    days: Annotated[int, typer.Option(min=1, max=MAX_DAYS, help="For how long it is good.")] = DEFAULT_DAYS,
) -> None:
    """Make a token. It is shown now and never again."""
    unknown = [each for each in scope if each not in SCOPES]
    if unknown:
        fail(f"no such scope: {unknown[0]} (there are {', '.join(SCOPES)})", USAGE_ERROR)
    scopes = list(dict.fromkeys(scope))
    made, secret = open_store().accounts.create_api_token(name, scopes, actor(), days * DAY_S)
    print(secret)
    print(f"good until {when(made.expires_ns)} for {', '.join(scopes)}", file=sys.stderr)


@api_tokens.command("list")
def list_tokens(as_json: AsJson = False) -> None:
    """List the tokens. Their secrets are not kept."""
    columns = {
        "name": lambda token: token.name,
        "scopes": lambda token: " ".join(token.scopes),
        "by": lambda token: token.created_by,
        "expires": lambda token: when(token.expires_ns),
        "last used": lambda token: when(token.used_ns),
        "revoked": lambda token: when(token.revoked_ns),
    }
    print_pages(open_store().accounts.api_tokens, as_json, columns, "No tokens of the API.")


@api_tokens.command("revoke")
def revoke(name: str) -> None:
    """End a token: it opens nothing from its next request on."""
    open_store().accounts.revoke_api_token(name, actor())
    print(f"{name} is revoked")
