# The study's table of contents: one rule a stage. Run it by `make reproduce`, or with any Snakemake executor:
#   snakemake --config profile=quick --directory runs/quick ...
import shlex
import sys

from rational_utils.study import settings, stages

study = settings.load(config["profile"], config.get("overrides", []))
profile = study.profile


def stamp(stage, method="{method}", seed="{seed}", model="{model}", mark=""):
    """The file that a stage (or a share of it) writes last, relative to the folder of the profile's runs."""
    return str(study.of(model).stamp(stage, method, seed, mark).relative_to(study.runs))


def fingerprint(*sections):
    return lambda wildcards: study.of(wildcards.model).fingerprint(*sections)


# Snakemake fills these in when a job starts: a rule is the same rule under other settings or in another environment.
program = f"{shlex.quote(sys.executable)} -m rational_utils"
choices = shlex.join(["--profile", profile.name, *(word for override in study.overrides for word in ("--set", override))])


def command(notebook, *parameters, model=False):
    return f"OMP_NUM_THREADS={{threads}} {{program}} stage {notebook} {{choices}}" + " --model {wildcards.model}" * model + "".join(f" -p {parameter}" for parameter in parameters)


# two stages on half of the cores each take less time than one after the other on all of them; tiny models on fixtures need one core
cores = 1 if profile.data == "fixtures" else max(1, workflow.cores // profile.side_by_side)


def stamps(stage, runs):
    return [stamp(stage, run.method, run.seed, run.model) for run in runs]


attacked = stamps("04_attack_evaluation", study.evaluated())
benchmarked = stamps("05_benchmark_evaluation", study.benchmarked())
noncompliance = stamps("05b_noncompliance", study.benchmarked()) if profile.noncompliance else []


def trained(run):
    return stamp(study.training_stage(run.method), run.method, run.seed, run.model)


def trained_adapter(wildcards):
    return [] if wildcards.method == "base" else [trained(wildcards)]


def share(number):
    return stamp("04_attack_evaluation", mark=f".{number}-of-{profile.shards}")


summaries = ("results/evaluation", "results/rates")  # what a stage writes of its answers
pinned = [*(settings.ROOT / "data" / name for name in ("members.csv", "urls.csv", "hub.csv", "wheels.txt")), *sorted((settings.ROOT / "data" / "smoke").glob("*.*"))]
pins = settings.digest("\n".join(path.read_text() for path in pinned))  # what files data come from
shard = [f"shard={{wildcards.shard}}/{profile.shards}"] if profile.shards > 1 else []


wildcard_constraints:
    model="|".join(study.models()),
    method="|".join(dict.fromkeys(run.method for run in study.evaluated())),
    seed=r"\d+",
    shard=r"\d+",


rule study:  # names every stage, so that one whose artifacts were lost runs again even when nothing else asks for it
    input:
        [stamp(stage, "all", 0) for stage in ("01_data_curation", "tables", "07_figures")],
        [stamp("02_rationale_generation", "all", 0, model) for model in study.models()],
        [trained(run) for run in study.trained()],
        attacked,
        benchmarked,
        noncompliance,


rule figures:
    input:
        stamp("tables", "all", 0),
    output:
        stamp("07_figures", "all", 0),
    params:
        code=stages.code_fingerprint("07_figures", "results"),
    shell:
        command("07_figures", "results_from=run")


rule data_curation:
    output:
        stamp("01_data_curation", "all", 0),
    params:
        code=stages.code_fingerprint("01_data_curation", "corpus", "attacks", *(["models"] if profile.rewriter else [])),
        settings=study.fingerprint("prompts", "rewriter"),
        pins=pins,
    shell:
        command("01_data_curation")


rule rationale_generation:
    input:
        stamp("01_data_curation", "all", 0),
    output:
        stamp("02_rationale_generation", "all", 0),
    params:
        code=stages.code_fingerprint("02_rationale_generation", "models", "rationales", "judges"),
        settings=fingerprint("rationales", "attacks.llm_judge", "decode_rows", "dtype"),
    threads: cores
    shell:
        command("02_rationale_generation", model=True)


rule lora_finetuning:
    input:
        stamp("01_data_curation", "all", 0),
        stamp("02_rationale_generation", "all", 0),
    output:
        stamp("03_lora_finetuning"),
    params:
        code=stages.code_fingerprint("03_lora_finetuning", "models", "rationales", "training"),
        settings=fingerprint("training", "dtype"),
    threads: cores
    shell:
        command("03_lora_finetuning", "method={wildcards.method}", "seed={wildcards.seed}", model=True)


rule circuit_breaker:
    input:
        stamp("01_data_curation", "all", 0),
        stamp("02_rationale_generation", "all", 0),
    output:
        stamp("03b_circuit_breaker"),
    params:
        code=stages.code_fingerprint("03b_circuit_breaker", "models", "rationales", "judges", "training"),
        settings=fingerprint("circuit_breaker", "rationales.judge", "attacks.llm_judge", "decode_rows", "dtype"),
    threads: cores
    shell:
        command("03b_circuit_breaker", "method={wildcards.method}", "seed={wildcards.seed}", model=True)


rule attack_evaluation:
    input:
        stamp("01_data_curation", "all", 0),
        trained_adapter,
    output:
        stamp("04_attack_evaluation") if profile.shards == 1 else share("{shard}"),
    params:
        code=stages.code_fingerprint("04_attack_evaluation", "models", "rationales", "attacks", "judges", *summaries),
        settings=fingerprint("attacks", "rewriter", "decode_rows", "dtype"),
    threads: cores
    shell:
        command("04_attack_evaluation", "method={wildcards.method}", "seed={wildcards.seed}", *shard, model=True)


if profile.shards > 1:

    rule merge_shares:
        input:
            [share(number) for number in range(1, profile.shards + 1)],
        output:
            stamp("04_attack_evaluation"),
        params:
            code=stages.rooms_fingerprint(*summaries),
        shell:
            "{program} merge {choices} --model {wildcards.model} --method {wildcards.method} --seed {wildcards.seed}"


rule benchmark_evaluation:
    input:
        trained_adapter,
    output:
        stamp("05_benchmark_evaluation"),
    params:
        code=stages.code_fingerprint("05_benchmark_evaluation", "models", "rationales", "benchmarks", "corpus"),
        settings=fingerprint("benchmarks", "as_trained", "mt_bench", "instructions", "attacks.reference_tokens", "decode_rows", "dtype"),
        pins=pins,
    threads: cores
    shell:
        command("05_benchmark_evaluation", "method={wildcards.method}", "seed={wildcards.seed}", model=True)


if profile.noncompliance:

    rule noncompliance:
        input:
            stamp("01_data_curation", "all", 0),
            trained_adapter,
        output:
            stamp("05b_noncompliance"),
        params:
            code=stages.code_fingerprint("05b_noncompliance", "models", "rationales", "benchmarks", "judges"),
            settings=fingerprint("noncompliance", "attacks", "decode_rows", "dtype"),
        threads: cores
        shell:
            command("05b_noncompliance", "method={wildcards.method}", "seed={wildcards.seed}", model=True)


rule tables:
    input:
        attacked,
        benchmarked,
        noncompliance,
    output:
        stamp("tables", "all", 0),
    params:
        code=stages.rooms_fingerprint("results"),
        claims=settings.digest((settings.ROOT / "data" / "claims.yaml").read_text()),
    shell:
        "{program} gather {choices}"
