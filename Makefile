# make reproduce [PROFILE=quick] [SET="training.epochs=1 ..."]   the whole study, from sources to figures
# make validate [SET=...]                                        how a recipe does on the validation questions
# make bench                                                     this study's engine against the libraries one would pick instead
# make test                                                      unit tests, the smoke study, the notebooks
PROFILE ?= quick
SET ?=
PYTHON ?= python3.11
VENV ?= .venv
RUN = $(VENV)/bin/python -m rational_utils
CHOICES = --profile $(PROFILE) $(foreach change,$(SET),--set $(change))

.PHONY: environment reproduce validate test lab publish bench clean

environment: $(VENV)/installed

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet 'pip>=23.1'
	$(VENV)/bin/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

reproduce: environment
	@$(RUN) reproduce $(CHOICES)

validate: environment
	@$(RUN) validate $(CHOICES)

# a file of tests is one job; each counts on one core alone, where tiny models are fastest
test: export OMP_NUM_THREADS = 1
test: environment
	@$(VENV)/bin/python -m pytest tests --numprocesses auto --dist loadfile

lab: environment
	$(VENV)/bin/jupyter lab notebooks

publish: environment
	@$(RUN) publish $(CHOICES)

# both sides get what notebooks get from stages.py: memory that the C library keeps
bench: export MALLOC_MMAP_THRESHOLD_ = 1073741824
bench: export MALLOC_TRIM_THRESHOLD_ = 1073741824
# nanogcg is a peer and no dependency: it has a folder of its own; bench.parity takes long and is run by hand
bench: environment
	$(VENV)/bin/python -m pip install --quiet --no-deps --target .peers --upgrade nanogcg==0.3.0
	$(VENV)/bin/python -m bench.generation
	$(VENV)/bin/python -m bench.products
	$(VENV)/bin/python -m bench.sft
	$(VENV)/bin/python -m bench.losses
	$(VENV)/bin/python -m bench.scoring
	PYTHONPATH=.peers $(VENV)/bin/python -m bench.gradient
	$(VENV)/bin/python -m bench.growth
	$(VENV)/bin/python -m bench.profile
	$(VENV)/bin/python -m bench.straight --every 4
	$(VENV)/bin/python -m bench.report

clean:
	rm -rf runs/$(PROFILE)
