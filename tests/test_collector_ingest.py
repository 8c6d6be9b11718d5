"""Boxes at the collector's door, over real TLS: honest ones get in, rogue ones are refused with a reason, alone."""

import contextlib
import gzip
import json
import socket
import ssl
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from appliance.errors import IdentityError
from appliance.findings import moment
from appliance.report import encode_batch
from appliance.reporting.enroll import enroll, fetch_ca, split_token
from appliance.reporting.identity import Identity, Request
from collector.authority import BOX_DOMAIN, Authority, server_context
from collector.door import MAX_OF_NETWORK
from collector.errors import AuthorityError, RefusedError
from collector.ingest import MAX_UNDER_WAY
from collector.refusals import MAX_NAMED, Strangers
from collector.store.journal import Event
from tests.certificates import self_signed
from tests.collectors import CollectorProcess, EnrolledBox, call_line, minute
from tests.waiting import PATIENCE_S, until

LIMITS = "[ingest]\nmax_body_kib = 256\nmax_batch_kib = 1024\nreports_per_s = 100\nburst_reports = 1000\n"
LIMITS += "[enrolment]\nattempts_per_minute = 1000\n"
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CollectorProcess]:
    running = CollectorProcess(tmp_path_factory.mktemp("collector"), extra=LIMITS).start()
    yield running
    assert running.stop() == 0, running.log()


@pytest.fixture(scope="module")
def honest(collector: CollectorProcess) -> EnrolledBox:
    return collector.enrolled("honest")


def refused(collector: CollectorProcess, answer: httpx.Response, status: int, reason: str, box: str | None) -> None:
    """The answer is a problem with this reason; it is logged, and an event."""
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (answer.status_code, problem["status"]) == (status, status), problem
    assert problem["type"] == f"urn:sipwarden:problem:{reason}"
    assert problem["title"]
    assert problem["detail"]
    noted(collector, reason, box)
    assert f"refused reason={reason} box={box}" in collector.log()


def noted(collector: CollectorProcess, reason: str, box: str | None) -> None:
    with contextlib.closing(collector.store()) as store:

        def events() -> list[Event]:
            return store.journal.events(kind="refused").items

        until(lambda: (reason, box) in {(event.reason, event.box) for event in events()}, why=events)


def sent_at(offset: timedelta) -> str:
    return moment(time.time_ns() + int(offset.total_seconds()) * 10**9)


# --- honest boxes


def test_a_report_is_acknowledged_with_the_time_of_the_collector(honest: EnrolledBox) -> None:
    answer = honest.send([(1, call_line(1)), (2, minute())])
    assert answer.status_code == 200
    assert answer.json()["sequence"] == 2
    assert abs(answer.json()["time_ns"] - time.time_ns()) < 60 * 10**9


