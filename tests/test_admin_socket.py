"""The admin socket as its clients meet it, honest and hostile."""

import json
import os
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from appliance.admin import server as server_module
from appliance.admin.client import Client
from appliance.admin.errors import AdminError, SocketError, SocketInUseError
from appliance.admin.listener import listen
from appliance.admin.protocol import MAX_REQUEST_BYTES
from appliance.errors import BusyError
from tests.admin_box import Box, call_finding, open_calls, serving
from tests.waiting import PATIENCE_S, until

FRAGMENTS = [
    b'{"id": 1, "command": "status"}',
    b'{"id": 18446744073709551616, "command": "calls"}',
    b'{"id": 1, "command": "calls", "arguments": {"source": "::", "limit": 1}}',
    b'{"id": -1, "command": "explain", "arguments": {"id": "\\u0000\\ud800"}}',
    b'{"id": 1, "command": "findings", "arguments": {"number": "%", "since_ns": 9223372036854775808}}',
    b'{"id": 1, "command": "findings", "arguments": {"before_id": -99999999999999999999}}',
    b'{"id": 1, "command": "label", "arguments": {"id": "99999999999999999999999", "label": "fraud"}}',
    b'{"id": 1, "command": "allow.add", "arguments": {"value": "\\ud800", "why": "x", "for_s": 99999999999999}}',
    b'{"id": 1, "command": "evidence.export", "arguments": {"about": "\\ud800"}}',
]
HELLO = b'{"protocol": 1, "client": "test"}\n'
ROOT = Path(__file__).resolve().parent.parent
NOBODY = 65534
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")


@pytest.fixture
def box(tmp_path: Path):
    return Box(tmp_path)


@pytest.fixture
def served(box: Box):
    with serving(box) as server:
        yield server


def connected(path: Path, *lines: bytes) -> socket.socket:
    one = socket.socket(socket.AF_UNIX)
    one.settimeout(PATIENCE_S)
    one.connect(str(path))
    for line in lines:
        one.sendall(line)
    return one


def replies(one: socket.socket, count: int) -> list[dict]:
    """`count` lines, or those until the service hangs up."""
    data = b""
    while data.count(b"\n") < count:
        chunk = one.recv(1 << 16)
        if not chunk:
            break
        data += chunk
    return [json.loads(line) for line in data.splitlines()]


def still_answers(path: Path) -> bool:
    with Client(path, timeout_s=PATIENCE_S) as client:
        return client.ask("status")["version"] == Box.version


# --- the file


def test_the_socket_is_for_its_user_and_group_only_whatever_the_umask(box: Box) -> None:
    before = os.umask(0)
    try:
        with serving(box) as server:
            mode = server.path.stat().st_mode
    finally:
        os.umask(before)
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o660


def test_the_socket_of_a_dead_process_is_replaced(box: Box) -> None:
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(box.config.admin.socket)
    dead.close()
    with serving(box) as server:
        assert still_answers(server.path)


def test_a_socket_that_is_served_is_not_taken_away(served, tmp_path: Path) -> None:
    with pytest.raises(SocketInUseError, match="another process is serving"):
        listen(served.path)
    assert still_answers(served.path)


def test_a_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "precious"
    path.write_text("data")
    with pytest.raises(SocketError, match="is not a socket"):
        listen(path)
    assert path.read_text() == "data"


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(SocketError, match=r"absent/admin\.sock: No such file"):
        listen(tmp_path / "absent" / "admin.sock")


def test_the_file_is_gone_when_the_service_has_stopped(box: Box) -> None:
    with serving(box) as server:
        path = server.path
    assert not path.exists()


# --- the handshake


def test_the_service_says_its_version_and_who_it_takes_the_client_for(served) -> None:
    with connected(served.path, HELLO) as one:
        (welcome,) = replies(one, 1)
    assert welcome["protocol"] == 1
    assert welcome["version"] == Box.version
    assert (welcome["role"], welcome["error"]) == ("administrator", None)


def test_a_client_of_another_version_is_told_both_and_hung_up_on(served) -> None:
    with connected(served.path, b'{"protocol": 2, "client": "later", "more": [1]}\n') as one:
        lines = replies(one, 2)
    assert len(lines) == 1
    assert lines[0]["error"]["code"] == "version"
    assert "version 2 of the protocol, the service version 1" in lines[0]["error"]["message"]


