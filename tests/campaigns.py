"""Campaigns and their honest look-alikes, written by hand as plain SIP: nothing of the simulator is in them.

They are the outside judge of the call bundle: what a script of a few lines sends, and what an ordinary network does
that looks like it. No threshold, and nothing that teaches, may be set by them.

`python -m tests.campaigns` prints what the shipped bundles say of each, for docs/DETECTION.md.
"""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from tests.tap import Tap, calls_of, request, response, screen, udp_frame

SERVER = ("198.51.100.20", 5060)
Ends = tuple[str, int]


class Script:
    """Calls at chosen moments, in one capture; seconds count from its beginning."""

    def __init__(self, address: str = "192.0.2.10", requests_only: bool = False):
        self.source: Ends = (address, 5060)
        self.requests_only = requests_only
        self._tap = Tap()
        self._begins_s = self._tap.now_s
        self._count = 0
        self.bystanders: set[str] = set()  # Call-IDs of honest calls that share the address of a campaign

    def call(
        self,
        at_s: float,
        caller: str,
        callee: str,
        end: int | None,
        *,
        ring_s: float = 0.0,
        talk_s: float = 0.0,
        source: str = "",
        route: str = "",
        extra: tuple[str, ...] = (),
    ) -> str:
        """One call that ends with this status: 200 talks, 487 is given up by the caller, None gets no reply at all.
        Returns its Call-ID."""
        self._count += 1
        name = f"{self._count:05d}"
        call_id = f"{name}@script"
        known = {"call_id": call_id, "caller": caller, "callee": callee, "from_tag": f"f{name}"}
        here = (source, 5060) if source else self.source
        there = (route, 5060) if route else SERVER
        self._send(at_s, request("INVITE", branch=name, extra=extra, **known), here, there)
        if end is None:
            return call_id
        known["to_tag"] = f"t{name}"
        self._reply(at_s + 0.02, response(100, branch=name, **{**known, "to_tag": None}), here, there)
        if ring_s:
            self._reply(at_s + 0.1, response(180, branch=name, **known), here, there)
        end_s = at_s + 0.1 + ring_s
        if end == 487:
            self._send(end_s, request("CANCEL", branch=name, **{**known, "to_tag": None}), here, there)
            self._reply(end_s + 0.01, response(200, method="CANCEL", branch=name, **known), here, there)
        self._reply(end_s + 0.02, response(end, branch=name, **known), here, there)
        self._send(end_s + 0.04, request("ACK", branch=name if end >= 300 else f"a{name}", **known), here, there)
        if end == 200:
            bye_s = end_s + 0.04 + talk_s
            self._send(bye_s, request("BYE", cseq=2, branch=f"b{name}", **known), here, there)
            self._reply(bye_s + 0.01, response(200, method="BYE", cseq=2, branch=f"b{name}", **known), here, there)
        return call_id

    def write(self, path: Path) -> Path:
        self._tap.packets.sort(key=lambda packet: packet[0])
        return self._tap.write(path)

    def keep_alive(self, at_s: float, channel: int) -> None:
        """What a gateway of SIM cards at this address tells its manager."""
        text = (
            f"req:{channel};id:box{channel:02d};pass:x;num:{channel};signal:21;gsm_status:LOGIN;imei:35{channel:013d};"
        )
        self._send(at_s, text.encode(), (self.source[0], 40000), ("203.0.113.50", 44444))

    def _send(self, at_s: float, payload: bytes, here: Ends, there: Ends) -> None:
        self._tap.packets.append((self._begins_s + at_s, udp_frame(here, there, payload)))

    def _reply(self, at_s: float, payload: bytes, here: Ends, there: Ends) -> None:
        if not self.requests_only:
            self._tap.packets.append((self._begins_s + at_s, udp_frame(there, here, payload)))


def next_to(first: int, count: int) -> list[str]:
    return [f"+{first + k}" for k in range(count)]