def test_a_certificate_is_for_one_box_for_a_time_and_for_nothing_else(collector: CollectorProcess) -> None:
    box = collector.enrolled("edge-cert")
    certificate = x509.load_pem_x509_certificate((box.identity._folder / "box.pem").read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [f"edge-cert.{BOX_DOMAIN}"]
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [x509.ExtendedKeyUsageOID.CLIENT_AUTH]
    assert certificate.not_valid_after_utc - datetime.now(UTC) <= 90 * DAY
    assert (box.identity._folder / "box.pem").stat().st_mode & 0o777 == 0o600
    root = x509.load_pem_x509_certificate(box.identity.collector().ca.encode())
    permitted = root.extensions.get_extension_for_class(x509.NameConstraints).value.permitted_subtrees
    assert x509.DNSName(BOX_DOMAIN) in (permitted or [])


def test_a_certificate_is_renewed_with_a_new_key_over_the_old_one(collector: CollectorProcess) -> None:
    box = collector.enrolled("edge-renew")
    request = Request("edge-renew")
    answer = box.client.post(f"{box.url}/v1/renew", json={"csr": request.csr})
    assert answer.status_code == 200
    box.identity.save(request.key_with(answer.json()["certificate"]), box.identity.collector())
    again = EnrolledBox("edge-renew", box.identity, box.url)
    assert again.send([(1, call_line(1))]).status_code == 200
    store = collector.store()
    assert len(store.fleet.certificates(store.fleet.box("edge-renew").id)) == 2
    store.close()


# --- rogue boxes


def strangers(collector: CollectorProcess, reason: str, count: int) -> None:
    """Waits until so many handshakes are noted as refused for this reason, from the address of the tests."""
    with contextlib.closing(collector.store()) as store:

        def counts() -> list[int]:
            events = store.journal.events(kind="refused").items
            return [event.count for event in events if (event.reason, event.address) == (reason, "127.0.0.1")]

        until(lambda: sum(counts()) == count, why=counts)


def test_without_a_certificate_nobody_gets_past_the_handshake_and_each_try_is_counted(
    collector: CollectorProcess, honest: EnrolledBox
) -> None:
    context = ssl.create_default_context(cadata=honest.identity.collector().ca)
    for _ in range(3):
        with (
            httpx.Client(verify=context, timeout=PATIENCE_S, trust_env=False) as client,
            pytest.raises(httpx.TransportError),
        ):
            client.post(f"{collector.ingest_url}/v1/batches", content=b"{}")
    strangers(collector, "certificate_missing", 3)
    assert "refused reason=certificate_missing box=None address=127.0.0.1" in collector.log()
    assert honest.send([(300, call_line(300))]).status_code == 200


def test_a_certificate_of_another_authority_does_not_get_past_the_handshake(
    collector: CollectorProcess, honest: EnrolledBox, tmp_path: Path
) -> None:
    other = Authority.open(tmp_path / "other", ["localhost"])
    request = Request("honest")
    certificate, _ = other.box_certificate(request.csr, "honest", 90)
    identity = Identity(tmp_path / "rogue")
    identity.save(request.key_with(certificate), honest.identity.collector())
    with pytest.raises(httpx.TransportError):
        EnrolledBox("honest", identity, collector.ingest_url).send([(1, call_line(1))])
    strangers(collector, "certificate_foreign", 1)


def test_a_certificate_whose_time_is_over_does_not_get_past_the_handshake(
    collector: CollectorProcess, honest: EnrolledBox, tmp_path: Path
) -> None:
    folder = collector.config.authority_dir
    authority = x509.load_pem_x509_certificate((folder / "ca.pem").read_bytes())
    key = serialization.load_pem_private_key((folder / "ca.key").read_bytes(), None)
    request = Request("honest")
    end = datetime.now(UTC) - timedelta(minutes=1)
    public_key = x509.load_pem_x509_csr(request.csr.encode()).public_key()
    subject = x509.load_pem_x509_csr(request.csr.encode()).subject
    builder = x509.CertificateBuilder(authority.subject, subject, public_key, 17, end - DAY, end)
    certificate = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()
    identity = Identity(tmp_path / "late")
    identity.save(request.key_with(certificate), honest.identity.collector())
    with pytest.raises(httpx.TransportError):
        EnrolledBox("honest", identity, collector.ingest_url).send([(1, call_line(1))])
    strangers(collector, "certificate_expired", 1)


def test_who_speaks_no_tls_is_noted_and_who_only_hangs_up_is_not(collector: CollectorProcess) -> None:
    for said in (b"", b"GET / HTTP/1.1\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", collector.ingest_port), timeout=PATIENCE_S) as visitor:
            visitor.sendall(said)
            visitor.shutdown(socket.SHUT_WR)
            while visitor.recv(4096):
                pass
    strangers(collector, "handshake", 1)
    with contextlib.closing(collector.store()) as store:
        (detail,) = {event.detail for event in store.journal.events().items if event.reason == "handshake"}
    assert detail == "TLS failed: http request"


