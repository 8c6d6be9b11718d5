"""`sipwarden model ...`: what each of its commands does, on stdout, with its exit status."""

import importlib.util
import json
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec

from appliance import config as configuration
from appliance import subscriber_table
from appliance.admin.client import Client
from appliance.admin.errors import AdminError
from appliance.errors import ApplianceError, InstallError
from appliance.exit import Exit, complain
from appliance.installed import InstalledBundles
from appliance.live.status import shown_drift
from appliance.precision import precisions
from appliance.storage.store_labels import STORE_FILE, read_labels
from models.bundle import CARD_FILE, SHIPPED, Bundle, read_file
from models.errors import ModelError, TableError
from models.scorer import Scorer
from models.signature import SIGNATURE_FILE, check_signature, key_id, read_private_key, read_public_keys, sign
from models.subscriber import Table, evaluate
from models.verdict import VERDICTS

KIND = "subscriber"


def guarded(command: Callable[[], Exit | None]) -> Exit:
    """Runs a command; what it cannot use is one line on stderr and a status."""
    try:
        status = command() or Exit.DONE
        sys.stdout.flush()
    except subscriber_table.UnreadableError as error:
        complain(error)
        return Exit.UNREADABLE
    except (ModelError, ApplianceError) as error:
        complain(error)
        return Exit.UNUSABLE
    except BrokenPipeError:
        sys.stdout = None  # nobody reads: the interpreter must not try again as it exits
        return Exit.NOBODY_READS
    return status


def subscriber_scorer(path: Path | None) -> Scorer:
    bundle = Bundle.load(path) if path else Bundle.shipped(KIND)
    if bundle.card.rows != KIND:
        raise ModelError(f"{bundle.path}: scores {bundle.card.rows} rows, not subscribers")
    return Scorer(bundle)


def run_evaluate(file: Path, bundle: Path | None, as_json: bool) -> None:
    """Figures of a labelled table, or else a score for each of its rows."""
    scorer = subscriber_scorer(bundle)
    table = subscriber_table.load(file)
    if table.fraud is None:
        return show_scores(scorer, table, as_json)
    if not len(table.fraud):
        raise TableError(f"{file}: there are no rows")
    return show(evaluate(scorer, table), as_json)


def show_scores(scorer: Scorer, table: Table, as_json: bool) -> None:
    scored = scorer.score(table.rows)
    for row, (score, verdict) in enumerate(zip(scored.score.tolist(), scored.verdict.tolist(), strict=True)):
        if as_json:
            line = {"row": row, "score": round(score, 6), "verdict": VERDICTS[verdict], "bundle": scorer.bundle.label}
            print(json.dumps(line))
        else:
            print(f"{row:>8} {score:.4f} {VERDICTS[verdict]}")


def show(figures: dict, as_json: bool) -> None:
    """One object as one line of JSON, or as a table."""
    if as_json:
        print(json.dumps(figures))
        return
    width = max(map(len, figures))
    for key, value in figures.items():
        print(f"{key:<{width}}  {'-' if value is None else f'{value:.4f}' if isinstance(value, float) else value}")


def run_train(file: Path, out: Path, as_json: bool) -> None:
    """Teaches a subscriber bundle from a labelled table. Needs the extra `train`."""
    for needed in ("tensorflow", "sklearn"):
        if importlib.util.find_spec(needed) is None:
            raise ModelError(
                f"training needs {needed}: run `make train-env`, then `.venv-train/bin/sipwarden model train ...`"
            )
    table = subscriber_table.load(file)
    if table.fraud is None:
        raise TableError(f"{file}: column 'label' is missing: training needs to know which rows are fraud")
    from models.training.subscriber import train_labelled  # noqa: PLC0415

    try:
        bundle = train_labelled(table, out, f"sipwarden model train subscriber {file.name} --out {out.name}")
    except ValueError as error:
        raise TableError(f"{file}: {error}") from error
    except OSError as error:
        raise ModelError(f"{out}: {error.strerror}") from error
    figures = {"bundle": bundle.label, "path": str(out), **bundle.numbers.metrics["cross-validation"]}
    show(figures, as_json)


def folders(roots: list[Path]) -> list[Path]:
    """The bundles named: each root is one, or holds some. Without any, the shipped ones."""
    found = []
    for root in roots or [SHIPPED]:
        held = sorted(path.parent for path in root.glob(f"*/{CARD_FILE}"))
        found += [root] if (root / CARD_FILE).is_file() or not held else held
    return found


def run_list(roots: list[Path], as_json: bool) -> None:
    for path in folders(roots):
        card = Bundle.load(path).card
        types = [one.fraud_type for one in card.classes]
        line = {
            "name": card.name,
            "version": card.version,
            "rows": card.rows,
            "fraud_types": types,
            "model_bytes": card.model_bytes,
            "data": card.training.data,
            "path": str(path),
        }
        if as_json:
            print(json.dumps(line))
        else:
            label = f"{card.name}@{card.version}"
            print(f"{label:<20} {card.rows:<11} {card.model_bytes:>6} B  {', '.join(types)}  ({path})")


