# `make` lists what there is. Everything works on a machine with Go, bash and
# make; what the tests need besides is set up by `make test`.

.DEFAULT_GOAL := help
SHELL         := /bin/bash

# Simulated lives: from which seed, and how many.
SEED ?= 1
N    ?= 500

# The whole test run must end before this.
TEST_TIMEOUT ?= 15m

REVISION = $(shell git describe --always --dirty --abbrev=12 2>/dev/null)

.PHONY: help build run test sim check deploy-check bench openapi fmt lint tidy cover clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## build the programs into bin/
	go build -ldflags '-X main.revision=$(REVISION)' -o bin/ ./app/cmd/... ./examples/...

run: build ## build and start a coordinator for development, with two example orders
	bin/coordinator dev

test: sim ## run every test, after setting up what they need
	TEST_TIMEOUT=$(TEST_TIMEOUT) scripts/test

sim: ## simulate N runs from SEED on: make sim SEED=1 N=500
	go run ./app/cmd/sim -seed $(SEED) -n $(N)

check: ## check format, vet, staticcheck, go.mod files, generated files, modules alone
	scripts/check

deploy-check: build ## check what is in deploy/ with the tools that will read it
	scripts/check-deploy

bench: ## measure throughput and latency against the limit of the machine
	go run ./app/cmd/bench

openapi: ## generate openapi/ from the code
	scripts/openapi openapi

fmt: ## format the code
	gofmt -w $$(git ls-files --cached --others --exclude-standard '*.go')

lint: ## vet and staticcheck
	scripts/check vet staticcheck

tidy: ## tidy every go.mod
	scripts/each-module go mod tidy
	cd tools/nats && GOWORK=off go mod tidy
	cd tools/deploy && GOWORK=off go mod tidy

cover: ## run the tests and print the coverage per function
	TEST_TIMEOUT=$(TEST_TIMEOUT) scripts/test -coverprofile=coverage.out work
	go tool cover -func=coverage.out

clean: ## remove what was built
	rm -rf bin coverage.out
