# The commands of millrace. What they need beyond Go, Node and Python they set up
# themselves, in this folder: node_modules/, .venv/, .tools/.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

# One set of flags for every build, so that the build cache serves all of them.
export GOFLAGS := -trimpath -buildvcs=false
export CDK_DISABLE_CLI_TELEMETRY := 1
# Node 20 works, and says at each start that it is old.
export JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION := 20

ENV ?= dev
# pip takes no file whose SHA-256 is not the one that the requirements say.
INSTALL := install --quiet --disable-pip-version-check --require-virtualenv --require-hashes
# The functions run on arm64 in every environment but local.
GOARCH ?= arm64
LAMBDAS := transformer loader migrator hook aggregator notifier
GOLANGCI_LINT := .tools/golangci-lint-2.15.0
GOVULNCHECK := .tools/govulncheck-1.9.0
CYCLONEDX_GO := .tools/cyclonedx-gomod-1.10.0
CHECKOV := .tools/checkov/.done
SUPPLY := .tools/supply/.done
ACTIONLINT := .tools/actionlint-1.7.12
CDK := node_modules/.bin/cdk

# Packages that synthesize: each links the whole CDK, whose runtime has races of
# its own. The others are held to the race detector too.
SYNTH_PACKAGES := . ./constructs/... ./stacks/... ./test/snapshot/... ./test/guard/... ./test/verifyaws/...
PLAIN_PACKAGES := ./internal/... ./spec/... ./lambdas/... ./local/... ./cmd/... ./docs/...

.PHONY: help
help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

## What the rest needs

.PHONY: preflight setup
preflight:
	@sh local/preflight.sh
setup: preflight node_modules/.done .venv/.done
node_modules/.done: package.json package-lock.json | preflight
	npm ci --no-fund --no-audit --loglevel=error
	@touch $@
.venv/.done: requirements.txt | preflight
	python3 -m venv .venv
	.venv/bin/pip $(INSTALL) -r requirements.txt
	@touch $@
.venv-flink/.done: test/flink/requirements.txt | preflight
	python3 -m venv .venv-flink
	.venv-flink/bin/pip $(INSTALL) -r $<
	@touch $@
.PHONY: build/millrace
build/millrace: setup
	@go build -o $@ ./cmd/millrace

## The laptop

.PHONY: demo up down
demo: build/millrace ## 1,707 earthquakes through the deployed line, on this machine (KEEP=1 leaves it up)
	@build/millrace demo $(if $(KEEP),--keep) $(if $(FAULT),--fault=$(FAULT))
up: build/millrace ## the local environment alone; writes .millrace/local.env
	@build/millrace up $(if $(PORT),--port=$(PORT))
down: build/millrace ## stops it and removes its data
	@build/millrace down

## Templates and functions

.PHONY: synth lambdas snapshots picture requirements guard
synth: setup ## templates of ENV (local, dev, staging, prod, recovery; or pipeline) to cdk.out/; needs no AWS account
	@$(CDK) synth --quiet --output cdk.out -c env=$(ENV)
lambdas: preflight ## build/<name>/bootstrap for GOARCH (arm64)
	@for name in $(LAMBDAS); do \
	  CGO_ENABLED=0 GOOS=linux GOARCH=$(GOARCH) go build -tags lambda.norpc -ldflags "-s -w" -o build/$$name/bootstrap ./lambdas/$$name/cmd; \
	  ls -lh build/$$name/bootstrap | awk '{ print $$5, $$9 }'; \
	done
snapshots: build/millrace ## rewrites the golden templates and the picture; read the difference
	go test ./constructs/{analytics,database,delivery,gofunc,ingest,load,observe,recovery,release,rollout,stream,video} ./stacks ./test/snapshot -update
	@$(MAKE) --no-print-directory picture
	go test -count=1 ./test/trust ./test/supply ./docs/objectives -update
	go test -count=1 ./docs/components ./cmd/millrace/cost -update
	@$(MAKE) --no-print-directory suppressions
	@build/millrace openapi --env=dev > build/openapi.json && mv build/openapi.json docs/openapi.json
.PHONY: suppressions
suppressions: setup $(CHECKOV) ## rewrites docs/suppressions.md: what the scanners found and why it stands
	go test -count=1 -timeout 20m -run '^TestScan$$' ./test/scan -update
