# `make help` lists what there is. Everything is made in .venv and getdcmtags/build; data goes to MERCURE_ROOT.
# What is up to date, tools/setup finds out by digests: make compares times, which a checkout or a copy changes.

MERCURE_ROOT ?= var
# Two for each core: many tests wait for the programs that they start.
WORKERS ?= $(shell n=$$((2 * $$(nproc))); echo $$((n < 8 ? n : 8)))
TESTS ?= tests
# What runs the test runners; continuous integration runs what failed once more (tools/run_again.py).
RUN_TESTS ?=

# Each service that a test starts would compile its modules anew where this is set, as it is in many containers.
export PYTHONDONTWRITEBYTECODE :=

PYTEST := .venv/bin/python -m pytest -n $(WORKERS)

.DEFAULT_GOAL := help
.PHONY: help run screenshots setup setup-test test test-python test-cpp test-slow bench crash interop power-cuts soak fuzz check docs sbom docs-playbook lint-playbook lock molecule molecule-vm

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo 'MERCURE_ROOT=$(MERCURE_ROOT)  where run keeps configuration, images and history'
	@echo 'PYTHON=...         which Python makes .venv (3.11 or newer)'
	@echo 'WORKERS=$(WORKERS)  TESTS=$(TESTS)  how many tests at once, and which'

run: setup ## run the router in the foreground; Ctrl-C ends it
	@exec .venv/bin/mercure run --root "$(MERCURE_ROOT)"

setup: ## install what is missing to run the router
	@tools/setup run

setup-test: ## install what is missing to test it too
	@tools/setup test

test: test-python test-cpp ## run every test but the slow ones

test-python: setup-test
	$(RUN_TESTS) $(PYTEST) -m 'not slow' $(TESTS)

test-cpp: setup-test
	$(RUN_TESTS) ctest --test-dir getdcmtags/build --output-on-failure --no-tests=error --parallel $(WORKERS)

bench: setup-test ## measure against the peers (NAMES='receive routing'), or against another revision (BASE=COMMIT PAIRS=5)
	.venv/bin/python -m $(if $(BASE),tests.benchmarks.compare --pairs $(or $(PAIRS),5) $(BASE),tests.benchmarks) $(NAMES)

test-slow: setup-test ## run the slow tests: minutes each
	$(PYTEST) -m slow --timeout 1800 $(TESTS) || [ $$? -eq 5 ] # 5: there is none, which is no failure here

crash: setup-test ## kill every service at each durable step of each scenario, and write docs/crash-matrix.md (FINISHED=FILE: go on with what is done)
	.venv/bin/python -m tests.crash.matrix $(if $(FINISHED),--go-on $(FINISHED))

interop: ## send every kind of file through the router between other programs, and write docs/interoperability.md
	@tools/setup interop
	.venv/bin/python -m tests.interop

power-cuts: setup-test ## cut the power of the disk under a working router, CUTS=200 times
	.venv/bin/python -m tests.crash.power --cuts $(or $(CUTS),200)

fuzz: setup-test ## fuzz what reads strange bytes, SECONDS=600 each (clang)
	@tools/fuzz $(or $(SECONDS),600)

soak: setup-test ## mixed traffic, kills, outages and changes for MINUTES=30, then account for everything
	.venv/bin/python -m tests.soak --minutes $(or $(MINUTES),30)

check: setup-test ## lint, types, import contracts, shell, and the wheel installed on its own
	@tools/check

lint-playbook: ## lint the playbook and its roles, and compare the pages made from them
	@tools/check-playbook

docs-playbook: ## write the READMEs of the roles and the page of the inventory's choices
	@tools/setup provision
	.venv-provision/bin/python tools/role_pages.py

molecule: ## run the playbook on a bare Debian guest that boots, and use the router (SCENARIOS=default)
	@tools/molecule $(or $(SCENARIOS),default)

molecule-vm: ## the same on a kernel of its own, under emulation; half an hour and more
	@tools/molecule vm

sbom: setup ## write what this checkout runs to sbom.cdx.json (CycloneDX), for `mercure sbom check` elsewhere
	.venv/bin/mercure sbom write sbom.cdx.json

docs: setup ## write the pages that are made from the code
	.venv/bin/python tools/configuration_page.py
	.venv/bin/python tools/terminal_ui_page.py
	.venv/bin/python tools/alert_states_page.py
	.venv/bin/python tools/manual_pages.py
	.venv/bin/python tools/conformance_page.py
	.venv/bin/python -m appliance.cli.reference > docs/reference/cli.md
	.venv/bin/python -m appliance.cli.api_reference > docs/reference/control-api.md

screenshots: setup-test ## draw docs/screenshots anew from a scripted state
	.venv/bin/python -m tests.tui.screenshots
	.venv/bin/python -m tests.status_page.screenshots

lock: setup ## make the requirement locks anew after a change of dependencies
	@tools/lock
