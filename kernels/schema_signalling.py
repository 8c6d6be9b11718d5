"""Features of how a call is signalled, of what it says of the caller, and of gateway traffic seen beside SIP.

Part of the rows of kernels/schema.py. The agent string itself is not among them: it costs nothing to change. Each
entry says in its comment which fraud, or which honest look-alike, needs it.
"""

from kernels.feature import NAN, YES_NO, Feature, feature

ATTESTATIONS = ("unreadable", "C (gateway)", "B (partial)", "A (full)")
VERSTATS = ("failed", "not made", "passed")
ASSERTED = ("no", "of the same country", "of another country")
MOST_SIGNS, MOST_PROOFS = 4.0, 3.0  # kinds of sign


def _call(name: str, meaning: str, reason: str, unit: str = "flag", **more) -> Feature:
    """Read from the call's first INVITE: NaN while that was not seen."""
    return feature(name, unit, meaning, reason, **{"source": "call", "unseen": NAN, "words": YES_NO, **more})


def _source(name: str, unit: str, meaning: str, reason: str, **more) -> Feature:
    return feature(name, unit, meaning, reason, source="source", group="source", **more)


UNSEEN_INVITE = "NaN when the first INVITE of the call was not seen."

SIGNALLING_CALL_FEATURES = (
    # GoIP gateways; telephones built on osip/eXosip, Grandstream and Yealink write decimals, too
    _call(
        "branch_decimal",
        f"1 when the topmost Via branch is the magic cookie and a decimal number below 2^32. {UNSEEN_INVITE}",
        "the transaction is named by a plain decimal number: {value}; typical is {typical}",
    ),
    _call(
        "tag_decimal",
        f"1 when the From tag is a decimal number below 2^32. {UNSEEN_INVITE}",
        "the dialog is named by a plain decimal number: {value}; typical is {typical}",
    ),
    _call(
        "call_id_decimal",
        f"1 when the Call-ID is a decimal number below 2^32, an at sign and an IPv4 address. {UNSEEN_INVITE}",
        "the call is named by a plain decimal number at an address: {value}; typical is {typical}",
    ),
    _call(
        "allow_goip_order",
        "1 when the Allow header lists the methods of the GoIP firmware in its order. NaN when there is none.",
        "lists the methods it knows in the order of GoIP gateways: {value}; typical is {typical}",
    ),
    _call(
        "sdp_goip_session",
        "1 when the session is named, or its origin numbered, as the GoIP firmware does. NaN without a session "
        "description.",
        "describes its media session as GoIP gateways do: {value}; typical is {typical}",
    ),
    _call(
        "agent_contradicted",
        "1 when the agent claims a product that never writes decimal tags nor the GoIP's method list, and the INVITE "
        "has one. NaN when it claims no such product.",
        "the signalling contradicts the product that it claims to be: {value}; typical is {typical}",
    ),
    # SIM boxes behind one address, or in turn; a large exchange or a village behind one NAT has many, too
    feature(
        "source_fingerprints_day",
        "styles",
        "Different signalling fingerprints of the INVITEs from the address in the present 12 hours and the 12 before "
        "(HyperLogLog, standard error 13 %).",
        "calls from the address were signalled in {value} different styles within the day; typical is {typical}",
        source="source",
    ),
    feature(
        "source_agent_change_ratio",
        "ratio",
        "INVITEs with the fingerprint of the one before from the address and another agent string / INVITEs, half-life "
        "1 day.",
        "{value} of the calls from the address changed the agent's name and nothing else; typical is {typical}",
        source="source",
    ),
    feature(
        "gateway_signs",
        "signs",
        "How many of four strong signs of a GoIP gateway either address of the call has shown: the header X-ACrypt, "
        "the status line `480 Remote Busy`, management keep-alives, SIM bank traffic.",
        "{value} kinds of signs of a GSM gateway were seen at an address of the call; typical is {typical}",
        source="source",
        high=MOST_SIGNS,
    ),
    # `480 Remote Busy` is handed on by whom a gateway is behind, and so may a header be; these are not
    feature(
        "gateway_proofs",
        "signs",
        "How many of three signs prove a GoIP gateway at an address of the call: management keep-alives that either "
        "address sent, SIM bank traffic that either sent, the header X-ACrypt in the INVITE of this call.",
        "{value} kinds of proof of a GSM gateway were seen at an address of the call; typical is {typical}",
        source="source",
        high=MOST_PROOFS,
    ),
    # spoofed callers; who forwards a call may be asserted honestly
    _call(
        "asserted_differs",
        "1 when P-Asserted-Identity, else Remote-Party-ID, names another number than From, and none of its block of "
        "10 000: an exchange may assert its main number for all. 2 when, besides, it is a number of neither the "
        "shown one's country nor the callee's, and nobody forwarded the call: who forwards it may be asserted. NaN "
        "when there is none or From withholds the number.",
        "the network asserts another number than the caller shows: {value}; typical is {typical}",
        unit="class",
        high=2.0,
        words=ASSERTED,
        revision=3,
    ),
    # an exchange asserts its one head office abroad; behind numbers that are made up are callers of many
    feature(
        "source_asserted_abroad_day",
        "calls",
        "INVITEs from the address whose `asserted_differs` is 2, with another asserted block of 10 000 numbers than "
        "the one before of these, half-life 1 day, if that of this call is 2; else 0.",
        "about {value} calls from the address assert one number abroad after the other; typical is {typical}",
        source="source",
    ),
    _call(
        "attestation",
        "What the PASSporT of the Identity header claims (RFC 8588 attest): 1 C, 2 B, 3 A, 0 when it cannot be read. "
        "Its signature is not checked. NaN without the header.",
        "the caller's number is attested as: {value}; typical is {typical}",
        unit="class",
        high=3.0,
        words=ATTESTATIONS,
    ),
    _call(
        "verstat",
        "The verification that an earlier network reports (3GPP TS 24.229 7.2A.20): 0 failed, 1 not made, 2 passed. "
        "NaN without one.",
        "an earlier network's check of the caller's number: {value}; typical is {typical}",
        unit="class",
        high=2.0,
        words=VERSTATS,
    ),
    _call(
        "diverted",
        f"1 when the call was forwarded: Diversion, or History-Info with more than one entry. {UNSEEN_INVITE}",
        "the call was forwarded: {value}; typical is {typical}",
    ),
    _call(
        "privacy_requested",
        f"1 when Privacy asks for anything but `none` (RFC 3323 4.2). {UNSEEN_INVITE}",
        "asks to hide the caller: {value}; typical is {typical}",
    ),
    # domestic numbers on an international trunk: SIM boxes' other half, and spoofed banks and police
    feature(
        "domestic_from_abroad",
        "ratio",
        "Calls from a number of another country than the callee's / calls from the address where both are known, "
        "half-life 1 day, if this call is from a number of the callee's own country; else 0. NaN when a country is "
        "not known.",
        "a domestic number from an address where {value} of the calls come from abroad; typical is {typical}",
        source="source",
        unseen=NAN,
    ),
    feature(
        "caller_country_unusual",
        "flag",
        "1 when the caller's country is not the one that prevailed among the latest callers from the address (majority "
        "vote of Boyer and Moore, at most 32 votes). NaN before 4 more votes for it than against, or when the country "
        "is not known.",
        "the caller's country is unusual at the address: {value}; typical is {typical}",
        source="source",
        unseen=NAN,
        words=YES_NO,
    ),
)

