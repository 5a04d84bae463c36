"""What a report must say about where it ran, and how processes are pinned and weighed."""

from __future__ import annotations

import contextlib
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

_KIB = 1024


def described() -> dict[str, Any]:
    """Machine, kernel, interpreter and commit of this run."""
    commit = subprocess.run(  # a fixed command
        ["git", "rev-parse", "--short", "HEAD"],  # noqa: S607 - git is wherever the developer has it
        capture_output=True, text=True, check=False,
    ).stdout.strip()  # fmt: skip
    model = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line), "unknown")
    return {
        "cpu": model.partition(":")[2].strip(),
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "commit": commit,
    }


def resident_bytes(pid: int) -> int:
    """Resident memory of one process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * _KIB
    return 0


def pin(pid: int, core: int) -> None:
    """Keep a process, with all its threads, on one core."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(ProcessLookupError):  # a thread may end while we look
            os.sched_setaffinity(int(thread.name), {core})