def test_one_address_that_stalls_in_the_handshake_does_not_take_all_the_room(
    collector: CollectorProcess, honest: EnrolledBox
) -> None:
    with contextlib.ExitStack() as stalling:
        assert answers(honest), "a connection that is there already, and has just been used"
        for _ in range(MAX_OF_NETWORK + 20):
            stalling.enter_context(socket.create_connection(("127.0.0.1", collector.ingest_port), timeout=PATIENCE_S))
        assert honest.send([(301, call_line(301))]).status_code == 200
        with pytest.raises(httpx.TransportError):
            EnrolledBox("honest", honest.identity, collector.ingest_url).send([(302, call_line(302))])
    again = EnrolledBox("honest", honest.identity, collector.ingest_url)
    until(lambda: answers(again))


def test_who_stalls_in_the_handshake_of_enrolment_is_bounded_as_at_the_other_door(collector: CollectorProcess) -> None:
    with contextlib.ExitStack() as stalling:
        for _ in range(MAX_OF_NETWORK + 20):
            stalling.enter_context(
                socket.create_connection(("127.0.0.1", collector.enrolment_port), timeout=PATIENCE_S)
            )
        with pytest.raises(httpx.TransportError):
            enrolment(collector, "A" * 24, "edge-stalled")

    def is_answered() -> bool:
        try:
            return enrolment(collector, "A" * 24, "edge-stalled").status_code == 403
        except httpx.TransportError:
            return False

    until(is_answered)


def answers(box: EnrolledBox) -> bool:
    try:
        return box.send([(303, call_line(303))]).status_code == 200
    except httpx.TransportError:
        return False


def test_strangers_beyond_so_many_a_minute_are_counted_without_their_address() -> None:
    noted: Counter[str | None] = Counter()
    claimed: dict[str | None, set[str | None]] = defaultdict(set)

    class Noting:
        def note(self, error: RefusedError, address: str | None) -> None:
            noted[address] += 1
            claimed[address].add(error.box)

    now = 0.0
    at_the_door = Strangers(Noting(), monotonic=lambda: now)  # type: ignore[arg-type]
    for number in range(MAX_NAMED + 7):
        at_the_door.note(RefusedError(403, "token_unknown", "x", f"box-{number}"), f"2001:db8::{number:x}")
    assert (len(noted), noted[None]) == (MAX_NAMED + 1, 7)
    assert (claimed["2001:db8::0"], claimed[None]) == ({"box-0"}, {None})
    now = 61.0
    at_the_door.note(RefusedError(403, "handshake", "x"), "192.0.2.7")
    assert noted["192.0.2.7"] == 1


def test_a_certificate_that_was_not_recorded_is_refused(collector: CollectorProcess, tmp_path: Path) -> None:
    # as by one who has a copy of the authority's key
    authority = Authority.open(collector.config.authority_dir, collector.config.tls.names)
    request = Request("ghost")
    certificate, _ = authority.box_certificate(request.csr, "ghost", 90)
    identity = Identity(tmp_path / "ghost")
    identity.save(request.key_with(certificate), collector.enrolled("not-ghost").identity.collector())
    answer = EnrolledBox("ghost", identity, collector.ingest_url).send([(1, call_line(1))])
    refused(collector, answer, 403, "unknown_certificate", None)


def test_a_revoked_box_is_refused_from_its_next_report_on(collector: CollectorProcess) -> None:
    box = collector.enrolled("edge-revoked")
    assert box.send([(1, call_line(1))]).status_code == 200
    store = collector.store()
    store.fleet.revoke("edge-revoked", "test")
    refused(collector, box.send([(2, call_line(2))]), 403, "revoked", "edge-revoked")
    renewal = box.client.post(f"{box.url}/v1/renew", json={"csr": Request("edge-revoked").csr})
    assert renewal.status_code == 403
    assert store.fleet.box("edge-revoked").items == 1
    store.close()


def test_a_batch_under_another_boxs_name_is_refused(collector: CollectorProcess, honest: EnrolledBox) -> None:
    box = collector.enrolled("edge-liar")
    refused(collector, box.send([(1, call_line(1))], box="honest"), 403, "other_box", "edge-liar")