SIGNALLING_SOURCE_FEATURES = (
    _source(
        "fingerprints_day",
        "styles",
        "Different signalling fingerprints of the INVITEs from the address in the present 12 hours and the 12 before.",
        "signalled calls in {value} different styles within the day; typical is {typical}",
    ),
    _source(
        "agent_change_ratio",
        "ratio",
        "INVITEs with the fingerprint of the one before and another agent string / INVITEs, half-life 1 day.",
        "{value} of its calls changed the agent's name and nothing else; typical is {typical}",
    ),
    _source(
        "source_decimal_ratio",
        "ratio",
        "INVITEs whose branch and From tag are decimal numbers below 2^32 / INVITEs, half-life 1 day.",
        "{value} of its calls are named by plain decimal numbers; typical is {typical}",
    ),
    _source(
        "source_goip_style_ratio",
        "ratio",
        "INVITEs with the GoIP firmware's method list or session description / INVITEs, half-life 1 day.",
        "{value} of its calls are signalled as by GoIP gateways; typical is {typical}",
    ),
    _source(
        "source_contradicted_ratio",
        "ratio",
        "INVITEs whose signalling contradicts the product that they claim / INVITEs, half-life 1 day.",
        "{value} of its calls contradict the product that they claim to be from; typical is {typical}",
    ),
    _source(
        "source_asserted_differs_ratio",
        "ratio",
        "INVITEs that assert another number than they show / INVITEs, half-life 1 day.",
        "{value} of its calls show another number than is asserted; typical is {typical}",
    ),
    _source(
        "source_abroad_ratio",
        "ratio",
        "Calls from a number of another country than the callee's / calls where both are known, half-life 1 day.",
        "{value} of its calls come from numbers of another country; typical is {typical}",
        unseen=0.05,
    ),
    _source(
        "source_acrypt_headers",
        "calls",
        "INVITEs with the GoIP's header X-ACrypt, half-life 1 day.",
        "about {value} calls had the header of a GoIP gateway's encryption; typical is {typical}",
    ),
    _source(
        "source_remote_busy",
        "responses",
        "Responses `480 Remote Busy`, which only the GoIP firmware is known to write, half-life 1 day.",
        "gave the answer of a GoIP gateway whose line is busy about {value} times; typical is {typical}",
    ),
    _source(
        "goip_keepalives",
        "packets",
        "GoIP management keep-alives (capture/goip.pyx) sent by the address, half-life 1 day.",
        "sent about {value} keep-alives of a GSM gateway to its manager; typical is {typical}",
    ),
    _source(
        "sim_bank_packets",
        "packets",
        "SIM bank packets sent by the address, half-life 1 day.",
        "exchanged about {value} packets with a SIM bank; typical is {typical}",
    ),
)