def anywhere(seed: int, count: int, prefix: str = "+4420794", digits: int = 5) -> list[str]:
    rng = Random(seed)
    return [f"{prefix}{rng.randrange(10**digits):0{digits}d}" for _ in range(count)]


GERMAN, BRITISH = "+493012345678", 442079400000


def one_caller(
    callees: list[str], end: int | None, every_s: float, caller: str = GERMAN, **more: float
) -> Callable[[], Script]:
    """One number calls all of them, at an even beat, and all calls end alike."""

    def play() -> Script:
        script = Script()
        for k, callee in enumerate(callees):
            script.call(k * every_s, caller, callee, end, **more)
        return script

    return play


def any_caller(callers: list[str], callees: list[str], end: int | None, every_s: float, **more) -> Callable[[], Script]:
    """Another number at each call."""

    def play() -> Script:
        script = Script()
        for k, caller in enumerate(callers):
            script.call(k * every_s, caller, callees[k % len(callees)], end, **more)
        return script

    return play


def one_ring_unheard() -> Script:
    script = Script(requests_only=True)
    for k, callee in enumerate(anywhere(3, 150)):
        script.call(3.0 * k, "+252612345678", callee, 487, ring_s=2.0)
    return script


def prefix_scan() -> Script:
    script = Script()
    prefixes = ("00", "011", "9011", "900", "0", "9", "+", "", "000", "90", "8", "810", "0011", "99", "1", "7")
    for k in range(48):
        dialled = prefixes[k % len(prefixes)] + ("972592345678", "441904123456", "37190123456")[k // 16]
        script.call(2.0 * k, str(1000 + k // 4), dialled, 403)
    return script


def prefix_scan_refused_in_many_ways() -> Script:
    """Four neighbouring numbers in any order, from four extensions."""
    script, rng = Script(), Random(31)
    for k in range(60):
        dialled = rng.choice(("00", "011", "9", "900", "0", "810", "+", "000")) + f"97259200000{rng.randrange(4)}"
        script.call(1.5 * k, rng.choice(("100", "101", "1000", "200")), dialled, rng.choice((403, 404, 484, 503, None)))
    return script


def scattered_account() -> Script:
    script, rng = Script(), Random(32)
    for k, number in enumerate(anywhere(33, 6, "+5358", 6)):
        script.call(240.0 * k, GERMAN, number, 200, ring_s=6.0, talk_s=rng.uniform(200, 900))
    return script


def one_caller_of_many_ends() -> Script:
    script, rng = Script(), Random(34)
    for k in range(250):
        end = rng.choice((486, 603, 200))
        script.call(1.0 * k, GERMAN, "+442079400001", end, ring_s=1.0, talk_s=rng.uniform(2, 8))
    return script


def expensive_exchange() -> Script:
    script = Script()
    for k in range(40):
        script.call(30.0 * k, GERMAN, f"+25261{2000000 + k % 5}", 200, ring_s=2.0, talk_s=140.0)
    return script


def stolen_account() -> Script:
    script = Script()
    for k in range(6):
        script.call(90.0 * k, GERMAN, f"+88163{1000000 + k % 2}", 200, ring_s=3.0, talk_s=60.0)
    return script


def pumped_range() -> Script:
    script = Script()
    for k in range(120):
        script.call(
            20.0 * k, f"+4930555{1000 + 7 * (k % 5)}", f"+44871{2345000 + k % 6}", 200, ring_s=1.0, talk_s=300.0
        )
    return script


def asserted_elsewhere() -> Script:
    script = Script()
    for k, (caller, callee) in enumerate(zip(anywhere(5, 80, "+4420711"), anywhere(6, 80), strict=True)):
        asserted = f"P-Asserted-Identity: <sip:+2348031{k:06d}@carrier.example>"
        script.call(6.0 * k, caller, callee, 200, ring_s=3.0, talk_s=20.0, extra=(asserted,))
    return script


def shown_under(asserted: str, callers: list[str], callees: list[str], every_s: float = 6.0) -> Callable[[], Script]:
    """Another number at each call, under the one of the account that is used."""

    def play() -> Script:
        script, rng = Script(), Random(51)
        for k, (caller, callee) in enumerate(zip(callers, callees, strict=True)):
            end, talk_s = rng.choice((200, 200, 487, 486)), rng.uniform(8, 40)
            told = (f"Remote-Party-ID: <sip:{asserted}@carrier.example>;party=calling;screen=yes;privacy=off",)
            script.call(every_s * k, caller, callee, end, ring_s=4.0, talk_s=talk_s, extra=told)
        return script

    return play


def false_answers() -> Script:
    """A route to one country answers at once whom it cannot reach; all callers are honest."""
    script, rng = Script(), Random(31)
    for k, caller in enumerate(anywhere(32, 150)):
        callee = f"+92300{rng.randrange(10**7):07d}"
        script.call(10.0 * k, caller, callee, 200, talk_s=rng.uniform(3, 25), route="203.0.113.95")
    return script


def sim_gateway() -> Script:
    """Sixteen cards, calls like any exchange's, and keep-alives beside them."""
    script, rng = Script(), Random(33)
    cards = anywhere(34, 16, "+49170", 7)
    for k, callee in enumerate(anywhere(35, 200, "+49171", 7)):
        script.keep_alive(30.0 * k, k % 16)
        end = rng.choice((200, 200, 487, 486))
        script.call(30.0 * k + 5, rng.choice(cards), callee, end, ring_s=8.0, talk_s=rng.lognormvariate(4.5, 0.8))
    return script


# name -> (what plays it, the fraud types that a watched or flagged call of it may be named)
CAMPAIGNS: dict[str, tuple[Callable[[], Script], set[str]]] = {
    "next numbers, all answered": (one_caller(next_to(BRITISH, 200), 200, 8.0, ring_s=3.0, talk_s=4.0), {"robocall"}),
    "next numbers, answered at once": (one_caller(next_to(BRITISH, 200), 200, 1.0, talk_s=4.0), {"robocall"}),
    "next numbers, no reply": (one_caller(next_to(BRITISH, 200), None, 0.5), {"robocall"}),
    "next numbers, vacant": (one_caller(next_to(BRITISH, 200), 404, 0.5), {"robocall"}),
    "next numbers, busy": (one_caller(next_to(BRITISH, 200), 486, 0.5), {"robocall"}),
    "next numbers, declined": (one_caller(next_to(BRITISH, 200), 603, 0.5), {"robocall"}),
    "next numbers, from an extension": (
        one_caller(next_to(BRITISH, 200), 404, 0.5, caller="100"),
        {"robocall", "toll_fraud"},
    ),
    "any numbers, all answered": (one_caller(anywhere(1, 200), 200, 2.0, ring_s=3.0, talk_s=4.0), {"robocall"}),
    "any numbers, no reply": (one_caller(anywhere(2, 200), None, 1.0), {"robocall"}),
    "forty calls, all answered": (one_caller(next_to(BRITISH, 40), 200, 1.0, ring_s=0.5, talk_s=4.0), {"robocall"}),
    "another caller each time": (
        any_caller(anywhere(7, 200, "+4420711"), anywhere(8, 200), 200, 1.0, ring_s=1.0, talk_s=5.0),
        {"robocall", "caller_spoofing", "vishing"},
    ),
    "one ring": (one_caller(anywhere(3, 150), 487, 3.0, caller="+252612345678", ring_s=2.0), {"wangiri"}),
    "one ring, requests only": (one_ring_unheard, {"wangiri", "flash_call", "robocall"}),
    "prefix scan": (prefix_scan, {"toll_fraud", "irsf", "robocall"}),
    "prefix scan, refused in many ways": (prefix_scan_refused_in_many_ways, {"toll_fraud", "irsf", "robocall"}),
    # Calls of one length to a handful of neighbouring numbers are pumped, too.
    "expensive range, an exchange": (expensive_exchange, {"irsf", "toll_fraud", "call_pumping"}),
    "expensive range, an account": (stolen_account, {"irsf", "toll_fraud"}),
    "expensive country, an account": (scattered_account, {"irsf", "toll_fraud"}),
    "one callee, busy": (one_caller(["+442079400001"] * 200, 486, 0.3), {"tdos"}),
    "one callee, many ends": (one_caller_of_many_ends, {"tdos"}),
    "one callee, any callers": (
        any_caller(anywhere(9, 200, "+4420711"), ["+442079400001"], None, 0.3),
        {"tdos", "robocall", "caller_spoofing"},
    ),
    "numbers of one block ring once": (
        any_caller(next_to(493055501000, 150), anywhere(10, 150, "+447911"), 487, 1.5, ring_s=0.8),
        {"flash_call", "wangiri"},
    ),
    "pumped range": (pumped_range, {"call_pumping"}),
    "asserted elsewhere": (asserted_elsewhere, {"caller_spoofing", "robocall", "vishing"}),
    "one account, any numbers": (
        shown_under("+442079460000", anywhere(52, 120, "+447", 9), anywhere(53, 120, "+4420", 8)),
        {"caller_spoofing", "robocall", "vishing"},
    ),
    "one account, the callees' neighbours": (
        shown_under("+442079460000", anywhere(54, 80, "+4420794"), anywhere(55, 80, "+4420794")),
        {"caller_spoofing", "robocall", "vishing"},
    ),
    "one account abroad, any numbers": (
        shown_under("+4930123450000", anywhere(56, 120, "+447", 9), anywhere(57, 120, "+4420", 8), every_s=20.0),
        {"caller_spoofing", "robocall", "vishing"},
    ),
    "a route answers at once": (false_answers, {"false_answer"}),
    "sixteen cards": (sim_gateway, {"goip_gateway"}),
}


def on_a_trunk(play: Callable[[], Script]) -> Callable[[], Script]:
    """The campaign from an address behind which four hundred honest numbers call, too, for forty minutes before it."""

    def carried() -> Script:
        script, rng = play(), Random(23)
        friends = {number: anywhere(rng.randrange(10**6), 3, "+4930", 8) for number in anywhere(24, 400, "+49306", 7)}
        for _ in range(900):
            caller = rng.choice(list(friends))
            end = rng.choices((200, 487, 486, 404), (60, 25, 10, 5))[0]
            at_s, talk_s = rng.uniform(-2400, 1200), min(1200.0, rng.lognormvariate(4.2, 1.1))
            ring_s = rng.uniform(3, 20) if end == 200 else rng.uniform(12, 35) if end == 487 else 0.0
            called = script.call(at_s, caller, rng.choice(friends[caller]), end, ring_s=ring_s, talk_s=talk_s)
            script.bystanders.add(called)
        return script

    return carried


# The same on somebody's trunk, where whoever screens a carrier's edge sees them.
CARRIED = {
    f"{name}, on a trunk": (on_a_trunk(CAMPAIGNS[name][0]), CAMPAIGNS[name][1])
    for name in (
        "next numbers, vacant",
        "any numbers, all answered",
        "another caller each time",
        "one ring",
        "expensive range, an exchange",
        "expensive range, an account",
        "expensive country, an account",
        "one callee, busy",
        "one callee, many ends",
        "one callee, any callers",
        "numbers of one block ring once",
        "pumped range",
        "asserted elsewhere",
        "one account, any numbers",
        "a route answers at once",
    )
}


def redialled() -> Script:
    return one_caller(["+442079400001"] * 9, 486, 12.0)()


def contacts() -> Script:
    script, rng = Script(), Random(11)
    friends = anywhere(12, 6)
    for k in range(14):
        end = rng.choice((200, 200, 200, 486, 487))
        talk_s = rng.uniform(20, 160)
        script.call(260.0 * k + rng.uniform(0, 60), GERMAN, rng.choice(friends), end, ring_s=9.0, talk_s=talk_s)
    return script


def call_centre(requests_only: bool = False) -> Script:
    script, rng = Script(requests_only=requests_only), Random(13)
    at_s = 0.0
    for callee in anywhere(14, 150, "+49301", 7):
        at_s += rng.expovariate(1 / 14)
        if rng.random() < 0.5:
            talk_s = min(900.0, rng.lognormvariate(4.5, 1.0))
            script.call(at_s, GERMAN, callee, 200, ring_s=rng.uniform(3, 20), talk_s=talk_s)
        else:
            script.call(at_s, GERMAN, callee, rng.choice((487, 487, 486, 480)), ring_s=rng.uniform(12, 35))
    return script


def load_test() -> Script:
    return one_caller(["service"] * 200, 200, 0.2, caller="sipp", talk_s=1.0)()


def extensions() -> Script:
    script, rng = Script(), Random(15)
    for k in range(80):
        one, other = rng.sample(range(20), 2)
        end = rng.choice((200, 200, 200, 486, 487))
        talk_s = rng.lognormvariate(3.5, 1.0)
        script.call(
            25.0 * k, str(200 + one), str(200 + other), end, ring_s=5.0, talk_s=talk_s, source=f"192.0.2.{100 + one}"
        )
    return script


def conference() -> Script:
    script, rng = Script(), Random(16)
    for k, caller in enumerate(anywhere(17, 14, "+49302", 7)):
        source = f"192.0.2.{20 + k}"
        script.call(
            rng.uniform(0, 120), caller, "+493055550000", 200, ring_s=1.0, talk_s=rng.uniform(900, 1800), source=source
        )
    return script


def new_exchange() -> Script:
    script, rng = Script(), Random(18)
    for _ in range(30):
        caller = f"+4930123456{rng.randrange(10, 25)}"
        callee = f"+49301{rng.randrange(10**7):07d}"
        end = rng.choice((200, 200, 487, 486))
        script.call(
            rng.uniform(0, 1800), caller, callee, end, ring_s=rng.uniform(3, 20), talk_s=rng.lognormvariate(4, 1)
        )
    return script


def relatives() -> Script:
    script = Script()
    for k, talk_s in enumerate((420.0, 900.0, 1300.0, 240.0)):
        script.call(2500.0 * k, GERMAN, ("+2348031234567", "+2348065554321")[k % 2], 200, ring_s=8.0, talk_s=talk_s)
    return script


def reminders() -> Script:
    script, rng = Script(), Random(19)
    for k, callee in enumerate(anywhere(20, 100, "+49301", 7)):
        end = 200 if rng.random() < 0.7 else rng.choice((486, 487, 480))
        script.call(30.0 * k, GERMAN, callee, end, ring_s=rng.uniform(3, 20), talk_s=rng.uniform(24, 30))
    return script


def missed_calls() -> Script:
    script = Script()
    for k in range(8):
        ends = (GERMAN, "+493055551111")
        caller, callee = ends if k % 2 else ends[::-1]
        script.call(400.0 * k, caller, callee, 487, ring_s=3.0, source=f"192.0.2.{10 + k % 2}")
    return script


def alarm_panel() -> Script:
    script = Script()
    for k in range(30):
        script.call(600.0 * k, GERMAN, "+493055552222", 200, ring_s=1.5, talk_s=9.0 + k % 2)
    return script


def hotline() -> Script:
    script, rng = Script(), Random(21)
    for k, caller in enumerate(anywhere(22, 80, "+49302", 7)):
        source = f"192.0.2.{1 + k}"
        talk_s = rng.lognormvariate(4.7, 0.8)
        script.call(rng.uniform(0, 3600), caller, "+49800555000", 200, ring_s=0.7, talk_s=talk_s, source=source)
    return script


def beside_a_gateway() -> Script:
    """Twelve telephones of an office; somebody has a gateway behind the same NAT."""
    script, rng = Script(), Random(36)
    friends = {number: anywhere(rng.randrange(10**6), 4, "+4930", 8) for number in anywhere(37, 12, "+4930644", 5)}
    for k in range(240):
        script.keep_alive(30.0 * k, k % 8)
    for _ in range(60):
        caller = rng.choice(list(friends))
        end = rng.choices((200, 487, 486), (65, 25, 10))[0]
        talk_s = min(900.0, rng.lognormvariate(4.3, 1.0))
        script.call(
            rng.uniform(0, 7000), caller, rng.choice(friends[caller]), end, ring_s=rng.uniform(4, 20), talk_s=talk_s
        )
    return script


def head_office_abroad() -> Script:
    script, rng = Script(), Random(38)
    customers = anywhere(39, 25, "+4930", 8)
    asserted = ("P-Asserted-Identity: <sip:+442079460000@carrier.example>",)
    for _ in range(60):
        caller, end = f"+4930123456{rng.randrange(10, 22)}", rng.choices((200, 487, 486), (65, 25, 10))[0]
        talk_s = min(900.0, rng.lognormvariate(4.3, 1.0))
        script.call(rng.uniform(0, 3600), caller, rng.choice(customers), end, ring_s=8.0, talk_s=talk_s, extra=asserted)
    return script


def calling_service() -> Script:
    """Forty customers of one service, which is asserted for all of them; each calls three or four people he knows."""
    script, rng = Script(), Random(58)
    asserted = ("P-Asserted-Identity: <sip:+4930555500@service.example>",)
    known = {number: anywhere(rng.randrange(10**6), 4, "+4917", 9) for number in anywhere(59, 40, "+4916", 9)}
    for _ in range(160):
        caller, end = rng.choice(list(known)), rng.choices((200, 487, 486), (65, 25, 10))[0]
        talk_s = min(1800.0, rng.lognormvariate(4.8, 1.0))
        script.call(rng.uniform(0, 7000), caller, rng.choice(known[caller]), end,
                    ring_s=rng.uniform(4, 25), talk_s=talk_s, extra=asserted)  # fmt: skip
    return script


def forwarded_without_a_word() -> Script:
    """Anybody calls six numbers, each of which is answered at one telephone elsewhere, and is asserted for them."""
    script, rng = Script(), Random(60)
    forwards = list(zip(anywhere(61, 6, "+49305", 7), anywhere(62, 6, "+4917", 9), strict=True))
    for caller in anywhere(63, 150, "+49304", 7):
        number, telephone = rng.choice(forwards)
        asserted = (f"P-Asserted-Identity: <sip:{number}@carrier.example>",)
        end, talk_s = rng.choices((200, 487, 486), (70, 20, 10))[0], min(1200.0, rng.lognormvariate(4.4, 1.0))
        script.call(rng.uniform(0, 7000), caller, telephone, end,
                    ring_s=rng.uniform(4, 25), talk_s=talk_s, extra=asserted)  # fmt: skip
    return script


def agents_for_clients() -> Script:
    """An agency shows the numbers of seven clients and is asserted by its own."""
    script, rng = Script(), Random(64)
    asserted = ("P-Asserted-Identity: <sip:+493055551000@agency.example>",)
    clients, at_s = anywhere(65, 7, "+4930", 8), 0.0
    for callee in anywhere(66, 150, "+49301", 7):
        at_s += rng.expovariate(1 / 20)
        end, talk_s = rng.choices((200, 487, 486, 480), (50, 30, 10, 10))[0], min(900.0, rng.lognormvariate(4.5, 1.0))
        ring_s = rng.uniform(5, 30)
        script.call(at_s, rng.choice(clients), callee, end, ring_s=ring_s, talk_s=talk_s, extra=asserted)
    return script


def hotline_route() -> Script:
    """A route of its own, to a machine that takes all calls at once; half of the callers have heard enough soon."""
    script, rng = Script(), Random(40)
    for caller in anywhere(41, 80, "+49302", 7):
        talk_s = rng.lognormvariate(3.4, 0.9)
        script.call(rng.uniform(0, 3600), caller, "+49800555000", 200, talk_s=talk_s, route="203.0.113.96")
    return script


def hotline_on_trunks() -> Script:
    """A call or three a minute for two hours, from three carriers, each of another number; many give up."""
    script, rng = Script(), Random(35)
    for caller in anywhere(36, 250, "+49302", 7):
        end = rng.choice((200, 200, 200, 486, 487))
        source = f"192.0.2.{rng.randrange(1, 4)}"
        script.call(rng.uniform(0, 7200), caller, "+493055553333", end, ring_s=3.0,
                    talk_s=rng.lognormvariate(4.5, 0.8), source=source)  # fmt: skip
    return script


def firm_joins_conference() -> Script:
    """Thirty people who all show the main number."""
    script, rng = Script(), Random(37)
    for _ in range(30):
        script.call(rng.gauss(120, 60), GERMAN, "+493055550000", 200, ring_s=1.0, talk_s=rng.uniform(900, 1800))
    return script


def corrected_prefix() -> Script:
    script = Script()
    for k, prefix in enumerate(("", "0", "000", "00")):
        script.call(15.0 * k, GERMAN, f"{prefix}442079400001", 200 if prefix == "00" else 404, talk_s=90.0)
    for k, callee in enumerate(anywhere(38, 8, "+49301", 7)):
        script.call(300.0 + 200 * k, GERMAN, callee, 200, ring_s=8.0, talk_s=80.0)
    return script


HONEST: dict[str, Callable[[], Script]] = {
    "a busy number, dialled again": redialled,
    "a busy number, dialled again for ten minutes": one_caller(["+442079400001"] * 45, 486, 13.0),
    "a prefix corrected": corrected_prefix,
    "a telephone and its contacts": contacts,
    "a call centre begins": call_centre,
    "a call centre, requests only": lambda: call_centre(requests_only=True),
    "a load test": load_test,
    "extensions of one exchange": extensions,
    "a conference": conference,
    "a new exchange": new_exchange,
    "relatives far away": relatives,
    "a clinic's reminders": reminders,
    "missed calls of friends": missed_calls,
    "an alarm panel": alarm_panel,
    "a hotline": hotline,
    "a hotline with a route of its own": hotline_route,
    "telephones beside a gateway": beside_a_gateway,
    "a head office abroad": head_office_abroad,
    "a calling service and its customers": calling_service,
    "forwarded without a word of it": forwarded_without_a_word,
    "agents who show their clients' numbers": agents_for_clients,
    "a hotline, callers on trunks": hotline_on_trunks,
    "a firm joins a conference": firm_joins_conference,
}


def screened(play: Callable[[], Script]) -> tuple[list[dict], list[dict]]:
    """The calls as the screening report has them, in order: those of the script, and those of its bystanders."""
    script = play()
    with TemporaryDirectory() as folder:
        calls = calls_of(screen(script.write(Path(folder) / "calls.pcap")))
    own = [call for name, call in calls.items() if name not in script.bystanders]
    return own, [calls[name] for name in script.bystanders]


def line(name: str, calls: list[dict]) -> str:
    counts = Counter(call["verdict"] for call in calls)
    noticed = next((str(k) for k, call in enumerate(calls, 1) if call["verdict"] != "pass"), "never")
    types = Counter(kind for call in calls for kind in call["fraud_types"])
    named = ", ".join(kind for kind, count in types.most_common() if count >= 0.1 * len(calls))
    return f"| {name} | {len(calls)} | {counts['watch']} | {counts['flag']} | {noticed} | {named} |"


def table() -> str:
    lines = ["| campaign | calls | watched | flagged | first noticed | named |", "|---|--:|--:|--:|--:|---|"]
    lines += [line(name, screened(play)[0]) for name, (play, _) in CAMPAIGNS.items()]
    bystanders: list[dict] = []
    for name, (play, _) in CARRIED.items():
        calls, beside = screened(play)
        lines.append(line(name, calls))
        bystanders += beside
    lines.append("| **honest** | | | | | |")
    lines += [line(name, screened(play)[0]) for name, play in HONEST.items()]
    lines.append(line("who shares a trunk with the campaigns above", bystanders))
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
