# The commands of this repository. `make` alone lists them.
GO    ?= go
PYTHON ?= python3
FLOWS ?= flows
DATA  ?= .local

.PHONY: help run client test docs screenshots lint bench bench-once bench-cold check synth deploy preflight connectors key-policy adopt restore slack-manifest redrive

help: ## list the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

# What compiles packages for longer than a moment says how far it is: the first time
# on a machine there are hundreds, which takes minutes. A fault is shown by what
# follows.
BUILD = @all=$$($(GO) list -deps ./functions/local | wc -l); n=0; $(GO) build -v -o /dev/null ./functions/local 2>&1 | \
	while read -r _; do n=$$((n + 1)); case $$n in \
		1) echo "building; the first time, that takes minutes" ;; \
		*[05]0) echo "  $$n of at most $$((all)) packages" ;; \
	esac; done >&2

run: ## start everything on this machine, with a simulated Slack at http://127.0.0.1:8080
	$(BUILD)
	@$(GO) run ./functions/local -data $(DATA) -flows $(FLOWS)

client: ## build bin/symflows, one static binary that asks by the API: for terminals and pipelines; GOOS=… GOARCH=… for another machine
	@CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w' -o bin/symflows ./functions/client

check: ## find the faults of the configuration in flows/, and run its policy tests
	$(BUILD)
	@$(GO) run ./functions/local check -policy -flows $(FLOWS)

CDK = npx cdk

# A deployment beside others has a NAME, by which it is asked for each time, and a
# folder of its own for what is synthesized and put out.
OUT     = cdk.out$(if $(NAME),/$(NAME))
OPTIONS = $(if $(NAME),-c name=$(NAME)) $(CONTEXT)
INFRA   = @$(GO) run ./infra

synth: node_modules ## write the CloudFormation template to cdk.out; takes no AWS account
	$(CDK) synth --quiet --output $(OUT) $(OPTIONS)

deploy: preflight ## deploy to the AWS account of the credentials; CONTEXT="-c alarmEmail=ops@example.com", options are in infra/context.go; NAME=… for another deployment
	$(CDK) deploy --app $(OUT) --outputs-file $(OUT)/outputs.json $(OPTIONS)

preflight: synth ## find what would go wrong with a deploy; RENAMED=1: whoever trusts roles that get other names was told; DROPPED=1: what outlives stacks is left behind
	$(INFRA) preflight -app $(OUT) $(if $(RENAMED),-renamed) $(if $(DROPPED),-dropped)

# What make deploy has written of a deployment, and was kept.
KEPT = $(if $(OUTPUTS),-outputs $(OUTPUTS))

restore: synth ## restore the table of a deployment whose stack was deleted; TO=2026-03-02T09:00:00Z or TO=latest; docs/disaster.md
	$(INFRA) restore -app $(OUT) $(KEPT) -to "$(TO)"

adopt: synth ## make a stack of the table, buckets, secrets and key that a deleted one has left, before make deploy; OUTPUTS=… of where its outputs were kept
	$(INFRA) adopt -app $(OUT) $(KEPT)

connectors: synth ## print what roles in other accounts have to trust
	$(INFRA) connectors -app $(OUT)

key-policy: synth ## print what the policy of a key needs; CONTEXT="-c kmsKey=arn:aws:kms:…"
	$(INFRA) key-policy -app $(OUT)

slack-manifest: ## print the Slack app manifest of what was deployed; URL="https://…" for another address
	$(BUILD)
	@$(GO) run ./functions/local slack-manifest $(if $(URL),-url $(URL),-outputs $(OUT)/outputs.json)

redrive: ## hand what functions in AWS gave up on to them again
	$(BUILD)
	@$(GO) run ./functions/local redrive -outputs $(OUT)/outputs.json

PART = @printf '\n— %s\n'
GOTEST = @PATH="$$($(PYTHON) -c '$(REALPYTHON)' "$$(command -v python3)")$$PATH" $(PYTHON) .ci/gotest $(GO) -race -timeout 30m --