guard: build/millrace ## what must not be deployed of the change from BASE (a revision, an assembly's folder) to HEAD (HEAD); exits 1 on findings
	@$(if $(BASE),,$(error say BASE=… (a git revision, or the folder of a cloud assembly)))build/millrace guard $(BASE) $(HEAD)
.PHONY: review
review: build/millrace ## the comment for a pull request from BASE (origin/main) to HEAD, into build/review.md; exits 1 on findings
	@rm -f build/review.md
	@build/millrace guard $(or $(BASE),origin/main) $(HEAD) --comment=build/review.md
picture: preflight ## draws docs/images/ from the templates of prod
	go run ./docs/picture -o docs/images/data-flow.svg test/snapshot/testdata/prod-*.template.json
	go run ./docs/picture/dashboard -o docs/images/dashboard.svg test/snapshot/testdata/prod-*.template.json
requirements: $(SUPPLY) ## pins what the requirements.in name and all below it, with hashes (UPGRADE=--upgrade: anew)
	@for in in requirements test/flink/requirements test/scan/requirements test/supply/requirements; do \
	  .tools/supply/bin/pip-compile --quiet $(UPGRADE) --generate-hashes --allow-unsafe --strip-extras --no-header --no-annotate \
	    --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --output-file $$in.txt $$in.in; \
	  (echo "# Pinned from requirements.in, each file by its SHA-256: make requirements"; grep -v '^#' $$in.txt) > $$in.new && mv $$in.new $$in.txt; \
	done

## Checks

.PHONY: test test-flink race cover fuzz drill soak lint vuln sbom bench verify-aws
test: build/millrace $(CHECKOV) $(SUPPLY) ## every test, the end-to-end one on env=local included
	go test -shuffle=on -p 4 $(PLAIN_PACKAGES) ./test/commands/... ./test/supply/... ./test/trust/...
	go test -shuffle=on . # with CDK's own rules over the templates; the others without: they take most of a synth's time
	CDK_VALIDATION=false go test -shuffle=on $(filter-out .,$(SYNTH_PACKAGES)) ./examples/...
	go test -count=1 -timeout 20m ./test/e2e/... ./test/outsider/... ./test/soak/...
	go test -count=1 -timeout 20m ./test/demo/...
test-flink: setup ## the .sql files under PyFlink on real data, held to DuckDB; says so where it cannot be had (FLINK_REQUIRED=1: fails; UPDATE=1: rewrites docs/analytics.md)
	@why=""; \
	if ! command -v java > /dev/null; then why="there is no java, of which Flink needs 17"; \
	elif [ ! -e .venv-flink/.done ]; then why=$$(.venv/bin/python -m pip index versions apache-flink 2>&1) && why="" || why="pip serves no apache-flink: $$why"; fi; \
	if [ -n "$$why" ]; then echo "test-flink: NOT run, $$why"; [ -z "$(FLINK_REQUIRED)" ]; exit; fi; \
	$(MAKE) --no-print-directory .venv-flink/.done && go test -count=1 -v -timeout 20m ./test/flink $(if $(UPDATE),-update)
race: setup ## the tests that synthesize nothing, under the race detector, with coverage by package; needs a C compiler
	go test -race -cover -shuffle=on $(PLAIN_PACKAGES)
fuzz: setup ## 100,000 random bodies through the templates, 5,000 through the gateway (SEED=n repeats a run)
	@seed=$(or $(SEED),$$(date +%s)); echo "SEED=$$seed"; \
	go test -count=1 -v -timeout 30m -run '^TestNoBodyBreaksOutOfATemplate$$' ./constructs/ingest -fuzzbodies=100000 -fuzzseed=$$seed; \
	go test -count=1 -v -timeout 10m -run '^TestNoRequestIsAnsweredWithAnErrorOfTheServer$$' ./local/gateway -fuzzrequests=5000 -fuzzseed=$$seed
drill: build/millrace ## breaks the laptop's line in seven ways under load: alarm, recovery, loss (DRILLS=… some; WRITE=1 into docs/disaster-recovery.md)
	@build/millrace drill $(DRILLS) $(if $(WRITE),--write)
