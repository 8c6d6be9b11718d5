"""Disks of their own for the tests of trouble with them."""

import os
import subprocess
from contextlib import contextmanager
from functools import cache

import pytest


@cache
def can_mount():
    """Root may still not: in a container without CAP_SYS_ADMIN."""
    return os.geteuid() == 0 and subprocess.run(["unshare", "--mount", "true"], check=False).returncode == 0


ROOT_ONLY = pytest.mark.skipif(not can_mount(), reason="only root can mount disks and change users")


@contextmanager
def tmpfs(folder, size):
    """A disk of `size` in memory, mounted at `folder`."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)
