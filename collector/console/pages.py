"""The pages of the desk."""

import time
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get, post
from litestar.enums import RequestEncodingType
from litestar.exceptions import ValidationException
from litestar.params import Body, FromPath
from litestar.response import Redirect, Template

from collector.console import query as asked
from collector.console.account import address_of
from collector.console.chart import chart
from collector.console.ladder import ladder
from collector.console.sessions import needs
from collector.errors import NotFoundError
from collector.pseudonyms import PREFIX
from collector.store.findings import Filter, Finding
from collector.store.trends import RANGES
from models.fraud_types import FRAUD_TYPES
from models.verdict import VERDICTS

ROWS = 50  # of a page
MAX_COMMENT = 500
PARTIES = ("caller", "callee", "source")
LABEL_ROWS = 10
OTHERS = 20  # findings about the same call that are shown with one
# What is asked for most: (word, verdict, label).
ONLYS = (("all", None, None), ("flag", "flag", None), ("watch", "watch", None), ("unlabelled", None, "none"))
MORE = ("fraud_type", "box", "since", "until")  # filters that are folded away


@get("/", sync_to_thread=False)
def index() -> Redirect:
    """Where the desk begins."""
    return Redirect("/findings", status_code=303)


@get("/findings", sync_to_thread=True)
def findings(request: Request) -> Template:
    """Findings by filters, newest arrival first."""
    query, state = request.query_params, request.app.state
    wanted = asked.finding_filter(query, state.numbers)
    page = state.store.findings.find(wanted, asked.key(query, "before"), ROWS)
    chosen = {name: asked.text(query, name) or "" for name in asked.FILTERS}
    onlys = _onlys(query, chosen)
    folded = MORE if any(only["chosen"] for only in onlys) else (*MORE, "verdict", "label")
    context = {
        **asked.paged("/findings", {**query, "live": ""}, page),
        "chosen": chosen,
        "onlys": onlys,
        "more_chosen": sum(bool(chosen[name]) for name in folded),
        "boxes": state.store.fleet.names(),
        "verdicts": VERDICTS[1:],
        "fraud_types": FRAUD_TYPES,
        "labels": asked.LABELS,
        "live": query.get("live") == "1" and "before" not in query,
        "toggle_live": asked.link("/findings", query, before=None, live=None if query.get("live") == "1" else "1"),
    }
    return Template("findings.html", context=context)


def _onlys(query: asked.Query, chosen: dict[str, str]) -> list[dict[str, object]]:
    """The filters that are asked for most, one click each; they leave the others as they are."""
    found = []
    for word, verdict, label in ONLYS:
        link = asked.link("/findings", query, before=None, verdict=verdict, label=label)
        is_chosen = (chosen["verdict"] or None, chosen["label"] or None) == (verdict, label)
        found.append({"key": word, "link": link, "chosen": is_chosen})
    return found


@get("/findings/{finding_id:int}", sync_to_thread=True)
def finding(request: Request, finding_id: FromPath[int]) -> Template:
    """One finding: why, what was seen, and how far it is to be trusted."""
    query, store = request.query_params, request.app.state.store
    found = _found(store, finding_id)
    line: dict[str, Any] = msgspec.json.decode(found.line) if found.line else {}
    judged = store.findings.labels(found.id, asked.key(query, "labels_before"), LABEL_ROWS)
    same = store.findings.find(Filter(call_id=found.call_id), limit=OTHERS).items if found.call_id else []
    here = f"/findings/{found.id}"
    context = {
        "finding": found,
        "line": line,
        "ladder": ladder(line) if found.kind == "call" else None,
        "labels": judged,
        "older_labels": asked.link(here, query, labels_before=judged.next) if judged.next else None,
        "config": store.fleet.config_at(found.box, found.id),
        "others": [each for each in same if each.id != found.id],
        "pseudonyms": pseudonyms(caller=found.caller, callee=found.callee),
    }
    return Template("finding.html", context=context)


def pseudonyms(**parties: str | None) -> dict[str, str]:
    """Of the parties those whose number is a pseudonym."""
    return {kind: value for kind, value in parties.items() if value and value.startswith(PREFIX)}


def _found(store: Any, finding_id: int) -> Finding:
    if not 0 <= finding_id <= asked.MAX_KEY:
        raise NotFoundError(f"no finding {finding_id}")
    return store.findings.get(finding_id)


class LabelForm(msgspec.Struct):
    label: str = ""
    comment: str = ""


LabelData = Annotated[LabelForm, Body(media_type=RequestEncodingType.URL_ENCODED)]


