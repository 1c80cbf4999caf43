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
# The functions run on arm64 in every environment but local.
GOARCH ?= arm64
LAMBDAS := transformer loader migrator
GOLANGCI_LINT := .tools/golangci-lint-2.15.0
CDK := node_modules/.bin/cdk

# Packages that synthesize: each links the whole CDK, whose runtime has races of
# its own. The others are held to the race detector too.
SYNTH_PACKAGES := . ./constructs/... ./stacks/... ./test/snapshot/... ./test/verifyaws/...
PLAIN_PACKAGES := ./spec/... ./lambdas/... ./local/... ./cmd/... ./docs/...

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
	.venv/bin/pip install --quiet --disable-pip-version-check --require-virtualenv -r requirements.txt
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

.PHONY: synth lambdas snapshots picture requirements
synth: setup ## templates of ENV (local, dev, staging, prod) to cdk.out/; needs no AWS account
	@$(CDK) synth --quiet --output cdk.out -c env=$(ENV)
lambdas: preflight ## build/<name>/bootstrap for GOARCH (arm64)
	@for name in $(LAMBDAS); do \
	  CGO_ENABLED=0 GOOS=linux GOARCH=$(GOARCH) go build -tags lambda.norpc -ldflags "-s -w" -o build/$$name/bootstrap ./lambdas/$$name/cmd; \
	  ls -lh build/$$name/bootstrap | awk '{ print $$5, $$9 }'; \
	done
snapshots: build/millrace ## rewrites the golden templates and the picture; read the difference
	go test ./constructs/... ./test/snapshot/... -update
	@$(MAKE) --no-print-directory picture
	@build/millrace openapi --env=dev > build/openapi.json && mv build/openapi.json docs/openapi.json
picture: preflight ## draws docs/images/data-flow.svg from the templates of prod
	go run ./docs/picture -o docs/images/data-flow.svg test/snapshot/testdata/prod-*.template.json
requirements: preflight ## pins requirements.txt from requirements.in
	python3 -m venv .tools/pin && .tools/pin/bin/pip install --quiet -r requirements.in
	(echo "# Pinned from requirements.in: make requirements"; .tools/pin/bin/pip freeze) > requirements.txt

## Checks

.PHONY: test race fuzz soak lint bench verify-aws
test: build/millrace ## every test, the end-to-end one on env=local included
	go test -shuffle=on -p 4 $(PLAIN_PACKAGES)
	go test -shuffle=on $(SYNTH_PACKAGES) ./examples/...
	go test -count=1 -timeout 20m ./test/e2e/... ./test/outsider/... ./test/soak/...
	go test -count=1 -timeout 20m ./test/demo/...
race: setup ## the tests that synthesize nothing, under the race detector; needs a C compiler
	go test -race -shuffle=on $(PLAIN_PACKAGES)
fuzz: setup ## 100,000 random bodies through the templates, 5,000 through the gateway (SEED=n repeats a run)
	@seed=$(or $(SEED),$$(date +%s)); echo "SEED=$$seed"; \
	go test -count=1 -v -timeout 30m -run '^TestNoBodyBreaksOutOfATemplate$$' ./constructs/ingest -fuzzbodies=100000 -fuzzseed=$$seed; \
	go test -count=1 -v -timeout 10m -run '^TestNoRequestIsAnsweredWithAnErrorOfTheServer$$' ./local/gateway -fuzzrequests=5000 -fuzzseed=$$seed
soak: setup ## 10 minutes of load and faults on the loader and a real Postgres; prints the ledger
	go test -count=1 -v -timeout 30m -run '^TestAnyInterleavingEndsAsTheSameTable$$' ./test/soak -duration=10m
bench: setup ## benchmarks, each beside its peer
	go test -run '^$$' -bench . -benchmem ./lambdas/event ./lambdas/loader ./local/gateway/...
	go run ./lambdas/transformer/bench -o docs/performance.md
verify-aws: setup ## asks API Gateway itself what it renders; needs an AWS account, deploys and destroys a throw-away stack
	@go run ./test/verifyaws
lint: setup $(GOLANGCI_LINT) ## formatters, vet, linters, import walls, template checks
	$(GOLANGCI_LINT) fmt --diff
	$(GOLANGCI_LINT) run
	@for env in dev staging prod; do \
	  $(CDK) synth --quiet --output cdk.out/$$env -c env=$$env; \
	  .venv/bin/cfn-lint --template cdk.out/$$env/*.template.json; \
	  echo "cfn-lint: $$env has no findings"; \
	done
$(GOLANGCI_LINT):
	GOBIN=$(CURDIR)/.tools/bin go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
	mv .tools/bin/golangci-lint $@
