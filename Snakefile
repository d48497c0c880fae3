# The study's table of contents: one rule a stage. Run it by `make reproduce`, or with any Snakemake executor:
#   snakemake --config profile=quick --directory runs/quick ...
import shlex
import sys

from rational_utils.study import settings, stages

study = settings.load(config["profile"], config.get("overrides", []))
profile = study.profile


def stamp(stage, method="{method}", seed="{seed}"):
    """The file that a stage writes last, relative to the folder of the profile's runs."""
    return str(study.stamp(stage, method, seed).relative_to(study.runs))


# Snakemake fills these in when a job starts: a rule is the same rule under other settings or in another environment.
program = f"{shlex.quote(sys.executable)} -m rational_utils"
choices = shlex.join(["--profile", profile.name, *(word for override in study.overrides for word in ("--set", override))])


def command(notebook, *parameters):
    return f"{{program}} stage {notebook} {{choices}}" + "".join(f" -p {parameter}" for parameter in parameters)


def evaluations(stage):
    return [stamp(stage, method, seed) for method, seed in study.evaluated()]


def trained(method, seed):
    return stamp(study.training_stage(method), method, seed)


def trained_adapter(wildcards):
    return [] if wildcards.method == "base" else [trained(wildcards.method, wildcards.seed)]


wildcard_constraints:
    method="|".join(profile.methods),
    seed=r"\d+",


rule study:  # names every stage, so that one whose artifacts were lost runs again even when nothing else asks for it
    input:
        [stamp(stage, "all", 0) for stage in ("01_data_curation", "02_rationale_generation", "tables", "07_figures")],
        [trained(method, seed) for method, seed in study.trained()],
        evaluations("04_attack_evaluation"),
        evaluations("05_benchmark_evaluation"),


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
        code=stages.code_fingerprint("01_data_curation", "corpus", "attacks"),
        settings=study.fingerprint("prompts"),
    shell:
        command("01_data_curation")


rule rationale_generation:
    input:
        stamp("01_data_curation", "all", 0),
    output:
        stamp("02_rationale_generation", "all", 0),
    params:
        code=stages.code_fingerprint("02_rationale_generation", "models", "rationales", "judges"),
        settings=study.fingerprint("rationales", "decode_rows", "dtype"),
    threads: workflow.cores
    shell:
        command("02_rationale_generation")


rule lora_finetuning:
    input:
        stamp("01_data_curation", "all", 0),
        stamp("02_rationale_generation", "all", 0),
    output:
        stamp("03_lora_finetuning"),
    params:
        code=stages.code_fingerprint("03_lora_finetuning", "models", "rationales", "training"),
        settings=study.fingerprint("training", "dtype"),
    threads: workflow.cores
    shell:
        command("03_lora_finetuning", "method={wildcards.method}", "seed={wildcards.seed}")


rule circuit_breaker:
    input:
        stamp("01_data_curation", "all", 0),
        stamp("02_rationale_generation", "all", 0),
    output:
        stamp("03b_circuit_breaker"),
    params:
        code=stages.code_fingerprint("03b_circuit_breaker", "models", "rationales", "judges", "training"),
        settings=study.fingerprint("circuit_breaker", "decode_rows", "dtype"),
    threads: workflow.cores
    shell:
        command("03b_circuit_breaker", "method={wildcards.method}", "seed={wildcards.seed}")


rule attack_evaluation:
    input:
        stamp("01_data_curation", "all", 0),
        trained_adapter,
    output:
        stamp("04_attack_evaluation"),
    params:
        code=stages.code_fingerprint("04_attack_evaluation", "models", "rationales", "attacks", "judges"),
        settings=study.fingerprint("attacks", "decode_rows", "dtype"),
    threads: workflow.cores
    shell:
        command("04_attack_evaluation", "method={wildcards.method}", "seed={wildcards.seed}")


rule benchmark_evaluation:
    input:
        trained_adapter,
    output:
        stamp("05_benchmark_evaluation"),
    params:
        code=stages.code_fingerprint("05_benchmark_evaluation", "models", "benchmarks"),
        settings=study.fingerprint("benchmarks", "dtype"),
    threads: workflow.cores
    shell:
        command("05_benchmark_evaluation", "method={wildcards.method}", "seed={wildcards.seed}")


rule tables:
    input:
        evaluations("04_attack_evaluation"),
        evaluations("05_benchmark_evaluation"),
    output:
        stamp("tables", "all", 0),
    shell:
        "{program} gather {choices}"