# Tests in Go start many processes of python3. The command that a version manager
# puts in front of the real one would take longer than most of what they do.
REALPYTHON = import os, sys; \
	real = os.path.dirname(sys.executable); \
	print("" if os.path.dirname(sys.argv[1]) == real else real + ":")

test: node_modules ## run all tests, what is quick first
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "$(PYTHON) is not Python 3.11 or later: install that, or say which it is by PYTHON=…"; exit 1; }
	$(PART) 'the Python SDK'
	cd functions/sdk && $(PYTHON) -m unittest
	$(PART) 'flows and their handlers'
	@for file in flows/*_test.py; do echo $(PYTHON) $$file; $(PYTHON) $$file || exit 1; done
	$(PART) 'the domain and the use cases'
	$(GOTEST) ./events/... ./internal/flow/... ./internal/workflow/...
	$(PART) 'all else in Go; the functions, infra and internal/app take minutes'
	$(GOTEST) ./...

docs: ## write into docs what the code says: docs/sdk-reference.md, and the settings of strategies
	$(PYTHON) functions/sdk/reference.py > docs/sdk-reference.md
	$(GO) test -run '^TestGuide$$' ./internal/strategy/builtin -update

screenshots: node_modules ## write README's pictures to docs/img, with the browser that the tests use (Chromium)
	$(GO) test -count=1 -run '^TestBrowser$$' ./internal/app -pictures $(CURDIR)/docs/img

node_modules: package.json package-lock.json # tools that the tests run on Node
	npm ci
	@touch $@

lint: ## vet, staticcheck, gofmt, tidy modules, connectors, known vulnerabilities
	$(GO) vet ./...
	$(GO) tool staticcheck ./...
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); \
		if [ -n "$$unformatted" ]; then echo "not formatted, run gofmt -w: $$unformatted"; exit 1; fi
	$(GO) mod tidy -diff
	$(GO) test -count=1 ./internal
	@sh .ci/connectors
	@sh .ci/vulnerabilities

BENCH = @$(GO) test -run '^$$' -timeout 60m

bench: ## measure everything three times, and print the table of docs/benchmarks.md with the medians (30 minutes)
	@$(MAKE) --no-print-directory COUNT='-count 3' bench-once | $(PYTHON) .ci/medians docs/benchmarks.md

bench-once: ## measure latencies, throughput, listings, memory once (10 minutes)
	$(BENCH) $(COUNT) -bench Acknowledge -benchtime 2000x ./internal/app
	$(BENCH) $(COUNT) -bench 'SlashCommand|Button|Submit|Request' -benchtime 2000x ./internal/slackapp ./internal/api
	$(BENCH) $(COUNT) -bench 'Home|Keystroke' -benchtime 500x ./internal/slackapp
	$(BENCH) $(COUNT) -bench WholeRuns -benchtime 2000x ./internal/app
	$(BENCH) $(COUNT) -bench 'Decisions|Memory' -benchtime 1000x ./internal/app
	$(BENCH) $(COUNT) -bench Start -benchtime 10x ./internal/app
	$(BENCH) $(COUNT) -bench Handlers/warm -benchtime 2000x ./internal/app
	$(BENCH) $(COUNT) -bench Handlers/cold -benchtime 10x ./internal/app
	$(BENCH) $(COUNT) -bench RemovalBesideDead -benchtime 1x ./internal/app
	$(BENCH) $(COUNT) -bench RemovalsAtOnce -benchtime 10000x ./internal/app
	$(BENCH) $(COUNT) -bench 'Recover|Apply' -benchtime 1x ./internal/app
	$(BENCH) $(COUNT) -bench . -benchtime 1000x ./internal/store/sqlite ./internal/runner/local
	$(BENCH) $(COUNT) -bench Reconcile -benchtime 3x ./internal/workflow
	$(BENCH) $(COUNT) -bench Limiter -benchtime 300x ./internal/app/core
	$(BENCH) $(COUNT) -bench Targets -benchtime 20x ./internal/slackapp ./internal/catalog ./internal/flow

bench-cold: node_modules ## measure the start of each function in AWS up to its first answer
	$(BENCH) -bench Cold -benchtime 30x ./functions