@post("/findings/{finding_id:int}/label", guards=[needs("analyst")], status_code=200, sync_to_thread=True)
def set_label(request: Request, finding_id: FromPath[int], data: LabelData) -> Response:
    """An analyst's judgement; it goes into the audit trail too."""
    if data.label not in ("fraud", "honest"):
        raise ValidationException("label has no such value")
    store = request.app.state.store
    _found(store, finding_id)
    comment = data.comment.strip()[:MAX_COMMENT].replace("\0", "") or None
    store.findings.label(finding_id, data.label, request.user.name, comment)
    detail = {"label": data.label}
    store.journal.audit(request.user.name, "finding.label", str(finding_id), address_of(request), detail)
    return Redirect(f"/findings/{finding_id}", status_code=303)


@get("/labels", sync_to_thread=True)
def labels(request: Request) -> Template:
    """What was judged, newest first."""
    query = request.query_params
    page = request.app.state.store.findings.labels(None, asked.key(query, "before"), ROWS)
    return Template("labels.html", context=asked.paged("/labels", query, page))


@get("/party", sync_to_thread=True)
def party(request: Request) -> Template:
    """The history of a caller, a callee or a source."""
    query, store = request.query_params, request.app.state.store
    kind, value = asked.one_of(query, "kind", PARTIES), asked.text(query, "value")
    if kind is None or value is None:
        raise ValidationException("kind and value say whose history it is")
    wanted = Filter(**{kind: value})  # type: ignore[arg-type]
    page = store.findings.find(wanted, asked.key(query, "before"), ROWS)
    calls = store.findings.calls(wanted, asked.key(query, "calls_before"), ROWS)
    context = {
        **asked.paged("/party", query, page),
        "kind": kind,
        "value": value,
        "calls": calls,
        "older_calls": asked.link("/party", query, calls_before=calls.next) if calls.next else None,
        "newest_calls": asked.link("/party", query, calls_before=None) if query.get("calls_before") else None,
        "pseudonyms": pseudonyms(**{kind: value}),
    }
    return Template("party.html", context=context)


@get("/trends", sync_to_thread=True)
def trends(request: Request) -> Template:
    """Counters over time, of one box or of all."""
    query, store = request.query_params, request.app.state.store
    chosen, box = asked.one_of(query, "range", RANGES) or "day", asked.text(query, "box")
    length_s, span_s = RANGES[chosen]
    until = (time.time_ns() // (span_s * 10**9) + 1) * span_s * 10**9
    since = until - length_s * 10**9
    points = store.trends.points(span_s, since, until, box)

    def drawn(*names: str) -> dict[str, list[tuple[int, float]]]:
        return {name: [(point.time_ns, float(getattr(point, name))) for point in points] for name in names}

    loss = [(p.time_ns, p.dropped / (p.packets + p.dropped)) for p in points if p.packets + p.dropped]
    context = {
        "range": chosen,
        "ranges": RANGES,
        "box": box or "",
        "boxes": store.fleet.names(),
        "charts": {
            "trends.calls": chart(drawn("calls", "answered"), since, until, span_s),
            "trends.verdicts": chart(drawn("flagged", "watched"), since, until, span_s),
            "trends.loss": chart({"capture_loss": loss}, since, until, span_s, share=True),
        },
        "by_type": store.trends.fraud_totals(span_s, since, until, box),
        "reported": bool(points),
    }
    return Template("trends.html", context=context)


@get("/events", guards=[needs("analyst")], sync_to_thread=True)
def events(request: Request) -> Template:
    """What was refused and from whom, and who was enrolled."""
    query, store = request.query_params, request.app.state.store
    kind, box = asked.one_of(query, "kind", ("refused", "enrolled")), asked.text(query, "box")
    page = store.journal.events(kind=kind, box=box, before=asked.key(query, "before"), limit=ROWS)
    boxes = store.fleet.known({event.box for event in page.items if event.box})
    context = {"kind": kind or "", "box": box or "", "boxes": boxes}
    return Template("events.html", context={**context, **asked.paged("/events", query, page)})


@get("/audit", guards=[needs("administrator")], sync_to_thread=True)
def audit(request: Request) -> Template:
    """Who did what."""
    query = request.query_params
    actor, subject = asked.text(query, "actor"), asked.text(query, "subject")
    page = request.app.state.store.journal.audit_trail(
        actor=actor, subject=subject, before=asked.key(query, "before"), limit=ROWS
    )
    context = {"actor": actor or "", "subject": subject or ""}
    return Template("audit.html", context={**context, **asked.paged("/audit", query, page)})


ROUTES = [index, findings, finding, set_label, labels, party, trends, events, audit]
