"""From an intent to its SIP messages, as the server's edge sees them (RFC 3261 9, 13, 15, 22; RFC 3262; RFC 4028).

Theory of operation. Every call is one dialog between a caller's device and the server, a B2BUA: what lies behind it is
another leg, which this mirror does not see. A call is walked in time:

    INVITE, 100 -> (407, ACK, INVITE, 100) -> (180 or 183, perhaps PRACK) -> 200, ACK -> (hold, refresh) -> BYE, 200
                                                                          -> CANCEL, 200, 487, ACK
                                                                          -> 4xx 5xx 6xx, ACK
    INVITE again and again, no reply
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from random import Random

import msgspec

from simulator.description import Description
from simulator.identity import Claim, fields
from simulator.intent import Call, Datagram, Endpoint, Intent, Line, Outcome, Request
from simulator.leg import Leg, Server
from simulator.media import Flow
from simulator.network import Frame, Mirror
from simulator.rhythm import NS_PER_S
from simulator.scenario import Media, Network
from simulator.town import Town
from simulator.transport import Transport
from simulator.vendors import REMOTE_BUSY

HOLD_RATIO, HOLD_FROM_S = 0.03, 60  # share of the calls of a minute and longer that are held once


@dataclass(slots=True)
class Played:
    """What one intent became."""

    call_id: str
    frames: list[Frame]
    flows: list[Flow] = field(default_factory=list)


class Dialogue:
    """Plays the intents of one town."""

    def __init__(self, town: Town, network: Network, media: Media, mirror: Mirror, rng: Random):
        style = town.style("carrier", rng)
        if network.remote_busy:
            style = msgspec.structs.replace(style, reasons=style.reasons | REMOTE_BUSY)
        self.server = Server(town.server, town.media_server, style, rng.choice(style.agents))
        self._network, self._media, self._mirror, self._rng = network, media, mirror, rng
        self._used: set[str] = set()
        self._series: dict[tuple[str, str], tuple[str, int]] = {}  # address and series -> Call-ID, latest CSeq

    def play(self, intent: Intent) -> Played:
        if isinstance(intent, Datagram):
            return self._exchange(intent)
        line, server, target = intent.line, self.server, self.server.endpoint
        if isinstance(intent, Request) and intent.target:
            target = Endpoint(intent.target, intent.target_port)
        elif isinstance(intent, Call) and intent.target:
            target = Endpoint(intent.target)
        far = intent.far if isinstance(intent, Call) else None
        outbound = line.endpoint == self.server.endpoint
        if outbound:
            line = replace(line, style=server.style, agent=server.agent)
        if far:
            server, target = Server(far.endpoint, far.endpoint.address, far.style, far.agent), far.endpoint
        series = (line.endpoint.address, intent.series) if isinstance(intent, Request) and intent.series else None
        call_id, cseq = self._series.get(series, ("", 0)) if series else ("", 0)
        leg = Leg(line, server, call_id or self._call_id(line), self._rng, target)
        if call_id:
            leg.cseq = cseq
        transport = Transport(self._network, self._mirror, self._rng, line.endpoint, target, outbound=outbound)
        played = Played(leg.call_id, transport.frames)
        if isinstance(intent, Call):
            played.flows = _CallWalk(intent, leg, transport, self._rng, self._media).walk()
        else:
            _play_request(intent, leg, transport)
            if series:
                self._series[series] = leg.call_id, leg.cseq
        return played

    def _exchange(self, intent: Datagram) -> Played:
        here, there = intent.line.endpoint.address, intent.target or self.server.endpoint.address
        ends = Endpoint(here, intent.port), Endpoint(there, intent.port)
        transport = Transport(self._network, self._mirror, self._rng, *ends)
        transport.once(intent.start_ns, intent.payload, inbound=True)
        transport.once(transport.work(intent.start_ns), intent.reply, inbound=False)
        return Played("", transport.frames)

    def _call_id(self, line: Line) -> str:
        """A Call-ID that is new: some products draw theirs from a small space."""
        while True:
            call_id = line.style.call_id.draw(self._rng, line.endpoint.address)
            if call_id not in self._used:
                self._used.add(call_id)
                return call_id


class _CallWalk:
    """One call from its INVITE to its end."""

    def __init__(self, call: Call, leg: Leg, transport: Transport, rng: Random, media: Media):
        self._call, self._leg, self._transport, self._rng, self._media = call, leg, transport, rng, media
        line, style = leg.line, leg.line.style
        user_phone = ";user=phone" if style.user_phone else ""
        display_name = f'"{line.user.capitalize()}" ' if style.display_name else ""
        leg.user = line.user
        leg.uri = f"sip:{call.dialled}@{leg.target.address}"
        leg.own = f"{display_name}<sip:{line.user}@{line.domain}{user_phone}>"
        leg.other = f"<{leg.uri}{user_phone}>"
        asserted = line.asserted or line.number
        if call.diverted_by and line.identity.diverter_asserted:
            asserted = call.diverted_by
        claim = Claim(line.number, asserted, call.callee, call.diverted_by, line.endpoint.address)
        leg.identity = fields(claim, line.identity, rng, call.start_ns)
        self._offer = Description(style.sdp, line.endpoint.address, _media_port(rng), rng)
        self._answer = Description(
            leg.server.style.sdp, leg.server.media_address, _media_port(rng), rng, self._offer.codecs
        )
        self._invite_cseq = 0

    def walk(self) -> list[Flow]:
        """Sends everything; returns the RTP that goes with it."""
        call, leg, transport = self._call, self._leg, self._transport
        if call.outcome is Outcome.UNREACHED:
            transport.in_vain(call.start_ns, self._invite(call.start_ns), leg.line.style.retransmits)
            return []
        at_ns = self._reach(call.start_ns)
        transport.once(transport.work(at_ns), leg.server_response(100, self._invite_cseq, "INVITE"), inbound=False)
        ringing_ns = at_ns + int(call.post_dial_delay_s * NS_PER_S)
        end_ns = ringing_ns + int(call.ring_s * NS_PER_S)
        if call.ring_s:
            end_ns = max(end_ns, self._ring(ringing_ns))
        if call.outcome is Outcome.ANSWERED:
            return self._talk(end_ns)
        if call.outcome is Outcome.CANCELLED:
            self._cancel(end_ns)
        else:
            self._refuse(end_ns, call.status_code)
        return []

    # --- before the end

    def _invite(self, at_ns: int, body: str = "", credentials: bool = False, in_dialog: bool = False) -> bytes:
        leg = self._leg
        self._invite_cseq = leg.next_transaction()
        more = {"Proxy-Authorization": leg.credentials()} if credentials else None
        return leg.request(
            "INVITE", self._invite_cseq, at_ns, body or self._described(self._offer), in_dialog=in_dialog, more=more
        )

    def _described(self, description: Description, direction: str = "") -> str:
        """A body, in calls that have any."""
        return description.text(direction) if self._leg.line.style.offers else ""

    def _reach(self, at_ns: int) -> int:
        """INVITE, and once more with credentials when challenged (RFC 3261 22.3); returns when it is accepted."""
        leg, transport = self._leg, self._transport
        line = self._call.line
        at_ns = transport.to_server(at_ns, self._invite(at_ns, credentials=line.cached_nonce))
        if not line.challenged:
            return at_ns
        at_ns = transport.to_line(transport.work(at_ns), self._final(407))
        at_ns = transport.round_trip(at_ns)
        transport.once(at_ns, leg.request("ACK", self._invite_cseq, at_ns, in_dialog=True), inbound=True)
        at_ns = transport.work(at_ns)
        return transport.to_server(at_ns, self._invite(at_ns, credentials=True))

    def _final(self, code: int) -> bytes:
        """A final response that is no 2xx, with what belongs to it."""
        asked = {"Proxy-Authenticate": self._leg.challenge()} if code == 407 else None
        return self._leg.server_response(code, self._invite_cseq, "INVITE", more=asked)

    def _ring(self, at_ns: int) -> int:
        """180, or 183 with early media; reliably when both can (RFC 3262 3). Returns when the exchange is over."""
        leg, transport, rng = self._leg, self._transport, self._rng
        style = leg.server.style
        code, body = (183, self._described(self._answer)) if rng.random() < style.early_media else (180, "")
        if rng.random() >= leg.line.style.reliable or "100rel" not in style.supported:
            transport.once(at_ns, leg.server_response(code, self._invite_cseq, "INVITE", body), inbound=False)
            return at_ns
        sequence, invite_via = rng.randrange(1, 9000), leg.via
        more = {"Require": "100rel", "RSeq": str(sequence)}
        at_ns = transport.to_line(at_ns, leg.server_response(code, self._invite_cseq, "INVITE", body, more))
        at_ns = transport.round_trip(at_ns)
        self._in_dialog("PRACK", at_ns, {"RAck": f"{sequence} {self._invite_cseq} INVITE"})
        leg.via = invite_via
        return at_ns

    def _in_dialog(self, method: str, at_ns: int, more: dict[str, str] | None = None) -> None:
        """A request of the line inside the dialog, and its 200."""
        leg, transport = self._leg, self._transport
        cseq = leg.next_transaction()
        at_ns = transport.to_server(at_ns, leg.request(method, cseq, at_ns, in_dialog=True, more=more))
        transport.to_line(transport.work(at_ns), leg.server_response(200, cseq, method))

    # --- the ends

    def _talk(self, at_ns: int) -> list[Flow]:
        call, leg, transport = self._call, self._leg, self._transport
        at_ns = self._accept(at_ns)
        end_ns = at_ns + int(call.talk_s * NS_PER_S)
        self._hold(at_ns, end_ns)
        self._refresh(at_ns, end_ns)
        if call.caller_hangs_up:
            self._in_dialog("BYE", end_ns)
        else:
            via, bye = leg.server_request("BYE")
            arrived_ns = transport.to_line(end_ns, bye)
            transport.to_server(transport.round_trip(arrived_ns), leg.response(200, via, "BYE"))
        return self._flows(at_ns)

    def _accept(self, at_ns: int, direction: str = "") -> int:
        """200 with the answer and its ACK, a transaction of its own (RFC 3261 13.2.2.4); returns when the 200 came."""
        leg, transport = self._leg, self._transport
        accepted = leg.server_response(200, self._invite_cseq, "INVITE", self._described(self._answer, direction))
        at_ns = transport.to_line(at_ns, accepted)
        leg.new_branch()
        leg.uri = leg.server_uri
        acknowledged_ns = transport.round_trip(at_ns)
        acknowledgement = leg.request("ACK", self._invite_cseq, acknowledged_ns, in_dialog=True)
        transport.to_server(acknowledged_ns, acknowledgement, repeated=accepted)
        return at_ns

    def _hold(self, at_ns: int, end_ns: int) -> None:
        """Now and then the other side is held for a third of the call (RFC 3264 8.4)."""
        if end_ns - at_ns >= HOLD_FROM_S * NS_PER_S and self._rng.random() < HOLD_RATIO:
            third = (end_ns - at_ns) // 3
            self._offer_again(at_ns + third, "sendonly", "recvonly")
            self._offer_again(at_ns + 2 * third, "sendrecv", "sendrecv")

    def _refresh(self, at_ns: int, end_ns: int) -> None:
        """Session timer: UPDATE, or INVITE where there is no UPDATE, at half the interval (RFC 4028 7.4)."""
        style = self._leg.line.style
        period_ns = style.session_timer_s * NS_PER_S // 2
        due_ns = at_ns + period_ns
        while period_ns and due_ns < end_ns - NS_PER_S:
            if "UPDATE" in style.allow:
                self._in_dialog("UPDATE", due_ns, {"Session-Expires": f"{style.session_timer_s};refresher=uac"})
            else:
                self._offer_again(due_ns, "", "")
            due_ns += period_ns

    def _offer_again(self, at_ns: int, direction: str, answered: str) -> None:
        invite = self._invite(at_ns, self._described(self._offer, direction), in_dialog=True)
        at_ns = self._transport.to_server(at_ns, invite)
        self._accept(self._transport.work(at_ns), answered)

    def _cancel(self, at_ns: int) -> None:
        """CANCEL has the branch and the CSeq number of the INVITE (RFC 3261 9.1)."""
        leg, transport = self._leg, self._transport
        at_ns = transport.to_server(at_ns, leg.request("CANCEL", self._invite_cseq, at_ns))
        at_ns = transport.to_line(transport.work(at_ns), leg.server_response(200, self._invite_cseq, "CANCEL"))
        self._refuse(transport.work(at_ns), 487)

    def _refuse(self, at_ns: int, code: int) -> None:
        """A final response that is no 2xx, and the ACK of the same transaction (RFC 3261 17.1.1.3). A challenge to
        credentials says that the password was wrong."""
        leg, transport = self._leg, self._transport
        at_ns = transport.to_line(at_ns, self._final(code))
        at_ns = transport.round_trip(at_ns)
        transport.once(at_ns, leg.request("ACK", self._invite_cseq, at_ns, in_dialog=True), inbound=True)

    def _flows(self, at_ns: int) -> list[Flow]:
        """The RTP of the call both ways, when the scenario shows it."""
        media, rng = self._media, self._rng
        if not media.share or rng.random() >= media.share or not self._leg.line.style.offers:
            return []
        here, there = (Endpoint(side.address, side.port) for side in (self._offer, self._answer))
        seconds = min(self._call.talk_s, media.limit_s)
        ways = {
            "line": (here, there, True, self._call.caller_sound),
            "server": (there, here, False, self._call.callee_sound),
        }
        outbound, heard = self._transport.outbound, self._call.heard
        if media.one_way_ratio and rng.random() < media.one_way_ratio:
            heard = rng.choice(("line", "server"))
        return [
            Flow(source, destination, at_ns, seconds, self._answer.voice, from_line != outbound,
                 rng.random() < media.silence_suppression_ratio, rng.getrandbits(64), sound)
            for side, (source, destination, from_line, sound) in ways.items() if heard in ("both", side)
        ]  # fmt: skip


def _media_port(rng: Random) -> int:
    return 2 * rng.randrange(5_000, 30_000)


def _play_request(request: Request, leg: Leg, transport: Transport) -> None:
    """REGISTER or OPTIONS and its response, again with credentials after a 401 (RFC 3261 22.2)."""
    register = request.method == "REGISTER"
    leg.user = request.user
    leg.uri = f"sip:{leg.target.address}" if register else f"sip:{request.user}@{leg.target.address}"
    leg.own = f"<sip:{request.user}@{leg.target.address}>"
    leg.other = leg.own if register else f"<{leg.uri}>"
    at_ns, more = request.start_ns, {"Expires": str(request.expires_s)} if register else {}
    if request.authorized:
        more["Authorization"] = leg.credentials()
    for code in request.status_codes:
        cseq = leg.next_transaction()
        data = leg.request(request.method, cseq, at_ns, more=more)
        if not code:
            transport.once(at_ns, data, inbound=True)
            return
        at_ns = transport.to_server(at_ns, data)
        stale = request.stale and "Authorization" in more
        asked = {"WWW-Authenticate": leg.challenge(stale)} if code == 401 else None
        at_ns = transport.to_line(transport.work(at_ns), leg.server_response(code, cseq, request.method, more=asked))
        more = {**more, "Authorization": leg.credentials()}
        at_ns = transport.round_trip(at_ns)
