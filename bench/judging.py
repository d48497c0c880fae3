"""How many answers a second the judges read once they are loaded: one process that has all cores, and a process on each core, all on the same answers.

The answers are PyRIT's, with people's labels. Likelihoods are the notebooks' work and not in it.
"""

from __future__ import annotations

import itertools
import multiprocessing
import os
import time

import pandas as pd
import torch

from rational_utils import judges
from rational_utils.corpus import sources

from . import timing

NAMES, ROUNDS = ("offline", "words"), 3
WARM = 80  # answers: by then a judge has loaded all that it reads with


def answers() -> list[judges.Response]:
    refusal, objective = judges.by_people(sources.read)
    frame = pd.concat([*refusal.values(), objective["pyrit-objective"]])
    return [judges.Response(asked, answer, answer) for asked, answer in zip(frame["objective"], frame["assistant_response"], strict=True)]


def read(name: str, responses: list[judges.Response], threads: int, ready) -> float:
    """Seconds for all the answers but the first ``WARM``, begun when every process has judged these."""
    torch.set_num_threads(threads)
    judge = judges.find(name)
    for response in responses[:WARM]:
        judge.judge(response)
    ready.wait()
    started = time.perf_counter()
    for response in responses[WARM:]:
        judge.judge(response)
    return time.perf_counter() - started


def rate(name: str, responses: list[judges.Response], processes: int, cores: int) -> float:
    """Answers a second of all the processes, which share the cores and know none of the answers yet."""
    fresh = multiprocessing.get_context("spawn")
    with fresh.Manager() as manager, fresh.Pool(processes) as pool:
        asked = [(name, responses, cores // processes, manager.Barrier(processes))] * processes
        return sum((len(responses) - WARM) / seconds for seconds in pool.starmap(read, asked, chunksize=1))


def main(cores: int) -> None:
    responses = answers()
    words = sum(len(response.final.split()) for response in responses) / len(responses)
    rows = []
    for name, processes in itertools.product(NAMES, sorted({1, cores})):
        rates = sorted(rate(name, responses, processes, cores) for _ in range(ROUNDS))
        rows.append({
            "judge": name, "processes": processes, "answers each": len(responses) - WARM, "words an answer": round(words), "answers/s (median)": round(rates[ROUNDS // 2]),
            "range": f"{rates[0]:.0f}–{rates[-1]:.0f}",
        })  # fmt: skip
        print(rows[-1], flush=True)
    pd.DataFrame(rows).to_csv(timing.RESULTS / "judging.csv", index=False)


if __name__ == "__main__":
    main(len(os.sched_getaffinity(0)))
