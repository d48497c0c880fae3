"""Command line: `python -m rational_utils --help`."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import tempfile

import yaml

from .study import settings, stages
from .study.errors import StudyError


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        return options.run(options) or 0
    except (StudyError, OSError) as error:
        message = str(error) if isinstance(error, StudyError) else f"{error.strerror}: {error.filename or 'a file'}; free space or fix the folder and run again"
        print(f"error: {message}", file=sys.stderr)
        _leave_error(message)
        return 2
    except KeyboardInterrupt:
        print("stopped; the same command goes on from here", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m rational_utils", description="Run the Rational study or a part of it.")
    commands = parser.add_subparsers(required=True)

    def command(name: str, run, about: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=about, description=about)
        made.add_argument("--profile", default="quick", help=f"one of: {', '.join(settings.profile_names())}")
        made.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE", help="override a field of the profile")
        made.set_defaults(run=run)
        return made

    command("reproduce", _reproduce, "run everything that is missing, in order, and say where the results are")
    command("validate", _validate, "train, and attack on the validation split alone: how a recipe is chosen")
    command("plan", _plan, "what each stage should take on this machine, in seconds and MB, before anything runs")
    command("check", _check, "validate the profile and fetch what it needs")
    stage = command("stage", _stage, "run one notebook")
    stage.add_argument("notebook")
    stage.add_argument("--model", help="another model of the profile than its first")
    stage.add_argument("-p", action="append", default=[], metavar="NAME=VALUE", help="a notebook parameter")
    merge = command("merge", _merge, "put the shares of a method's attack evaluation together")
    merge.add_argument("--model", help="another model of the profile than its first")
    merge.add_argument("--method", required=True)
    merge.add_argument("--seed", type=int, required=True)
    command("judge-calls", _judge_calls, "how many calls the judge llm would make for the answers that there are; makes none")
    command("gather", _gather, "collect the stages' parts into the result tables")
    published = command("publish", _publish, "copy results, figures and executed notebooks to the committed places")
    published.add_argument("--add", action="store_true", help="put this run's methods beside those that are published, in the place of the same ones")
    return parser


def _study(options) -> settings.Study:
    return settings.load(options.profile, options.set)


def _check(options) -> None:
    from . import benchmarks
    from .corpus import sources

    study = _study(options)
    try:
        if study.profile.benchmarks:
            benchmarks.require(study.profile.benchmarks, study.profile.as_trained, study.profile.data == "hub")
    except ValueError as error:
        raise StudyError(f"profile {study.profile.name}, benchmarks: {error}") from None
    if study.profile.data != "fixtures":
        sources.fetch_all(sources.needed(study.loaded(), study.profile.data))
    if study.profile.data == "hub":
        from .benchmarks import theirs

        theirs.fetch(study.profile.benchmarks)


def _reproduce(options) -> int:
    _check(options)
    study = _study(options)
    before = _newest(study)
    with tempfile.NamedTemporaryFile("r", prefix="error") as error:  # not in the runs folder, whose disk may be full
        os.environ["RATIONAL_ERROR_FILE"] = error.name
        code = stages.snakemake(study)
        if code:
            raise StudyError(error.read().strip() or f"Snakemake ended with code {code}; its messages are above")
    print("Nothing to do: everything is up to date." if before and _newest(study) == before else "Done.")
    print(f"Figures:   {os.path.relpath(study.figures, settings.ROOT)}")
    print(f"Notebooks: {os.path.relpath(study.notebooks, settings.ROOT)}")
    print(f"Tables:    {os.path.relpath(study.results, settings.ROOT)}")
    return 0


def _validate(options) -> None:
    from .results import validation

    options.set.append(validation.SPLIT)
    _check(options)
    study = _study(options)
    stamps = [study.of(model).stamp("04_attack_evaluation", method, seed).relative_to(study.runs) for model, method, seed in study.evaluated()]
    if stages.snakemake(study, *map(str, stamps)):
        raise StudyError("validation: a stage failed; its error is above")
    print(validation.append(study, validation.trial(study)).round(3).to_string(index=False))


def _plan(options) -> None:
    from .results import plan

    study = _study(options)
    planned = plan.plan(study)
    fixed, together = plan.fixed_seconds(study) * len(planned), study.profile.side_by_side
    print(plan.compared(planned, study).to_string(index=False))
    beside = f"{together} stages side by side, " * (together > 1)
    print(f"in all {(planned['seconds'].sum() + fixed) / together / 60:.1f} minutes ({beside}{fixed / together:.0f} seconds for starting notebooks); largest stage {planned['peak_mb'].max() / 1000:.1f} GB")


def _newest(study: settings.Study) -> float:
    return max((stamp.stat().st_mtime for stamp in (study.runs / "stamps").glob("*")), default=0.0)


def _stage(options) -> None:
    _choose_model(options)
    given = {"profile": options.profile, "overrides": options.set, **dict(_assignment(text) for text in options.p)}
    stages.run(options.notebook, given)


def _merge(options) -> None:
    from .results import evaluation

    _choose_model(options)
    evaluation.merge(_study(options), options.method, options.seed)


def _choose_model(options) -> None:
    if options.model and options.model != _study(options).profile.model:
        options.set.append(f"model={options.model}")


def _assignment(text: str) -> tuple[str, object]:
    name, equals, value = text.partition("=")
    if not equals:
        raise StudyError(f"parameter {text!r}: write it as name=value")
    return name, yaml.safe_load(value)


def _judge_calls(options) -> None:
    import pandas as pd

    from . import judges, rationales
    from .study.provenance import require

    study = _study(options)
    judge = judges.find(study.profile.attacks.judge, study.profile.attacks.llm_judge)
    if not hasattr(judge, "pending"):
        raise StudyError(f"judge-calls: the judge {study.profile.attacks.judge} makes none; choose --set attacks.judge=llm")
    texts = pd.read_parquet(require(study.prompts)).set_index("question_id")["text"]
    places = [study.of(run.model).responses(run.method, run.seed) for run in study.evaluated()]
    tables = [pd.read_parquet(require(place)) for place in places if place.exists()]
    answers = [judges.Response(texts[row.question_id], rationales.parse(row.text).final, row.text) for table in tables for row in table.itertuples()]
    print(f"{judge.pending(answers)} calls for {len(answers)} answers of {len(tables)} of {len(places)} runs; {judge.calls} of {judge.settings.calls} are made and kept")


def _gather(options) -> None:
    from .results import gather

    gather.gather(_study(options))


def _publish(options) -> None:
    from .results import publish

    publish.publish(_study(options), beside=options.add)


def _leave_error(message: str) -> None:
    """The line that `reproduce` repeats at its end, when Snakemake's own messages have scrolled by."""
    path = os.environ.get("RATIONAL_ERROR_FILE")
    if path:
        with contextlib.suppress(OSError), open(path, "w") as stream:
            stream.write(message + "\n")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main())