soak: setup ## 10 minutes of load and faults on the loader and a real Postgres; prints the ledger
	go test -count=1 -v -timeout 30m -run '^TestAnyInterleavingEndsAsTheSameTable$$' ./test/soak -duration=10m
bench: setup ## benchmarks, each beside its peer
	go test -run '^$$' -bench . -benchmem ./lambdas/event ./lambdas/loader ./local/gateway/...
	go run ./lambdas/transformer/bench -o docs/performance.md
verify-aws: setup ## asks API Gateway itself what it renders; needs an AWS account, deploys and destroys a throw-away stack
	@go run ./test/verifyaws
lint: setup $(GOLANGCI_LINT) $(ACTIONLINT) $(CHECKOV) ## formatters, vet, linters, import walls; cdk-nag, checkov, cfn-lint, least privilege; mutated templates
	$(GOLANGCI_LINT) fmt --diff
	$(GOLANGCI_LINT) run
	$(ACTIONLINT)
	CDK_VALIDATION=false go test -count=1 -timeout 20m ./test/scan
	@sed -n '/ are accepted,/,$$p' docs/suppressions.md
	go test -count=1 -v -run '^TestEveryMutationIsNoticed$$' ./test/trust
cover: setup ## coverage by package, of the tests that synthesize nothing
	@mkdir -p build
	@go test -coverprofile=build/cover.out $(PLAIN_PACKAGES) > build/cover.txt || { cat build/cover.txt; exit 1; }
	@awk -F'\t' '/coverage:/ { sub(".*/millrace/", "", $$2); gsub("coverage: | of statements", "", $$NF); printf "%8s  %s\n", $$NF, $$2 }' build/cover.txt
	@go tool cover -func=build/cover.out | awk 'END { printf "%8s  of all statements\n", $$NF }'
vuln: $(GOVULNCHECK) ## known vulnerabilities that our code can reach; fails, and says so, where vuln.go.dev is out of reach
	@if why=$$(curl --fail --silent --show-error --max-time 30 --output /dev/null https://vuln.go.dev/index/db.json 2>&1); then \
	  $(GOVULNCHECK) $(PLAIN_PACKAGES); \
	  $(GOVULNCHECK) -scan package $(SYNTH_PACKAGES) ./examples/...; \
	else \
	  echo "vuln: NOT checked, the Go vulnerability database is out of reach: $$why"; exit 1; \
	fi
sbom: setup $(CYCLONEDX_GO) $(SUPPLY) ## what it is made of, as CycloneDX: build/sbom/
	@mkdir -p build/sbom
	@$(CYCLONEDX_GO) mod -json -licenses -test -output build/sbom/go.cdx.json
	@for name in $(LAMBDAS); do \
	  CGO_ENABLED=0 GOOS=linux GOARCH=$(GOARCH) $(CYCLONEDX_GO) app -json -licenses -main lambdas/$$name/cmd -output build/sbom/$$name.cdx.json; \
	done
	@npm sbom --sbom-format cyclonedx --package-lock-only > build/sbom/npm.cdx.json
	@.tools/supply/bin/cyclonedx-py environment --of JSON -o build/sbom/python.cdx.json .venv/bin/python
	@ls -lh build/sbom/*.json | awk '{ print $$5, $$9 }'

## Tools of one version each

# $(call install,PACKAGE@VERSION) puts a program in Go where the target says.
install = GOBIN=$(CURDIR)/.tools/bin go install $(1) && mv .tools/bin/$(notdir $(firstword $(subst @, ,$(1)))) $@
$(GOLANGCI_LINT):
	$(call install,github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0)
$(GOVULNCHECK):
	$(call install,golang.org/x/vuln/cmd/govulncheck@v1.9.0)
$(CYCLONEDX_GO):
	$(call install,github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0)
$(ACTIONLINT):
	$(call install,github.com/rhysd/actionlint/cmd/actionlint@v1.7.12)
$(CHECKOV): test/scan/requirements.txt | preflight
	python3 -m venv $(@D)
	$(@D)/bin/pip $(INSTALL) -r $<
	@touch $@
$(SUPPLY): test/supply/requirements.txt | preflight
	python3 -m venv $(@D)
	$(@D)/bin/pip $(INSTALL) -r $<
	@touch $@
