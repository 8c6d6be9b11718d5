"""The network is taught the same each time: the same rows give the same bytes, in one process and in another."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PYTHON = ROOT / ".venv-train" / "bin" / "python"  # of `make train-env`: TensorFlow is nothing that a box has

TEACH = """
import hashlib
import numpy as np
from models.training.network import Lesson, train

chance = np.random.default_rng(1)
encoded = chance.integers(-128, 128, (1500, 12)).astype(np.int8)
targets = (encoded[:, :2] > 0).astype(np.float32)
targets[::7, 1] = np.nan
groups = np.array([0, 0, 1] + [-1] * 9)
lesson = Lesson(encoded, targets, chance.random(1500).astype(np.float32), groups, encoded[0], 2, 3, (8, 4), True)
for _ in range(2):
    print(hashlib.sha256(train(lesson, 1, 2)).hexdigest())
"""


def taught() -> list[str]:
    """The digests of two networks that one process teaches, one after the other."""
    done = subprocess.run([PYTHON, "-c", TEACH], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.split()[-2:]


@pytest.mark.skipif(not PYTHON.exists(), reason="make train-env was not run")
def test_the_same_rows_give_the_same_bytes():
    first, again = taught()
    assert len(first) == 64
    assert first == again
    assert taught() == [first, again]
