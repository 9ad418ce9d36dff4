import argparse
import os
import subprocess
import sys

import pytest

from midalign_demo.commandline import comma_list, positive, progress_bar, run
from midalign_demo.errors import InputError


def raising(error):
    def command():
        raise error

    return command


def test_run_gives_the_status_and_one_line_for_bad_input(capsys):
    assert run("midalign", lambda: None) == 0
    assert capsys.readouterr() == ("", "")
    assert run("midalign", raising(InputError("layer: 99 is too high"))) == 2
    assert capsys.readouterr() == ("", "midalign: layer: 99 is too high\n")


def test_run_gives_130_when_stopped_by_the_user(capsys):
    assert run("midalign", raising(KeyboardInterrupt())) == 130
    assert capsys.readouterr().err == "midalign: stopped\n"


def test_other_errors_are_not_hidden():
    with pytest.raises(ZeroDivisionError):
        run("midalign", lambda: 1 / 0)


def test_an_error_in_the_midst_of_progress_has_its_own_line(capsys):
    progress = progress_bar("rows")

    def command():
        progress(1, 3)
        raise InputError("text: it is empty")

    assert run("midalign", command) == 2
    out, error = capsys.readouterr()
    assert out == ""
    assert error.replace("\r", "\n").endswith("\nmidalign: text: it is empty\n")


def test_progress_is_drawn_on_stderr_up_to_the_end(capsys):
    progress = progress_bar("rows")
    assert capsys.readouterr() == ("", "")
    progress(2, 4)
    progress(4, 4)
    out, error = capsys.readouterr()
    assert out == ""
    assert "rows" in error
    assert "/4" in error


def test_option_types():
    assert comma_list(" a, b,,c ") == ["a", "b", "c"]
    assert positive("12") == 12
    for bad in ("0", "-3", "two", "1.5", ""):
        with pytest.raises(argparse.ArgumentTypeError, match="is not a whole number above 0"):
            positive(bad)


@pytest.mark.parametrize("module", ["midalign_demo.cli", "train.cli"])
def test_torch_is_told_not_to_spin_before_it_is_imported(module):
    script = f"""
import os, sys
class Watch:
    def find_spec(self, name, *rest):
        if name == "torch":
            print(os.environ.get("OMP_WAIT_POLICY"))
sys.meta_path.insert(0, Watch())
import {module}, torch
"""
    for given, expected in ((None, "PASSIVE"), ("ACTIVE", "ACTIVE")):
        environment = {key: value for key, value in os.environ.items() if key != "OMP_WAIT_POLICY"}
        environment.update({} if given is None else {"OMP_WAIT_POLICY": given})
        run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment)
        assert run.stdout.split()[0] == expected, run.stderr
