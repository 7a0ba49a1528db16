# What a developer types; .ci/run calls the same targets.
SHELL := /bin/bash
.DEFAULT_GOAL := help

tools := $(CURDIR)/.tools
export PATH := $(tools)/bin:$(tools)/go/bin:$(tools)/node/bin:$(PATH)
export GOTOOLCHAIN := auto
export GOFLAGS := -buildvcs=false

version := $(shell git describe --always --dirty 2>/dev/null || echo unknown)
ldflags := -X main.version=$(version)
ui_sources := $(shell find wall/ui -path wall/ui/node_modules -prune -o -path wall/ui/dist -prune -o -type f -print)
DEMO_CAMERAS ?= 100

.PHONY: help setup build ui fmt lint test bench proof fuzz-short demo soak crash endure

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

setup: ## Install what building and testing need (asks for sudo only if something is missing)
	@deploy/setup.sh

build: setup ui ## Build bin/patrol and bin/citysim
	@mkdir -p bin
	go build -ldflags '$(ldflags)' -o bin/ ./cmd/...

ui: setup wall/ui/dist/index.html ## Build the page

wall/ui/dist/index.html: $(ui_sources)
	cd wall/ui && npm ci --loglevel=error && npm run --silent build
	@touch $@

fmt: $(tools)/golangci-lint ## Format the Go code
	$(tools)/golangci-lint fmt ./...

lint: setup ui $(tools)/golangci-lint ## Check the style, the imports and the shell scripts
	$(tools)/golangci-lint run ./...
	CGO_ENABLED=0 go vet $$(go list ./... | grep -vE '/detect/(codec|opencv|onnx)$$|/cmd/')
	bash -n deploy/*.sh .ci/run

$(tools)/golangci-lint: deploy/tools/go.mod deploy/tools/go.sum | setup
	@mkdir -p $(tools)
	cd deploy/tools && go build -o $@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint

test: setup ui ## Run every test
	cd wall/ui && npm run --silent lint && npm test --silent
	go test -race -timeout 40m $$(go list ./... | grep -v /cmd/patrol$$)
	go test -timeout 15m -run '^Test(Stir|HealthOfDegradedClips$$|FireOnClips$$|GlanceIsJudgedAlike$$)' ./streams/rtsp ./detect
	go test -race -timeout 15m ./cmd/patrol

bench: build ## Run the benchmarks, and patrol 100 simulated cameras beside the usual ways
	go test -run '^$$' -bench . -benchmem ./...
	bin/patrol bench ingest --cameras 100

fuzz-short: setup ## Fuzz every parser for a few seconds
	@set -e; for p in $$(go list ./...); do \
		for f in $$(go test -list '^Fuzz' $$p | grep '^Fuzz' || true); do \
			go test -run '^$$' -fuzz "^$$f$$" -fuzztime 5s $$p; done; done

proof: build ## Measure ingest, visits, storms, cold starts, faults and leads against their bounds (an hour and a half, on a quiet machine)
	bin/patrol bench ingest --mode resident --decode=false --cameras 500,2000
	bin/patrol bench ingest --mode visit --cameras 500,2000
	bin/patrol bench visits --cameras 10000 --first-key now
	bin/patrol bench visits --cameras 10000 --first-key gop
	bin/patrol bench storm --cameras 2000 --hosts 40 --outage 60s
	bin/patrol bench cold --cameras 2000
	bin/patrol bench faults --cameras 500 --for 20m
	bin/patrol bench leads --for 5m

demo: build ## Start a simulated city and the gateway on this machine; Ctrl-C ends both
	@bin/patrol demo --cameras $(DEMO_CAMERAS)

soak: build ## Twenty minutes of a random script: every happening becomes exactly one lead
	go test -count=1 -timeout 40m -run '^TestSoak$$' -v ./cmd/patrol -soak 20m

crash: build ## Fifty times kill -9 under load: no raised lead lost or doubled
	go test -count=1 -timeout 40m -run '^TestCrash$$' -v ./cmd/patrol -crashes 50

endure: build ## Kill the gateway, cut its power, fill its disk and set its clock: nothing lost or doubled (half an hour, as root)
	bin/patrol bench endure --fault kill
	bin/patrol bench endure --fault power
	! bin/patrol bench endure --fault power --database sqlite --synchronous off
	bin/patrol bench endure --fault full
	bin/patrol bench endure --fault clock