@pytest.mark.parametrize("sequences", [(2, 1), (3, 3), (1, 1 << 61)], ids=str)
def test_forged_sequence_numbers_are_refused(collector: CollectorProcess, sequences: tuple[int, ...]) -> None:
    box = collector.enrolled(f"edge-forger-{sequences[0]}")
    answer = box.send([(sequence, call_line(1)) for sequence in sequences])
    refused(collector, answer, 422, "sequence", box.name)


def test_a_sequence_number_far_ahead_is_refused_and_blocks_nothing(collector: CollectorProcess) -> None:
    box = collector.enrolled("edge-ahead")
    assert box.send([(1, call_line(1))]).status_code == 200
    refused(collector, box.send([(1 << 40, call_line(2))]), 422, "sequence", "edge-ahead")
    assert box.send([(2, call_line(2))]).json()["stored"] == 1


@pytest.mark.parametrize("offset", [DAY, -DAY], ids=["a day ahead", "a day behind"])
def test_a_clock_that_is_off_by_a_day_is_refused(collector: CollectorProcess, offset: timedelta) -> None:
    box = collector.enrolled(f"edge-clock-{offset.days % 7}")
    refused(collector, box.send([(1, call_line(1))], sent=sent_at(offset)), 422, "clock", box.name)


def test_a_body_that_is_too_large_is_refused_whether_its_length_is_declared_or_not(collector: CollectorProcess) -> None:
    box = collector.enrolled("edge-large")
    body = b" " * (257 * 1024)
    refused(collector, box.post(body), 413, "too_large", "edge-large")
    chunked = box.client.post(f"{box.url}/v1/batches", content=iter([body[:200_000], body[200_000:]]))
    refused(collector, chunked, 413, "too_large", "edge-large")


def test_a_bomb_is_not_unpacked(collector: CollectorProcess, honest: EnrolledBox) -> None:
    box = collector.enrolled("edge-bomb")
    bomb = gzip.compress(b" " * (200 << 20))
    assert len(bomb) < 256 * 1024
    refused(collector, box.post(bomb, Content_Encoding="gzip"), 413, "too_large", "edge-bomb")
    assert collector.process is not None
    status = Path(f"/proc/{collector.process.pid}/status").read_text()
    peak_kib = int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])
    assert peak_kib < 300 * 1024


BROKEN = {
    "empty": (b"", ""),
    "not text": (b"\xff\xfe", ""),
    "a list": (b"[]", ""),
    "an object": (b"{}", ""),
    "deep": (b"[" * 200_000, ""),
    "not gzip": (b"not gzip", "gzip"),
    "cut gzip": (gzip.compress(b"{}")[:-6], "gzip"),
    "two members": (gzip.compress(b"{}") * 2, "gzip"),
}


def test_what_is_no_batch_is_refused(collector: CollectorProcess) -> None:
    box = collector.enrolled("edge-broken")
    answers = {name: box.post(body, Content_Encoding=encoding) for name, (body, encoding) in BROKEN.items()}
    assert {name: answer.status_code for name, answer in answers.items()} == dict.fromkeys(BROKEN, 400)
    for answer in answers.values():
        refused(collector, answer, 400, "malformed", "edge-broken")


def test_another_encoding_and_another_schema_are_refused_by_name(collector: CollectorProcess) -> None:
    box = collector.enrolled("edge-modern")
    refused(collector, box.post(b"{}", Content_Encoding="br"), 415, "encoding", "edge-modern")
    refused(collector, box.post(json.dumps({"schema": 7}).encode()), 422, "schema", "edge-modern")


def test_a_box_above_its_rate_waits_as_long_as_it_is_told_and_others_do_not(
    collector: CollectorProcess, honest: EnrolledBox
) -> None:
    box = collector.enrolled("edge-loud")
    answers = [box.send([(n * 1000 + i, minute()) for i in range(1, 801)]) for n in range(3)]
    assert answers[0].status_code == 200
    assert answers[-1].status_code == 429
    assert answers[-1].json()["type"] == "urn:sipwarden:problem:limited"
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 10
    noted(collector, "limited", "edge-loud")
    assert honest.send([(100, call_line(100))]).status_code == 200


