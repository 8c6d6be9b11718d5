"""Which rows teach on another trunk, and what they keep: run where TensorFlow is, since models/training/build.py is."""

import json
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PYTHON = ROOT / ".venv-train" / "bin" / "python"  # of `make train-env`

MOVE = """
import json
import numpy as np
from kernels.schema import CALL_FEATURES
from models.fraud_types import BIT_OF
from models.training.build import forgotten_together, moved
from models.training.rows import Rows

names = [feature.name for feature in CALL_FEATURES]
SPOOFING = BIT_OF["caller_spoofing"]
KINDS = {"honest": (0, np.nan), "spoofed": (SPOOFING, 2), "unasserted": (SPOOFING, np.nan),
         "false": (BIT_OF["false_answer"], np.nan)}
COUNT = 2000
features = np.zeros((COUNT * len(KINDS), len(names)), np.float32)
types = np.repeat([types for types, _ in KINDS.values()], COUNT)
features[:, names.index("asserted_differs")] = np.repeat([asserted for _, asserted in KINDS.values()], COUNT)
at = [names.index(name) for name in ("source_calls_hour", "route_hasty_ratio")]
features[types != 0, at[0]] = features[types != 0, at[1]] = 1  # honest rows have 0 of both
none = np.zeros(len(types), np.int64)
rows = Rows(features, types.astype(np.uint32), np.array([""] * len(types)), none, none, none, none, none)
kept = moved(rows, np.ones(len(types)), forgotten_together("call"))[:, at].reshape(len(KINDS), COUNT, 2).mean(axis=1)
print(json.dumps(dict(zip(KINDS, kept.tolist()))))
"""


@pytest.mark.skipif(not PYTHON.exists(), reason="make train-env was not run")
def test_what_a_header_says_is_taught_on_other_trunks_most_and_a_route_stays_the_false_answers_own():
    done = subprocess.run([PYTHON, "-c", MOVE], cwd=ROOT, capture_output=True, text=True, check=True)
    kept = json.loads(done.stdout.splitlines()[-1])  # of [the trunk, the route], the share that is still its own
    assert kept["spoofed"] == pytest.approx([0.4, 0.4], abs=0.05)
    assert kept["false"] == pytest.approx([0.8, 1.0], abs=0.05)
    assert kept["unasserted"] == [1, 1]  # nothing but its address tells of it
