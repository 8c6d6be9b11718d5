"""A real proxy sends HEP of real calls."""

from contextlib import ExitStack

import pytest

from appliance.config import Config, Hep
from appliance.sources import open_sources
from tests import kamailio
from tests.certificates import self_signed
from tests.network import in_a_network_of_its_own
from tests.watch import Watch

CALLS = 5  # of each kind


@in_a_network_of_its_own("kamailio", "sipp")
def test_a_proxy_that_checks_the_certificate_sends_its_calls_over_tls(tmp_path):
    if not any(folder.joinpath("tls.so").exists() for folder in kamailio.MODULES):
        pytest.skip("no module tls of kamailio on this machine")
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    chain.write_text(self_signed(key))
    config = Config(hep=Hep(listen="127.0.0.1:9060", tls_certificate=str(chain), tls_key=str(key)))
    watch = Watch(open_sources(config), config)
    with ExitStack() as stack:
        stack.enter_context(kamailio.tls_proxy(tmp_path, watch.sources[0].port, chain, key))
        stack.enter_context(kamailio.callee(tmp_path, "busy", kamailio.CALLEES["busy"]))
        watch.run_beside(kamailio.caller(tmp_path, "rejected", CALLS))
    assert watch.sources[0].counters().errors == 0
    calls = [line for line in watch.finish() if line["type"] == "call"]
    assert [call["state"] for call in calls] == ["rejected"] * CALLS


@in_a_network_of_its_own("kamailio", "sipp")
def test_every_call_through_a_proxy_that_sends_hep_appears_once_and_in_its_right_state(tmp_path):
    config = Config(hep=Hep(listen="127.0.0.1:9060"))
    watch = Watch(open_sources(config), config)
    assert watch.sources[0].state == "up"
    with ExitStack() as stack:
        stack.enter_context(kamailio.proxy(tmp_path, watch.sources[0].port))
        for user, port in kamailio.CALLEES.items():
            stack.enter_context(kamailio.callee(tmp_path, user, port))
        for kind in kamailio.CALLERS:
            watch.run_beside(kamailio.caller(tmp_path, kind, CALLS))
    details = watch.sources[0].details()
    assert details["messages"] == details["sip"] > CALLS * len(kamailio.CALLERS) * 8
    counters = watch.sources[0].counters()
    assert (counters.dropped, counters.errors) == (0, 0)
    calls = [line for line in watch.finish() if line["type"] == "call"]
    assert len(calls) == len({call["call_id"] for call in calls}) == CALLS * len(kamailio.CALLERS)
    # sipp was told to write the kind of a call into its Call-ID
    found = {(call["call_id"].partition("-")[0], call["state"]) for call in calls}
    assert found == {(kind, kind) for kind in kamailio.CALLERS}
    assert {call["caller"] for call in calls} == {"+493012345678"}
    assert {call["transport"] for call in calls} == {"udp"}
    assert {call["status_code"] for call in calls if call["state"] == "rejected"} == {486}
