"""`sipwarden-collector webhooks`: who is told of findings, and what could not be told."""

import sys
from collections.abc import Callable
from typing import Annotated, get_args

import typer

from collector.shell import USAGE_ERROR, AsJson, actor, fail, open_store, print_rows, read_config, when

Dead = Annotated[list[int] | None, typer.Argument(metavar="[ID]...", help="Dead deliveries.")]
AllDead = Annotated[str, typer.Option("--all", metavar="NAME", help="All dead deliveries of a webhook.")]

webhooks = typer.Typer(no_args_is_help=True, help="Who is told of findings.")


@webhooks.command("add")
def add(
    name: str,
    url: Annotated[str, typer.Argument(help="https://HOST[:PORT]/PATH")],
    verdict: Annotated[str, typer.Option(help="The lowest that it is told of: watch or flag.")] = "flag",
    fraud_type: Annotated[list[str] | None, typer.Option(help="Only of these; may be given more than once.")] = None,
    box: Annotated[str, typer.Option(help="Only of this box.")] = "",
) -> None:
    """Make a webhook. Its secret is shown now and never again."""
    from collector.store.webhooks import Lowest  # noqa: PLC0415
    from collector.webhooks.target import Targets  # noqa: PLC0415
    from models.fraud_types import FRAUD_TYPES  # noqa: PLC0415

    if verdict not in get_args(Lowest):
        fail(f"no such verdict: {verdict} (watch or flag)", USAGE_ERROR)
    for each in fraud_type or ():
        if each not in FRAUD_TYPES:
            fail(f"no such fraud type: {each} (there are {', '.join(FRAUD_TYPES)})", USAGE_ERROR)
    Targets(read_config().webhooks.networks).check(url)
    made, secret = open_store().webhooks.add(name, url, actor(), verdict, fraud_type, box or None)  # type: ignore[arg-type]
    print(secret)
    print(f"{made.name} is told of findings from now on; its messages are signed with this secret", file=sys.stderr)


@webhooks.command("list")
def list_webhooks(as_json: AsJson = False) -> None:
    """List the webhooks with what waits for them and what is dead. Their secrets are not shown."""
    from collector.store.webhooks import Queue  # noqa: PLC0415

    store = open_store().webhooks
    queues = store.queues()
    columns = {
        "name": lambda hook: hook.name,
        "url": lambda hook: hook.url,
        "told of": lambda hook: " ".join([hook.verdict, *hook.fraud_types, hook.box or ""]).strip(),
        "state": lambda hook: "disabled" if hook.disabled_ns else "enabled",
        "delivered": lambda hook: hook.delivered,
        "last": lambda hook: when(hook.delivered_ns),
        "waiting": lambda hook: queues.get(hook.id, Queue()).waiting,
        "dead": lambda hook: queues.get(hook.id, Queue()).dead,
        "dropped": lambda hook: hook.dropped,
    }
    print_rows(store.webhooks(), as_json, columns, "No webhooks.")


@webhooks.command("enable")
def enable(name: str) -> None:
    """Tell a webhook of findings again; what waited is delivered."""
    open_store().webhooks.set_enabled(name, True, actor())


@webhooks.command("disable")
def disable(name: str) -> None:
    """Stop telling a webhook of findings; what waits is kept."""
    open_store().webhooks.set_enabled(name, False, actor())


@webhooks.command("remove")
def remove(name: str) -> None:
    """End a webhook with all its deliveries."""
    open_store().webhooks.remove(name, actor())


@webhooks.command("deliveries")
def deliveries(
    name: Annotated[str | None, typer.Argument(help="Of one webhook.")] = None,
    dead: Annotated[bool, typer.Option("--dead", help="Only what was given up.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 100,
    as_json: AsJson = False,
) -> None:
    """List deliveries that wait or are dead, newest first."""
    columns = {
        "id": lambda delivery: delivery.id,
        "webhook": lambda delivery: delivery.webhook,
        "finding": lambda delivery: delivery.finding_id,
        "event": lambda delivery: delivery.event,
        "state": lambda delivery: delivery.state,
        "since": lambda delivery: when(delivery.created_ns),
        "attempts": lambda delivery: delivery.attempts,
        "why": lambda delivery: delivery.error or "-",
    }
    store = open_store().webhooks
    if name is not None:
        store.webhook(name)  # a name with a typing error must not look like one that nothing waits for
    page = store.deliveries(name, "dead" if dead else None, limit=limit)
    print_rows(page.items, as_json, columns, "No deliveries wait, and none was given up.")


@webhooks.command("retry")
def retry(ids: Dead = None, all_of: AllDead = "") -> None:
    """Try dead deliveries again."""
    store = open_store().webhooks
    print(f"{_of_dead(store.retry, store.retry_all, ids, all_of)} deliveries are tried again")


@webhooks.command("discard")
def discard(ids: Dead = None, all_of: AllDead = "") -> None:
    """Forget dead deliveries."""
    store = open_store().webhooks
    print(f"{_of_dead(store.discard, store.discard_all, ids, all_of)} deliveries are forgotten")


def _of_dead(one: Callable, all_dead: Callable, ids: list[int] | None, all_of: str) -> int:
    """Does `one` to each delivery that is named, `all_dead` to those of a webhook; to how many."""
    if not ids and not all_of:
        fail("name deliveries, or a webhook with --all", USAGE_ERROR)
    for each in ids or ():
        one(each, actor())
    return len(ids or ()) + (all_dead(all_of, actor()) if all_of else 0)
