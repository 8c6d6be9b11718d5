"""Files that are handed on: evidence about a party, and the support dump. Only their owner may read them."""

import errno
import hashlib
import io
import json
import os
import subprocess
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from appliance import config as configuration
from appliance.admin.errors import AdminError
from appliance.admin.support import versions, without_secrets
from appliance.client.operate import Service
from appliance.mask import mask_text

PRIVATE = 0o600
LOG_LINES = 2000
LOG_TIMEOUT_S = 20


def evidence(service: Service, about: str, out: Path, since_ns: int | None, unmasked: bool) -> None:
    """Writes `out` and, beside it, its SHA-256 in the form that `sha256sum -c` takes.

    Raises AdminError; FileExistsError rather than to write over evidence.
    """
    with service.connect() as client:
        document = client.ask("evidence.export", about=about, since_ns=since_ns, unmasked=unmasked)
    data = json.dumps(document, indent=2, ensure_ascii=False).encode() + b"\n"
    digest = hashlib.sha256(data).hexdigest()
    hashed = out.with_name(out.name + ".sha256")
    if hashed.exists():  # neither file without the other
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(hashed))
    _write(out, data)
    _write(hashed, f"{digest}  {out.name}\n".encode())
    count = len(document["findings"])
    print(f"{out}: {count} finding{'s' if count != 1 else ''} about {document['kind']} {document['about']}")
    if not document["complete"]:
        print(f"there are more than {count}: narrow them with --since")
    print(f"SHA-256 {digest}\ncheck it with: sha256sum -c {out.name}.sha256")
    print("It holds:", *(f"  - {line}" for line in document["holds"]), sep="\n")
    print("It does not hold:", *(f"  - {line}" for line in document["lacks"]), sep="\n")


def support_dump(service: Service, out: Path) -> None:
    """Writes a tar.gz of how the box is and how it is set up: without numbers, without secrets.

    The service that does not answer is no reason not to: then it has what can be told from outside.
    """
    files = dict(_members(service))
    folder = out.name.removesuffix(".gz").removesuffix(".tar").removesuffix(".tgz")
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(f"{folder}/{name}")
            member.size, member.mode, member.mtime = len(data), PRIVATE, int(time.time())
            archive.addfile(member, io.BytesIO(data))
    _write(out, packed.getvalue())
    print(f"{out}: {', '.join(files)}")


def _members(service: Service) -> Iterator[tuple[str, bytes]]:
    yield "versions.json", _json(versions())
    try:
        with service.connect() as client:
            answer = client.ask("support")
    except AdminError as error:
        yield "service.txt", f"{error}\n".encode()
        # an examination from outside takes a second to import
        from appliance.doctor.examination import from_outside  # noqa: PLC0415

        config = configuration.load(service.config)
        yield "doctor.json", _json(msgspec.to_builtins(from_outside(config, error)))
        yield "config.json", _json(without_secrets(msgspec.to_builtins(config)))
    else:
        yield "metrics.txt", answer.pop("metrics").encode()
        for name, part in answer.items():
            yield f"{name}.json", _json(part)
    yield "log.txt", _log()


def _log() -> bytes:
    """The service's latest lines, when this user may read them. They are masked already; once more costs nothing."""
    command = ["journalctl", "--unit=sipwarden", f"--lines={LOG_LINES}", "--no-pager", "--output=short-iso"]
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=LOG_TIMEOUT_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"the log could not be read: {error}\n".encode()
    return mask_text(done.stdout or f"the log is empty: {done.stderr}").encode()


def _json(value: Any) -> bytes:
    return json.dumps(value, indent=2, ensure_ascii=False).encode() + b"\n"


def _write(path: Path, data: bytes) -> None:
    """Raises FileExistsError: nothing is written over."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE), "wb") as file:
        file.write(data)
