"""The secret of the hashes: drawn once, kept for this box alone."""

import stat

import pytest

from appliance.secret import SECRET_FILE, load_secret
from tests.disks import ROOT_ONLY, tmpfs


def test_the_secret_outlives_a_restart_and_is_not_that_of_another_box(tmp_path):
    (tmp_path / "other").mkdir()
    secret, problem = load_secret(tmp_path)
    assert problem is None
    assert load_secret(tmp_path) == (secret, None)
    assert load_secret(tmp_path / "other")[0] != secret
    assert stat.S_IMODE((tmp_path / SECRET_FILE).stat().st_mode) == 0o600
    assert sorted(name.name for name in tmp_path.iterdir()) == ["other", SECRET_FILE]


def test_a_secret_that_others_may_read_is_closed_to_them(tmp_path):
    secret, _ = load_secret(tmp_path)
    (tmp_path / SECRET_FILE).chmod(0o644)
    assert load_secret(tmp_path) == (secret, None)
    assert stat.S_IMODE((tmp_path / SECRET_FILE).stat().st_mode) == 0o600


@pytest.mark.parametrize("content", [b"", b"1234", b"\xff" * 16, b"0123456789abcdeg\n", b"0123456789abcdef0\n"])
def test_a_damaged_secret_is_said_by_name_and_replaced(tmp_path, content):
    (tmp_path / SECRET_FILE).write_bytes(content)
    secret, problem = load_secret(tmp_path)
    assert str(tmp_path / SECRET_FILE) in problem
    assert load_secret(tmp_path) == (secret, None)


@ROOT_ONLY
def test_on_a_full_disk_the_box_has_a_secret_for_this_run_and_says_so(tmp_path):
    with tmpfs(tmp_path / "disk", "64k") as disk:
        (disk / "filler").write_bytes(bytes(64 << 10))
        secret, problem = load_secret(disk)
        assert secret > 0
        assert f"{disk / SECRET_FILE}: cannot be kept: No space left" in problem
        assert [name.name for name in disk.iterdir()] == ["filler"]