def test_a_service_of_another_version_is_named_by_the_client(tmp_path: Path) -> None:
    def serve() -> None:
        one, _ = listener.accept()
        one.recv(1000)
        one.sendall(b'{"protocol": 9, "version": "9.0"}\n')
        one.close()

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "other.sock"))
        listener.listen()
        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(AdminError, match=r"of the version that runs: 9\.0") as caught:
            Client(tmp_path / "other.sock")
        thread.join()
    assert caught.value.code == "version"


def test_what_answers_and_is_no_sipwarden_is_named(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "other.sock"))
        listener.listen()
        thread = threading.Thread(target=lambda: listener.accept()[0].sendall(b"220 smtp ready\r\n"))
        thread.start()
        with pytest.raises(AdminError, match="is not sipwarden"):
            Client(tmp_path / "other.sock")
        thread.join()


# --- requests


def test_requests_of_a_connection_are_answered_in_order_with_their_ids(served) -> None:
    requests = [b'{"id": 7, "command": "commands"}\n', b'{"id": 3, "command": "status", "arguments": {}}\n']
    with connected(served.path, HELLO, *requests) as one:
        assert [line.get("id") for line in replies(one, 3)[1:]] == [7, 3]


def test_an_unknown_command_is_refused_with_the_one_that_is_near(served) -> None:
    with Client(served.path) as client, pytest.raises(AdminError, match="did you mean status") as caught:
        client.ask("statu")
    assert caught.value.code == "unknown_command"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"limit": 0}, "Expected `int` >= 1"),
        ({"limit": 100_000}, "Expected `int` <= 1000"),
        ({"vredict": "flag"}, "unknown field `vredict`"),
        ({"verdict": "guilty"}, "Invalid enum value 'guilty'"),
        ({"number": 44}, "Expected `str"),
    ],
)
def test_an_argument_that_does_not_fit_is_named_and_the_connection_goes_on(served, arguments, message) -> None:
    with Client(served.path) as client:
        with pytest.raises(AdminError, match=message):
            client.ask("findings", **arguments)
        assert client.ask("findings") == []


def test_a_command_that_fails_is_an_error_without_inner_details(served, box: Box, monkeypatch) -> None:
    monkeypatch.setattr(box, "metrics_text", lambda: 1 / 0)
    with Client(served.path) as client:
        with pytest.raises(AdminError, match="the service's log says why"):
            client.ask("metrics")
        assert client.ask("status")["version"] == Box.version


def test_a_tracker_that_does_not_answer_does_not_hold_the_socket_up(served, box: Box, monkeypatch) -> None:
    monkeypatch.setattr(server_module, "COMMAND_S", 0.2)
    box.hold.clear()
    try:
        with Client(served.path) as client:
            with pytest.raises(AdminError, match="no answer within") as caught:
                client.ask("calls")
            assert caught.value.code == "timeout"
            assert still_answers(served.path)
    finally:
        box.hold.set()


def test_a_tracker_that_too_many_ask_is_an_error_that_says_so(served, box: Box, monkeypatch) -> None:
    async def refuse(_):
        raise BusyError("64 questions wait already")

    monkeypatch.setattr(box, "ask", refuse)
    with Client(served.path) as client, pytest.raises(AdminError, match="64 questions wait already") as caught:
        client.ask("calls")
    assert caught.value.code == "busy"


@settings(max_examples=60)
@given(
    st.lists(st.one_of(st.binary(max_size=200), st.sampled_from(FRAGMENTS).map(lambda line: line + b"\n")), max_size=6)
)
def test_whatever_a_client_sends_every_answer_is_a_reply_and_the_service_goes_on(served, parts: list[bytes]) -> None:
    with connected(served.path, HELLO + b"".join(parts) + b"\n") as one:
        one.shutdown(socket.SHUT_WR)
        lines = replies(one, 1000)
    assert lines[0]["error"] is None
    for line in lines[1:]:
        assert set(line) <= {"id", "result", "item", "error"}
        assert line.get("error", {}).get("code") != "internal"
    assert still_answers(served.path)


# --- hostile clients


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x00\xff\xfe\x80garbage\n",
        b"[]\n",
        b'{"protocol": "one"}\n',
        b'{"protocol": 1, "client": "\xff"}\n',
        b"\n",
        b"[" * 60000 + b"\n",
    ],
    ids=["http", "binary", "array", "text for a number", "not UTF-8", "empty", "nested"],
)
def test_garbage_for_a_greeting_is_an_error_and_the_end(served, garbage: bytes) -> None:
    with connected(served.path, garbage) as one:
        lines = replies(one, 2)
    assert [line["error"]["code"] for line in lines] == ["protocol"]
    assert still_answers(served.path)


