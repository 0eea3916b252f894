"""The compiled kernel is right on machines that this one is not: compiled afresh for older CPUs, from a new cache."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

CHECK = (
    "import moiety.kernel, moiety.kernel.fast.jit as jit; moiety.kernel.warm_up();"
    "print('LANES', jit.LANES, 'ROOMY', jit.ROOMY)"
)


@pytest.mark.slow
@pytest.mark.skipif(platform.machine() != "x86_64", reason="the older CPUs named here are x86-64")
@pytest.mark.parametrize(
    ("cpu", "features", "lanes"),
    [("haswell", "+avx,+avx2,+bmi,+bmi2,+fma,+lzcnt,+popcnt", 8), ("generic", "", 4)],
)
def test_self_test_passes_on_older_machines(tmp_path: Path, cpu: str, features: str, lanes: int) -> None:
    if lanes > 4 and "avx2" not in Path("/proc/cpuinfo").read_text():
        pytest.skip("this machine has no AVX2 to run AVX2 code with")
    chosen = {"NUMBA_CPU_NAME": cpu, "NUMBA_CPU_FEATURES": features, "NUMBA_CACHE_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", CHECK], env=os.environ | chosen, capture_output=True, text=True, check=False, timeout=280
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[:2] == ["LANES", str(lanes)]
    assert list(tmp_path.rglob("*.nbc")), "compiled code was not kept"