def test_honest_boxes_are_served_while_rogues_try_everything(collector: CollectorProcess, honest: EnrolledBox) -> None:
    rogue = collector.enrolled("edge-rogue")
    deep = b"[" * 200_000
    attacks = [
        deep,
        gzip.compress(b" " * (50 << 20)),
        encode_batch("honest", "aaaaaaaa", sent_at(DAY * 0), [(1, b"{}")]),
    ]

    def attack(number: int) -> int:
        body = attacks[number % len(attacks)]
        return rogue.post(body, Content_Encoding="gzip" if number % len(attacks) == 1 else "").status_code

    with ThreadPoolExecutor(4) as pool:
        attacking = [pool.submit(attack, number) for number in range(60)]
        answers = [honest.send([(200 + number, call_line(200 + number))]) for number in range(10)]
        assert {future.result() for future in attacking} <= {400, 403, 413}
    assert [answer.json().get("stored") for answer in answers] == [1] * 10


# --- enrolment


def enrolment(collector: CollectorProcess, token: str, box: str, csr: str | None = None) -> httpx.Response:
    body = {"token": token.partition(".")[0], "box": box, "csr": csr or Request(box).csr}
    return enrolment_of(collector, json.dumps(body).encode())


def enrolment_of(collector: CollectorProcess, body: bytes) -> httpx.Response:
    authority = Authority.open(collector.config.authority_dir, collector.config.tls.names)
    context = ssl.create_default_context(cadata=authority.root_pem)
    with httpx.Client(verify=context, timeout=PATIENCE_S, trust_env=False) as client:
        return client.post(f"{collector.enrolment_url}/v1/enrol", content=body)


def test_a_token_is_good_once(collector: CollectorProcess) -> None:
    token = collector.token()
    assert enrolment(collector, token, "edge-first").status_code == 200
    refused(collector, enrolment(collector, token, "edge-second"), 403, "token_used", "edge-second")


def test_a_token_that_expired_or_never_was_is_refused(collector: CollectorProcess) -> None:
    refused(
        collector, enrolment(collector, collector.token(lifetime_s=0), "edge-late"), 403, "token_expired", "edge-late"
    )
    refused(collector, enrolment(collector, "A" * 24, "edge-guess"), 403, "token_unknown", "edge-guess")


def test_a_token_for_one_box_enrols_no_other(collector: CollectorProcess) -> None:
    token = collector.token("edge-mine")
    refused(collector, enrolment(collector, token, "edge-yours"), 403, "token_other_box", "edge-yours")
    assert enrolment(collector, token, "edge-mine").status_code == 200, "a refusal does not use it up"


def test_an_enrolled_box_is_replaced_only_with_a_token_for_it_and_then_its_old_certificate_is_void(
    collector: CollectorProcess,
) -> None:
    box = collector.enrolled("edge-twice")
    refused(collector, enrolment(collector, collector.token(), "edge-twice"), 409, "box_exists", "edge-twice")
    collector.folder.joinpath("boxes", "edge-twice").rename(collector.folder / "boxes" / "edge-old")
    assert collector.enrolled("edge-twice", collector.token("edge-twice")).send([(1, call_line(1))]).status_code == 200
    refused(collector, box.send([(2, call_line(2))]), 403, "revoked", "edge-twice")


def test_a_request_that_is_none_is_refused_and_the_token_stays_good(collector: CollectorProcess) -> None:
    token = collector.token()
    refused(collector, enrolment(collector, token, "edge-csr", "nonsense"), 400, "malformed", "edge-csr")
    assert enrolment(collector, token, "edge-csr").status_code == 200


@pytest.mark.parametrize("body", [b"", b"[]", b'{"token":"\xff"}', b'{"x":' + b"[" * 16_000], ids=lambda body: body[:9])
def test_a_request_that_cannot_be_read_is_refused(collector: CollectorProcess, body: bytes) -> None:
    refused(collector, enrolment_of(collector, body), 400, "malformed", None)


def test_two_at_once_with_one_token_enrol_one_box(collector: CollectorProcess) -> None:
    token = collector.token()
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda n: enrolment(collector, token, f"edge-race-{n}").status_code, range(4)))
    assert sorted(answers) == [200, 403, 403, 403]


