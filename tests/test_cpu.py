import pytest

from midalign_demo.cpu import bfloat16_is_faster


@pytest.mark.parametrize(
    ("vendor", "flags", "faster"),
    [
        ("GenuineIntel", "fpu avx512_bf16 amx_bf16 amx_tile", True),
        ("GenuineIntel", "fpu avx512_bf16", False),
        ("AuthenticAMD", "fpu avx512_bf16", True),
        ("AuthenticAMD", "fpu avx512f", False),
        ("ARM", "fp asimd bf16 i8mm", True),
        ("", "", False),
    ],
)
def test_bfloat16_is_chosen_by_maker_and_flags_of_the_cpu(tmp_path, vendor, flags, faster):
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(f"processor : 0\nvendor_id : {vendor}\nflags : {flags}\n")
    assert bfloat16_is_faster(cpuinfo) is faster
    assert bfloat16_is_faster(tmp_path / "absent") is False