def run_show(name: str, as_json: bool) -> None:
    """The card of a bundle: a folder, or the name of a shipped one."""
    path = Path(name)
    bundle = Bundle.load(SHIPPED / name if not path.exists() and (SHIPPED / name).is_dir() else path)
    numbers = msgspec.to_builtins(bundle.numbers)
    card = msgspec.to_builtins(bundle.card)
    if as_json:
        print(json.dumps(card | numbers))
        return
    card["metrics"] = numbers["metrics"]  # the others are a page of numbers each
    for key, value in card.items():
        show_entry(key, value, "")


def show_entry(key: str, value, indent: str) -> None:
    if isinstance(value, dict):
        print(f"{indent}{key}:")
        for inner, one in value.items():
            show_entry(inner, one, indent + "  ")
    elif isinstance(value, list):
        print(f"{indent}{key}:")
        for one in value:
            text = ", ".join(f"{k} {v}" for k, v in one.items()) if isinstance(one, dict) else one
            print(f"{indent}  - {text}")
    else:
        print(f"{indent}{key}: {value}")


def run_verify(roots: list[Path], key_files: list[Path], as_json: bool) -> Exit:
    """Reads each bundle as scoring would, and loads its model. UNUSABLE when one is damaged, or not signed by one of
    the keys where some are named."""
    status = Exit.DONE
    keys = read_public_keys(key_files)
    for path in folders(roots):
        problem, label = None, None
        try:
            bundle = Bundle.load(path)
            label = bundle.label
            Scorer(bundle)
            if keys:
                check_signature(path, keys)
        except ModelError as error:
            problem, status = str(error), Exit.UNUSABLE
        if as_json:
            print(json.dumps({"path": str(path), "bundle": label, "valid": problem is None, "problem": problem}))
        elif problem is None:
            print(f"{label}: valid  ({path})")
        else:
            complain(problem)
    return status


def run_sign(folder: Path, key_file: Path) -> None:
    bundle = Bundle.load(folder)
    key = read_private_key(key_file)
    signature = folder / SIGNATURE_FILE
    try:
        signature.write_bytes(sign(read_file(folder / CARD_FILE), key))
    except OSError as error:
        raise InstallError(signature, error) from error
    print(f"{bundle.label}: signed by {key_id(key.public_key())}  ({signature})")


def run_install(folder: Path, key_files: list[Path], config_path: Path | None, state_dir: Path | None) -> None:
    config = configuration.load(config_path)
    keys = read_public_keys([*map(Path, config.screen.trusted_keys), *key_files])
    bundle = InstalledBundles(state_dir or Path(config.service.state_dir)).install(folder, keys)
    print(f"{bundle.label}: installed  ({bundle.path})")


def run_rollback(rows: str, config_path: Path | None, state_dir: Path | None) -> None:
    config = configuration.load(config_path)
    bundle = InstalledBundles(state_dir or Path(config.service.state_dir)).rollback(rows)
    print(f"{bundle.label}: in use from the next start or reload  ({bundle.path})")


def run_report(config_path: Path | None, state_dir: Path | None, as_json: bool) -> None:
    config = configuration.load(config_path)
    found = precisions(read_labels((state_dir or Path(config.service.state_dir)) / STORE_FILE))
    drift = running_drift(Path(config.admin.socket))
    if as_json:
        for line in found:
            print(msgspec.json.encode(line).decode())
        for one in drift or []:
            print(json.dumps({"drift": one}))
        return
    show_drift(drift)
    if not found:
        print("no finding was labelled yet: sipwarden label ID fraud|honest")
    for line in found:
        share = f"{line.fraud:>6} of {line.labelled:>6} were fraud: {line.precision:6.1%}"
        interval = f"(95 %: {line.low:.1%} to {line.high:.1%})"
        print(f"{line.bundle:<20} {line.verdict:<5} {line.fraud_type or 'all':<18} {share}  {interval}")


def running_drift(socket: Path) -> list[dict] | None:
    """What the running service says of the rows that its bundles score; None when it does not answer."""
    try:
        with Client(socket) as client:
            return client.ask("status").get("drift")
    except (AdminError, OSError):
        return None


def show_drift(drift: list[dict] | None) -> None:
    if drift is None:
        print("drift: the service does not answer, and it alone knows")
    for one in drift or []:
        moved = f"; {one['feature']} moved most ({one['feature_ratio']:.2f})" if one["feature"] else ""
        ratios = shown_drift(one["ratio"])
        print(f"drift of {one['rows']} rows: {one['state']}, {one['counted']:,} counted: {ratios}{moved}")
