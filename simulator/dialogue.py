"""From an intent to its SIP messages, as the server's edge sees them (RFC 3261 13, 15, 9, 17; RFC 3262; RFC 4028).

Theory of operation. Every call is one dialog between a caller's device and the server (a B2BUA: what lies behind it is
another leg, which this mirror does not see). `Dialogue.play` walks the call in time: INVITE, perhaps a challenge,
ringing, the end. A message that is lost between the ends is sent again by the timers of RFC 3261 17 (T1 = 500 ms,
doubling); half of the lost ones are lost beyond the mirror, so the capture has them twice.
"""
from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from random import Random
from time import gmtime

from simulator.intent import Call, Endpoint, Intent, Line, Outcome, Request
from simulator.media import Flow
from simulator.message import Description, Fields, render, status_line
from simulator.network import Frame, Mirror
from simulator.rhythm import NS_PER_S, log_normal
from simulator.scenario import Media, Network
from simulator.town import Town

T1_NS, T2_NS = NS_PER_S // 2, 4 * NS_PER_S
INVITE_SENDINGS = 7             # timer B: 64 * T1 after the first, RFC 3261 17.1.1.2
HOLD_RATIO = 0.03               # of answered calls longer than a minute
_SERVER_WORK_NS = (300_000, 4_000_000)
_RINGING_THEN_STATUS = {404, 484, 401, 403, 488, 500, 503}      # these come without ringing


@dataclass(slots=True)
class Played:
    """What one intent became."""

    call_id: str
    frames: list[Frame] = field(default_factory=list)
    flows: list[Flow] = field(default_factory=list)


@lru_cache(maxsize=4096)
def http_date(second: int) -> str:
    """RFC 1123 date, always in English and GMT (RFC 3261 20.17)."""
    at = gmtime(second)
    day = "Mon Tue Wed Thu Fri Sat Sun".split()[at.tm_wday]
    month = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()[at.tm_mon - 1]
    return f"{day}, {at.tm_mday:02d} {month} {at.tm_year} {at.tm_hour:02d}:{at.tm_min:02d}:{at.tm_sec:02d} GMT"


class Dialogue:
    """Plays the intents of one town."""

    def __init__(self, town: Town, network: Network, media: Media, mirror: Mirror, rng: Random):
        self._town, self._network, self._media, self._mirror, self._rng = town, network, media, mirror, rng
        self._used: set[str] = set()        # Call-IDs; some products draw them from a small space
        self.server_style = town.style("carrier", rng)
        self.server_agent = rng.choice(self.server_style.agents)

    def play(self, intent: Intent) -> Played:
        leg = _Leg(self, intent.line, self._call_id(intent.line))
        if isinstance(intent, Call):
            leg.play_call(intent)
        else:
            leg.play_request(intent)
        return leg.played

    def _call_id(self, line: Line) -> str:
        while True:
            token = line.style.call_id(self._rng)
            call_id = f"{token}@{line.endpoint.address}" if line.style.call_id_host else token
            if call_id not in self._used:
                self._used.add(call_id)
                return call_id


