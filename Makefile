# The commands of this repository. `make` alone lists them.
GO    ?= go
FLOWS ?= flows
DATA  ?= .local

.PHONY: help run test lint bench check

help: ## list the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

run: ## start everything on this machine, with a simulated Slack at http://127.0.0.1:8080
	@$(GO) run ./functions/local -data $(DATA) -flows $(FLOWS)

check: ## find the faults of the configuration in flows/
	@$(GO) run ./functions/local check -flows $(FLOWS)

test: node_modules ## run all tests
	$(GO) test -race -timeout 30m ./...

node_modules: package.json package-lock.json # tools that the tests run on Node
	npm ci
	@touch $@

lint: ## vet, staticcheck, gofmt, tidy modules, known vulnerabilities
	$(GO) vet ./...
	$(GO) tool staticcheck ./...
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); \
		if [ -n "$$unformatted" ]; then echo "not formatted, run gofmt -w: $$unformatted"; exit 1; fi
	$(GO) mod tidy -diff
	$(GO) test -count=1 ./internal
	@sh .ci/vulnerabilities

bench: ## measure: latencies, throughput, listings; see docs/benchmarks.md
	$(GO) test -run '^$$' -bench . -benchmem -timeout 60m ./...