def test_attempts_from_one_address_are_limited(tmp_path: Path) -> None:
    collector = CollectorProcess(tmp_path, extra="[enrolment]\nattempts_per_minute = 3\n").start()
    answers = [enrolment(collector, "A" * 24, "edge-guess") for _ in range(5)]
    assert [answer.status_code for answer in answers] == [403, 403, 403, 429, 429]
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 21
    assert collector.stop() == 0


def test_a_box_does_not_tell_its_token_to_one_who_only_says_to_be_the_collector(
    collector: CollectorProcess, tmp_path: Path
) -> None:
    secret, fingerprint = split_token(collector.token())
    with pytest.raises(IdentityError, match="another fingerprint"):
        fetch_ca(collector.enrolment_url, "0" * 64, None)
    stranger = Authority.open(tmp_path / "stranger", ["127.0.0.1"]).root_pem
    identity = Identity(tmp_path / "box")
    with pytest.raises(IdentityError, match="cannot be reached"):
        enroll(collector.enrolment_url, secret, "edge-careful", stranger, None, identity)
    assert not identity.exists
    assert fetch_ca(collector.enrolment_url, fingerprint, None).startswith("-----BEGIN CERTIFICATE")


def test_a_box_does_not_tell_its_token_in_the_clear(tmp_path: Path) -> None:
    identity = Identity(tmp_path)
    root = Authority.open(tmp_path / "authority", ["127.0.0.1"]).root_pem
    with socket.create_server(("127.0.0.1", 0)) as eavesdropper:
        url = f"http://127.0.0.1:{eavesdropper.getsockname()[1]}"
        with pytest.raises(IdentityError, match="begins with https://"):
            enroll(url, "secret", "edge-1", root, None, identity)
        with pytest.raises(IdentityError, match="begins with https://"):
            fetch_ca(url, "0" * 64, None)


def test_the_authority_does_not_vouch_for_names_that_it_was_not_made_for(tmp_path: Path) -> None:
    authority = Authority.open(tmp_path, ["collector.example", "192.0.2.1"])
    authority.server_certificate(tmp_path, ["collector.example"])
    with pytest.raises(AuthorityError, match=r"bank\.example"):
        authority.server_certificate(tmp_path, ["bank.example"])


def test_a_certificate_that_its_key_is_not_of_is_made_anew(tmp_path: Path) -> None:
    authority = Authority.open(tmp_path, ["collector.example"])
    certificate, key = authority.server_certificate(tmp_path, ["collector.example"])
    before = certificate.read_bytes()
    assert authority.server_certificate(tmp_path, ["collector.example"])[0].read_bytes() == before
    self_signed(key)  # as when the power failed between the two
    authority.server_certificate(tmp_path, ["collector.example"])
    server_context(certificate, key, None)


def test_a_box_may_not_have_many_batches_under_way_at_once(collector: CollectorProcess) -> None:
    box = collector.enrolled("edge-many")
    context = box.identity.context(box.identity.collector().ca)
    head = b"POST /v1/batches HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"
    with contextlib.ExitStack() as stack:
        heard: dict[ssl.SSLSocket, bytes] = {}
        for _ in range(MAX_UNDER_WAY + 1):
            plain = stack.enter_context(socket.create_connection(("127.0.0.1", collector.ingest_port), PATIENCE_S))
            slow = stack.enter_context(context.wrap_socket(plain, server_hostname="127.0.0.1"))
            slow.sendall(head)
            slow.setblocking(False)
            heard[slow] = b""

        def answered() -> list[bytes]:
            for slow in heard:
                with contextlib.suppress(ssl.SSLWantReadError):
                    heard[slow] += slow.recv(4096)
            return [said for said in heard.values() if said]

        until(answered)  # whichever came last
        assert [b"429 Too Many Requests" in said for said in answered()] == [True]
    until(lambda: box.send([(1, call_line(1))]).status_code == 200)  # it noticed that they are gone