class _Leg:
    """One Call-ID between a line and the server."""

    def __init__(self, dialogue: Dialogue, line: Line, call_id: str):
        self.dialogue, self.line, self.call_id = dialogue, line, call_id
        self.rng, self.town = dialogue._rng, dialogue._town
        self.style, self.server = line.style, dialogue._town.server
        self.played = Played(call_id)
        self.cseq = int(self.style.first_cseq(self.rng))
        self.server_cseq = self.rng.randrange(1, 200)
        self.local_tag = self.style.tag(self.rng)
        self.server_tag = dialogue.server_style.tag(self.rng)
        name = f'"{line.display_name}" ' if line.display_name else ""
        self.own = f"{name}<sip:{line.user}@{line.domain}{self.style.uri_parameters}>"
        self.other = ""
        self.uri = ""
        self.via = ""
        endpoint = line.endpoint
        self.contact = f"<sip:{line.user}@{endpoint.address}:{endpoint.port}{self.style.contact_parameters}>"
        self.server_contact = f"<sip:{self.server.address}:{self.server.port}>"
        self.loss = dialogue._network.loss_ratio

    # --- time and transport

    def _way(self, at_ns: int, count: int = 2) -> int:
        """`count` one-way delays later, and the time the other end needs."""
        delay_ms = self.dialogue._network.delay_ms * count * self.rng.uniform(0.8, 1.6)
        return at_ns + int(delay_ms * 1e6) + int(self.rng.uniform(*_SERVER_WORK_NS))

    def _work(self, at_ns: int) -> int:
        return at_ns + int(self.rng.uniform(*_SERVER_WORK_NS))

    def _see(self, at_ns: int, data: bytes, inbound: bool) -> None:
        ends = (self.line.endpoint, self.server) if inbound else (self.server, self.line.endpoint)
        self.dialogue._mirror.see(self.played.frames, at_ns, *ends, data, inbound)

    def _deliver(self, at_ns: int, data: bytes, inbound: bool, again: bytes = b"") -> int:
        """Send until it arrives; `again` is the peer's message that is repeated meanwhile (200 while the ACK is missing)."""
        wait_ns = T1_NS
        while self.loss and self.rng.random() < self.loss:
            if self.rng.random() < 0.5:
                self._see(at_ns, data, inbound)
            at_ns += wait_ns
            wait_ns = min(2 * wait_ns, T2_NS)
            if again:
                self._see(at_ns, again, not inbound)
                at_ns = self._way(at_ns)
        self._see(at_ns, data, inbound)
        return at_ns

    # --- messages of the line and of the server

    def _new_via(self) -> None:
        endpoint = self.line.endpoint
        rport = ";rport" if self.style.rport else ""
        self.via = f"SIP/2.0/UDP {endpoint.address}:{endpoint.port}{rport};branch=z9hG4bK{self.style.branch(self.rng)}"

    def _fields(self, method: str, cseq: int, to_tag: bool) -> Fields:
        fields = {"Via": self.via, "From": f"{self.own};tag={self.local_tag}", "To": f"{self.other};tag={self.server_tag}" if to_tag else self.other,
                  "Call-ID": self.call_id, "CSeq": f"{cseq} {method}", "Max-Forwards": str(self.style.max_forwards)}
        if self.line.agent:
            fields["User-Agent"] = self.line.agent
        return fields

    def _request(self, method: str, cseq: int, to_tag: bool, at_ns: int, body: str = "", **extra: str) -> bytes:
        fields = self._fields(method, cseq, to_tag)
        if method not in ("ACK", "CANCEL"):
            fields["Contact"] = self.contact
        if method in ("INVITE", "UPDATE", "REGISTER", "OPTIONS"):
            style = self.style
            if style.allow:
                fields["Allow"] = style.allow
            if style.supported:
                fields["Supported"] = style.supported
            if method == "INVITE":
                fields.update(style.extras)
                if "Date" in fields:
                    fields["Date"] = http_date(at_ns // NS_PER_S)
                if style.session_timer_s:
                    fields["Session-Expires"] = str(style.session_timer_s)
                if style.asserts_identity:
                    fields["P-Asserted-Identity"] = f"<sip:{self.line.user}@{self.line.domain}>"
        if body:
            fields["Content-Type"] = "application/sdp"
        for name, value in extra.items():
            fields[name.replace("_", "-")] = value
        return render(f"{method} {self.uri} SIP/2.0", self.style, fields, body)

    def _reply(self, code: int, method: str, cseq: int, body: str = "", **extra: str) -> bytes:
        """The server's response to a request of the line."""
        endpoint = self.line.endpoint
        via = self.via.replace(";rport", f";received={endpoint.address};rport={endpoint.port}") if ";rport" in self.via else self.via
        style = self.dialogue.server_style
        fields = {"Via": via, "From": f"{self.own};tag={self.local_tag}", "To": self.other if code == 100 else f"{self.other};tag={self.server_tag}",
                  "Call-ID": self.call_id, "CSeq": f"{cseq} {method}"}
        if self.dialogue.server_agent:
            fields["User-Agent"] = self.dialogue.server_agent
        if method == "INVITE" and 101 <= code < 300:
            fields["Contact"] = self.server_contact
            fields["Allow"] = style.allow
        if body:
            fields["Content-Type"] = "application/sdp"
        for name, value in extra.items():
            fields[name.replace("_", "-")] = value
        return render(status_line(code), style, fields, body)

    def _server_request(self, method: str, **extra: str) -> tuple[str, bytes]:
        """The server's own request inside the dialog, and its Via for the answer."""
        style = self.dialogue.server_style
        via = f"SIP/2.0/UDP {self.server.address}:{self.server.port};branch=z9hG4bK{style.branch(self.rng)}"
        self.server_cseq += 1
        fields = {"Via": via, "From": f"{self.other};tag={self.server_tag}", "To": f"{self.own};tag={self.local_tag}", "Call-ID": self.call_id,
                  "CSeq": f"{self.server_cseq} {method}", "Max-Forwards": str(style.max_forwards), **extra}
        endpoint = self.line.endpoint
        return via, render(f"{method} sip:{self.line.user}@{endpoint.address}:{endpoint.port} SIP/2.0", style, fields)

    def _own_reply(self, code: int, via: str, method: str) -> bytes:
        fields = {"Via": via, "From": f"{self.other};tag={self.server_tag}", "To": f"{self.own};tag={self.local_tag}", "Call-ID": self.call_id,
                  "CSeq": f"{self.server_cseq} {method}"}
        if self.line.agent:
            fields["User-Agent"] = self.line.agent
        return render(status_line(code), self.style, fields)

    def _credentials(self, method: str) -> str:
        return (f'Digest username="{self.line.user}", realm="{self.server.address}", nonce="{self.rng.getrandbits(96):024x}", uri="{self.uri}", '
                f'response="{self.rng.getrandbits(128):032x}", algorithm=MD5')

    def _challenge(self) -> str:
        return f'Digest realm="{self.server.address}", nonce="{self.rng.getrandbits(96):024x}", algorithm=MD5, qop="auth"'

    # --- calls

    def play_call(self, call: Call) -> None:
        rng, town = self.rng, self.town
        self.uri = f"sip:{call.dialled}@{self.server.address}"
        self.other = f"<{self.uri}{self.style.uri_parameters}>"
        self._new_via()
        media_address = self.line.media_address or self.line.endpoint.address
        offer = Description(self.style.sdp, media_address, 2 * rng.randrange(5_000, 30_000), rng)
        answer = Description(self.dialogue.server_style.sdp, town.media_server, 2 * rng.randrange(5_000, 30_000), rng, answer_to=offer.codecs)
        body = offer.text()
        at_ns = call.start_ns
        if call.outcome is Outcome.UNREACHED:
            self._unreached(at_ns, self._request("INVITE", self.cseq, False, at_ns, body))
            return
        invite = self._request("INVITE", self.cseq, False, at_ns, body)
        at_ns = self._deliver(at_ns, invite, inbound=True)
        if self.line.challenged:
            at_ns = self._challenged_invite(at_ns, body)
        ringing_ns = at_ns + int(call.post_dial_delay_s * NS_PER_S)
        self._see(self._work(at_ns), self._reply(100, "INVITE", self.cseq), inbound=False)
        end_ns = ringing_ns + int(call.ring_s * NS_PER_S)
        if call.ring_s and call.status_code not in _RINGING_THEN_STATUS:
            end_ns = max(end_ns, self._ring(ringing_ns, answer))
        if call.outcome is Outcome.ANSWERED:
            self._answered(end_ns, call, offer, answer)
        elif call.outcome is Outcome.CANCELLED:
            self._cancelled(end_ns)
        else:
            self._refused(end_ns, call.status_code)

    def _unreached(self, at_ns: int, invite: bytes) -> None:
        wait_ns = T1_NS
        for _ in range(INVITE_SENDINGS):
            self._see(at_ns, invite, inbound=True)
            at_ns += wait_ns
            wait_ns *= 2

    def _challenged_invite(self, at_ns: int, body: str) -> int:
        """407, ACK, and the INVITE once more with credentials and the next CSeq (RFC 3261 22.3)."""
        challenge = self._reply(407, "INVITE", self.cseq, Proxy_Authenticate=self._challenge())
        at_ns = self._deliver(self._work(at_ns), challenge, inbound=False)
        at_ns = self._way(at_ns)
        self._see(at_ns, self._request("ACK", self.cseq, True, at_ns), inbound=True)
        self.cseq += 1
        self._new_via()
        at_ns = self._work(at_ns)
        again = self._request("INVITE", self.cseq, False, at_ns, body, Proxy_Authorization=self._credentials("INVITE"))
        return self._deliver(at_ns, again, inbound=True)

    def _ring(self, at_ns: int, answer: Description) -> int:
        """180, or 183 with early media; reliably when both can (RFC 3262 3). Returns when the exchange is over."""
        style, rng = self.dialogue.server_style, self.rng
        early = rng.random() < style.early_media
        body, code = (answer.text(), 183) if early else ("", 180)
        if rng.random() >= self.style.reliable_provisional or "100rel" not in style.supported:
            self._see(at_ns, self._reply(code, "INVITE", self.cseq, body), inbound=False)
            return at_ns
        sequence = rng.randrange(1, 9000)
        via, invite_cseq = self.via, self.cseq
        ringing = self._reply(code, "INVITE", invite_cseq, body, Require="100rel", RSeq=str(sequence))
        at_ns = self._way(self._deliver(at_ns, ringing, inbound=False))
        self.cseq += 1
        self._new_via()
        prack = self._request("PRACK", self.cseq, True, at_ns, RAck=f"{sequence} {invite_cseq} INVITE")
        at_ns = self._work(self._deliver(at_ns, prack, inbound=True))
        self._see(at_ns, self._reply(200, "PRACK", self.cseq), inbound=False)
        self.via, self._invite_cseq = via, invite_cseq
        return at_ns

    @property
    def invite_cseq(self) -> int:
        """The CSeq number of the INVITE, which a PRACK has moved past."""
        return getattr(self, "_invite_cseq", self.cseq)

    def _answered(self, at_ns: int, call: Call, offer: Description, answer: Description) -> None:
        at_ns = self._accept(at_ns, answer)
        end_ns = at_ns + int(call.talk_s * NS_PER_S)
        self._stream(call, at_ns, offer, answer)
        self._refresh(at_ns, end_ns, offer, answer)
        if call.caller_hangs_up:
            self._bye(end_ns)
        else:
            via, bye = self._server_request("BYE")
            end_ns = self._deliver(end_ns, bye, inbound=False)
            self._deliver(self._way(end_ns), self._own_reply(200, via, "BYE"), inbound=True)

    def _accept(self, at_ns: int, answer: Description, direction: str = "") -> int:
        """200 with the answer, and its ACK: a transaction of its own (RFC 3261 13.2.2.4). Returns when the 200 came."""
        cseq = self.invite_cseq
        accepted = self._reply(200, "INVITE", cseq, answer.text(direction))
        at_ns = self._deliver(at_ns, accepted, inbound=False)
        self._new_via()
        self.uri = self.server_contact[1:-1]
        acknowledged_ns = self._way(at_ns)
        self._deliver(acknowledged_ns, self._request("ACK", cseq, True, acknowledged_ns), inbound=True, again=accepted)
        return at_ns

    def _bye(self, at_ns: int) -> None:
        self.cseq += 1
        self._new_via()
        at_ns = self._deliver(at_ns, self._request("BYE", self.cseq, True, at_ns), inbound=True)
        self._deliver(self._work(at_ns), self._reply(200, "BYE", self.cseq), inbound=False)

    def _refresh(self, at_ns: int, end_ns: int, offer: Description, answer: Description) -> None:
        """Session timers (RFC 4028 7.4: at half the interval) and now and then a hold, inside an answered call."""
        if end_ns - at_ns > 60 * NS_PER_S and self.rng.random() < HOLD_RATIO:
            third = (end_ns - at_ns) // 3
            self._offer_again(at_ns + third, offer, answer, "sendonly", "recvonly")
            self._offer_again(at_ns + 2 * third, offer, answer, "sendrecv", "sendrecv")
        period_ns = self.style.session_timer_s * NS_PER_S // 2
        due_ns = at_ns + period_ns
        while period_ns and due_ns < end_ns - NS_PER_S:
            if "UPDATE" in self.style.allow:
                self.cseq += 1
                self._new_via()
                update = self._request("UPDATE", self.cseq, True, due_ns, Session_Expires=f"{self.style.session_timer_s};refresher=uac")
                arrived_ns = self._deliver(due_ns, update, inbound=True)
                self._deliver(self._work(arrived_ns), self._reply(200, "UPDATE", self.cseq), inbound=False)
            else:
                self._offer_again(due_ns, offer, answer, "", "")
            due_ns += period_ns

    def _offer_again(self, at_ns: int, offer: Description, answer: Description, direction: str, answered: str) -> None:
        self.cseq += 1
        self._invite_cseq = self.cseq
        self._new_via()
        at_ns = self._deliver(at_ns, self._request("INVITE", self.cseq, True, at_ns, offer.text(direction)), inbound=True)
        self._accept(self._work(at_ns), answer, answered)

    def _cancelled(self, at_ns: int) -> None:
        """CANCEL has the INVITE's branch and CSeq number (RFC 3261 9.1); 200 to it, 487 to the INVITE, ACK."""
        cseq = self.invite_cseq
        arrived_ns = self._deliver(at_ns, self._request("CANCEL", cseq, False, at_ns), inbound=True)
        answered_ns = self._work(arrived_ns)
        self._deliver(answered_ns, self._reply(200, "CANCEL", cseq), inbound=False)
        self._refused(self._work(answered_ns), 487)

    def _refused(self, at_ns: int, code: int) -> None:
        """A final response that is no 2xx, and the ACK of the same transaction (RFC 3261 17.1.1.3)."""
        cseq = self.invite_cseq
        at_ns = self._deliver(at_ns, self._reply(code, "INVITE", cseq), inbound=False)
        at_ns = self._way(at_ns)
        self._see(at_ns, self._request("ACK", cseq, True, at_ns), inbound=True)

    def _stream(self, call: Call, at_ns: int, offer: Description, answer: Description) -> None:
        media = self.dialogue._media
        if not (call.with_media and media.share and self.rng.random() < media.share):
            return
        seconds = min(call.talk_s, media.limit_s)
        here, there = Endpoint(offer.address, offer.port), Endpoint(answer.address, answer.port)
        self.played.flows = [
            Flow(source, destination, at_ns, seconds, answer.voice, inbound, self.rng.random() < media.silence_suppression_ratio, self.rng.getrandbits(64))
            for source, destination, inbound in ((here, there, True), (there, here, False))
        ]

    # --- requests outside calls

    def play_request(self, request: Request) -> None:
        if request.target:
            self.server = Endpoint(request.target)
        register = request.method == "REGISTER"
        self.uri = f"sip:{self.server.address}" if register else f"sip:{request.user}@{self.server.address}"
        self.own = f"<sip:{request.user}@{self.server.address}>"
        self.other = self.own if register else f"<{self.uri}>"
        self.contact = f"<sip:{request.user}@{self.line.endpoint.address}:{self.line.endpoint.port}>"
        at_ns, credentials = request.start_ns, {}
        for code in request.status_codes:
            self._new_via()
            extra = {"Expires": str(request.expires_s)} if register else {}
            data = self._request(request.method, self.cseq, False, at_ns, **extra, **credentials)
            if not code:
                self._see(at_ns, data, inbound=True)
                return
            at_ns = self._deliver(at_ns, data, inbound=True)
            challenge = {"WWW_Authenticate": self._challenge()} if code == 401 else {}
            at_ns = self._deliver(self._work(at_ns), self._reply(code, request.method, self.cseq, **challenge), inbound=False)
            credentials = {"Authorization": self._credentials(request.method)} if code == 401 else {}
            self.cseq += 1
            at_ns = self._way(at_ns)