@pytest.mark.parametrize(
    "garbage",
    [
        b"garbage\n",
        b'{"id": 1}\n',
        b'{"id": 1, "command": "status", "x": 1}\n',
        b"null\n",
        b'{"id": 1, "command": "status", "arguments": ' + b"[" * 60000 + b"\n",
    ],
    ids=["no JSON", "no command", "a field too many", "null", "nested"],
)
def test_garbage_for_a_request_is_an_error_and_the_end(served, garbage: bytes) -> None:
    with connected(served.path, HELLO, garbage) as one:
        _, error = replies(one, 3)
    assert (error["id"], error["error"]["code"]) == (0, "protocol")
    assert still_answers(served.path)


def test_a_line_without_an_end_is_cut_off_at_the_limit(served) -> None:
    with connected(served.path, HELLO) as one:
        assert len(replies(one, 1)) == 1
        try:
            for _ in range(1000):
                one.sendall(b"x" * MAX_REQUEST_BYTES)
        except (BrokenPipeError, ConnectionResetError):
            pass
        else:
            pytest.fail("it took a line of 64 MB")
    assert still_answers(served.path)


def test_a_client_that_says_nothing_is_hung_up_on(served, monkeypatch) -> None:
    monkeypatch.setattr(server_module, "HELLO_S", 0.2)
    with connected(served.path) as one:
        assert one.recv(100) == b""


def test_a_client_that_stops_in_the_middle_of_a_request_is_hung_up_on(served, monkeypatch) -> None:
    monkeypatch.setattr(server_module, "IDLE_S", 0.2)
    with connected(served.path, HELLO, b'{"id": 1, "comm') as one:
        assert len(replies(one, 2)) == 1


@pytest.mark.parametrize(("write_s", "left"), [(10 * PATIENCE_S, 1), (0.2, 0)])
def test_a_client_that_never_reads_holds_nobody_up_and_is_given_up(
    served, box: Box, tmp_path: Path, monkeypatch, write_s: float, left: int
) -> None:
    monkeypatch.setattr(server_module, "WRITE_S", write_s)
    open_calls(box, tmp_path, 500)
    ask = b'{"id": 1, "command": "calls", "arguments": {"limit": 500}}\n'
    with connected(served.path, HELLO, ask * 100):
        assert still_answers(served.path)
        until(lambda: len(served._clients) == left)


def test_a_thousand_connections_leave_room_for_an_administrator_and_none_behind(served) -> None:
    clients = []
    for _ in range(1000):
        one = socket.socket(socket.AF_UNIX)
        one.connect(str(served.path))
        one.settimeout(PATIENCE_S)
        clients.append(one)
    until(lambda: served.refused >= 1000 - server_module.MAX_CLIENTS)
    (busy,) = replies(clients[-1], 1)
    assert busy["error"]["code"] == "busy"
    for one in clients:
        one.close()
    until(lambda: not served._clients)
    assert still_answers(served.path)


def test_a_follower_that_hangs_up_is_forgotten(served, box: Box) -> None:
    box.store.put([call_finding()])
    with Client(served.path) as client:
        assert next(client.follow("follow"))["verdict"] == "flag"
        assert len(served._clients) == 1
    until(lambda: not served._clients)


def test_a_follower_sees_what_comes_and_what_rises_once(served, box: Box, monkeypatch) -> None:
    monkeypatch.setattr("appliance.admin.following.FOLLOW_S", 0.05)
    box.store.put([call_finding(verdict="watch")])
    with Client(served.path) as client:
        items = client.follow("follow")
        assert next(items)["verdict"] == "watch"
        box.store.put([call_finding(verdict="flag")])
        assert next(items)["verdict"] == "flag"
        box.store.put([call_finding("another@192.0.2.7")])
        assert next(items)["call_id"] == "another@192.0.2.7"


