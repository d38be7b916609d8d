"""Memory that is kept between steps: the pages of a buffer that was freed are not asked for again."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PROGRAM = """
import resource, torch
from genwright.models import allocator
allocator.keep()

def step():
    return [torch.ones(4 << 20, dtype=torch.uint8) for _ in range(8)]

for _ in range(5):
    step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems' allocators do not heed it")
@pytest.mark.parametrize(
    ("said", "kept"), [({}, True), ({"MALLOC_TRIM_THRESHOLD_": "0", "MALLOC_MMAP_THRESHOLD_": "65536"}, False)]
)
def test_pages_are_kept_unless_the_environment_says_otherwise(said: dict[str, str], kept: bool) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env={**os.environ, **said}, capture_output=True, text=True, check=True
    )
    faults = int(done.stdout)
    assert (faults < 4_000) is kept, faults  # 10 steps of 8,192 pages each
