"""What a CPU does well, read off what Linux lists of it.

The answers must not depend on how busy the machine is, since they decide the numbers that come out; so nothing is
timed. Where there is no such list nothing is taken for granted.
"""

from __future__ import annotations

from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")


def bfloat16_is_faster(cpuinfo: Path = CPUINFO) -> bool:
    """Whether this CPU is known to multiply matrices faster in bfloat16 than in float32.

    That is `amx_bf16` (x86), `bf16` (Arm), and AMD's `avx512_bf16`, with which bfloat16 was measured at twice the speed
    of float32; on Intel's processors without AMX it was measured at half of it.
    """
    words = _words(cpuinfo)
    return not words.isdisjoint({"amx_bf16", "bf16"}) or words.issuperset({"AuthenticAMD", "avx512_bf16"})


def _words(cpuinfo: Path) -> set[str]:
    try:
        return set(cpuinfo.read_text(encoding="utf-8").split())
    except OSError:
        return set()
