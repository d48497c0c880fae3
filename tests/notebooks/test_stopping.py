"""A study that is told to stop: nothing of it goes on."""

import os
import signal
import subprocess
import sys
import time

import psutil

from rational_utils.study import settings

COMMAND = [sys.executable, "-m", "rational_utils", "reproduce", "--profile", "smoke"]


def at_work(runs) -> str:
    """The command lines of all processes that write into this folder of runs."""
    lines = []
    for process in psutil.process_iter():
        try:
            lines += process.cmdline() if process.environ().get("RATIONAL_RUNS") == str(runs) else []
        except psutil.Error:
            pass
    return " ".join(lines)


def wait_until(true) -> None:
    deadline = time.monotonic() + 90
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_stages_that_run_are_stopped_with_the_study(tmp_path):
    environment = {**os.environ, "RATIONAL_RUNS": str(tmp_path)}
    with subprocess.Popen(COMMAND, cwd=settings.ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True) as study:
        wait_until(lambda: "ipykernel_launcher" in at_work(tmp_path))
        study.send_signal(signal.SIGTERM)
        _, said = study.communicate()
    assert study.returncode == 130 and said.splitlines()[-1] == "stopped; the same command goes on from here"
    wait_until(lambda: not at_work(tmp_path))
    assert not list((tmp_path / "smoke" / "stamps").glob("*"))