def test_a_follower_sees_a_call_again_when_its_state_has_changed(served, box: Box, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("appliance.admin.following.FOLLOW_S", 0.05)
    open_calls(box, tmp_path, 1, answered=False)
    with Client(served.path) as client:
        items = client.follow("calls.follow")
        assert next(items)["state"] == "trying"
        open_calls(box, tmp_path, 1)
        assert next(items)["state"] == "answered"


# --- who may what

ASK = """
import sys
from pathlib import Path
from appliance.admin.client import Client
from appliance.admin.errors import AdminError
try:
    with Client(Path(sys.argv[1])) as client:
        print(client.welcome.role)
        for command in sys.argv[2:]:
            try:
                client.ask(command)
                print("done")
            except AdminError as error:
                print(error.code)
except AdminError as error:
    print(error.code, error)
"""

ASK_TWICE = """
import sys
from pathlib import Path
from appliance.admin.client import Client
from appliance.admin.errors import AdminError
with Client(Path(sys.argv[1])) as client:
    client.ask("status")
    print("done", flush=True)
    sys.stdin.readline()
    try:
        client.ask("status")
    except AdminError as error:
        print(error.code)
"""


def as_nobody(path: Path, *commands: str, groups: str = "") -> list[str]:
    """The role that the service gives user 65534, and what it answers to commands."""
    more = [f"--groups={groups}"] if groups else ["--clear-groups"]
    user = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", *more]
    done = subprocess.run(
        [*user, sys.executable, "-c", ASK, path, *commands], check=False, capture_output=True, text=True, cwd=ROOT
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


@pytest.fixture
def open_folder(tmp_path: Path):
    """A box whose socket every user can reach: only the service's own check stands between."""
    for folder in [tmp_path, *tmp_path.parents]:
        if folder.stat().st_uid == os.geteuid() and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o011)
    return tmp_path


@needs_root
def test_a_user_that_the_configuration_does_not_name_is_turned_away(open_folder: Path) -> None:
    with serving(Box(open_folder, readers=("root",))) as server:
        server.path.chmod(0o666)
        (line,) = as_nobody(server.path, "status")
    assert line.startswith("denied ")
    assert "readers are root; administrators are root" in line


@needs_root
def test_a_reader_reads_and_changes_nothing(open_folder: Path) -> None:
    with serving(Box(open_folder, readers=("65534",))) as server:
        server.path.chmod(0o666)
        assert as_nobody(server.path, "status", "findings", "reload", "support") == [
            "reader", "done", "done", "forbidden", "forbidden"
        ]  # fmt: skip


@needs_root
def test_a_member_of_a_group_has_the_role_of_the_group(open_folder: Path) -> None:
    with serving(Box(open_folder, administrators=("@4242",), readers=())) as server:
        server.path.chmod(0o666)
        assert as_nobody(server.path, "reload", groups="4242") == ["administrator", "done"]
        assert as_nobody(server.path)[0].startswith("denied")


@needs_root
def test_who_is_not_in_the_group_of_the_socket_is_told_which_it_is(open_folder: Path) -> None:
    with serving(Box(open_folder)) as server:
        (line,) = as_nobody(server.path)
    assert line.startswith("denied ")
    assert "usermod -aG root" in line


@needs_root
def test_a_reload_changes_who_may_what_for_open_connections_too(open_folder: Path) -> None:
    box = Box(open_folder)
    box.config = replace(box.config, admin=replace(box.config.admin, readers=("65534",)))
    with serving(box) as server:
        server.path.chmod(0o666)
        user = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", sys.executable, "-c"]
        with subprocess.Popen(
            [*user, ASK_TWICE, server.path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
        ) as client:
            assert client.stdout.readline() == b"done\n"
            box.config = replace(box.config, admin=replace(box.config.admin, readers=()))
            server.configure()
            assert client.communicate(b"go\n")[0] == b"forbidden\n"


@needs_root
def test_readers_cannot_take_the_last_slots_from_administrators(open_folder: Path) -> None:
    box = Box(open_folder, readers=("65534",))
    hold = (
        "import socket, sys\nheld = []\n"
        "for _ in range(40):\n    held.append(socket.socket(socket.AF_UNIX)); held[-1].connect(sys.argv[1])\n"
        "print('held', flush=True)\nsys.stdin.read()"
    )
    with serving(box) as server:
        server.path.chmod(0o666)
        command = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", sys.executable, "-c", hold]
        with subprocess.Popen([*command, server.path], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
            assert holder.stdout.readline() == b"held\n"
            until(lambda: server.refused >= 40 - server_module.MAX_READERS)
            assert still_answers(server.path)
            holder.stdin.close()
