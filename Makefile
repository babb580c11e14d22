# Every target sets up what it needs (image/setup), as root or with sudo, without questions.
SHELL := /bin/bash
.DEFAULT_GOAL := help
MVN := image/mvn -B -ntp -Dstyle.color=never

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / { printf "make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: setup
setup:
	@image/setup

.PHONY: demo
demo: image ## Move Redis and a memory service A -> B -> A, on this machine (KEEP=1 leaves it up)
	@compose/demo.sh

.PHONY: test
test: image ## Unit tests, then the end-to-end tests on the real wrapper image
	@$(MVN) verify

PARALLEL = -Djunit.jupiter.execution.parallel.enabled=true -Djunit.jupiter.execution.parallel.config.strategy=fixed -Djunit.jupiter.execution.parallel.config.fixed.parallelism=$(or $(JOBS),1)
.PHONY: test-faults
test-faults: image ## Every fault at every moment of a migration, and every message lost, an hour with JOBS=3; FAULTS=… MOMENTS=… choose some (tests-e2e: Fault, Moment), MESSAGES=… of those that are lost (Word), SUBSET=fastmig|ums those, EXCEPT=FILE not what passed in that output, JOBS=3 tries three at a time
	@FAULTS='$(FAULTS)' MOMENTS='$(MOMENTS)' MESSAGES='$(MESSAGES)' EXCEPT='$(EXCEPT)' JOBS='$(JOBS)' $(MVN) test $(PARALLEL) -pl tests-e2e -am -De2e.excluded= -Dsurefire.failIfNoSpecifiedTests=false -Dtest=FaultMatrixTest$(if $(SUBSET), -Dgroups=$(SUBSET))

.PHONY: soak
soak: image ## N=200 random faults at random moments of migrations, from one SEED=…, JOBS=3 at a time
	@N='$(or $(N),200)' SEED='$(SEED)' JOBS='$(JOBS)' $(MVN) test -pl tests-e2e -am -De2e.excluded= -Dsurefire.failIfNoSpecifiedTests=false -Dtest=SoakTest

.PHONY: image
image: setup ## Build the wrapper image pagurus/runtime:dev
	@image/build.sh

.PHONY: check
check: setup ## Formatter, static analysis, unit tests, shell scripts, flags of the outer container
	@shellcheck $$(git ls-files | xargs grep -lE '^#!/bin/(ba)?sh')
	@image/test-outer-flags.sh
	@$(MVN) -q package

.PHONY: bench
bench: image ## Measure migrations against other ways, some 45 min (BENCH=--quick: 10 min); results in benchmarks/results
	@benchmarks/run.sh $(BENCH)

.PHONY: fuzz
fuzz: setup ## Fuzz whatever reads a peer's bytes, T=60 seconds each
	@runtime/fuzz.sh $(or $(T),60)

.PHONY: docs
docs: setup ## Javadoc of all modules, in target/reports/apidocs
	@$(MVN) -q -DskipTests package javadoc:aggregate

.PHONY: clean
clean: ## Remove what was built; images stay
	@image/mvn -q -B clean
	@rm -rf build
