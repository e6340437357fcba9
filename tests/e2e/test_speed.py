# SPDX-License-Identifier: MIT
"""That `make bench` measures the objects, and that they are not far off: the goals are for a quiet machine to show."""
import sys

import pytest
from harness import ROOT, SLOW, figure

sys.path.insert(0, str(ROOT / "tests" / "bench"))
import objects  # noqa: E402

CASES = {case.name: case for case in objects.CASES}


@pytest.mark.parametrize("name", ["putget-8x1", "putget-64x64", "bulk-8x1", "lock-8x1", "handoff-1x1", "ping-8x1"])
def test_objects_beside_redis(name):
    if SLOW != 1:
        pytest.skip("figures of a slowed-down build say nothing")
    case = CASES[name]
    result = objects.measure(case, ms=30, rounds=3)
    figure(objects.row(case, result))
    assert result["turns"] > 0 and result["cpu_us"]["redis"] > 0
    assert result["cpu_us"]["ratio"] < 3, result
