"""A study that is told to stop: nothing of it goes on."""

import os
import signal
import subprocess
import sys
import time

import psutil

from rational_utils.study import settings


def of_the_study(runs) -> list[psutil.Process]:
    """Processes that write into this folder of runs."""
    found = []
    for process in psutil.process_iter():
        try:
            found += [process] if process.environ().get("RATIONAL_RUNS") == str(runs) and process.status() != psutil.STATUS_ZOMBIE else []
        except psutil.Error:
            pass
    return found


def test_stages_that_run_are_stopped_with_the_study(tmp_path):
    command = [sys.executable, "-m", "rational_utils", "reproduce", "--profile", "smoke"]
    with subprocess.Popen(command, cwd=settings.ROOT, env={**os.environ, "RATIONAL_RUNS": str(tmp_path)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True) as study:
        assert any(line.startswith("== 02_rationale_generation") for line in study.stdout)
        study.send_signal(signal.SIGTERM)
        _, said = study.communicate()
    assert study.returncode == 130 and said.splitlines()[-1] == "stopped; the same command goes on from here"
    gone_by = time.monotonic() + 10
    while of_the_study(tmp_path) and time.monotonic() < gone_by:
        time.sleep(0.1)
    assert not of_the_study(tmp_path)
    assert not list((tmp_path / "smoke" / "stamps").glob("02_*"))
