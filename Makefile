# make, or make help, tells what there is.

GO      ?= go
BINARY  := bin/smbproxy
PKGS    ?= ./...
LINT    := $(GO) tool -modfile=tools/go.mod golangci-lint
# smbd must be started by root; tests that start one are run through sudo by everybody else.
# Without sudo they say themselves that they must be root.
ROOT    := $(shell [ "$$(id -u)" = 0 ] || ! command -v sudo >/dev/null || echo sudo -E env "PATH=$$PATH")
EXEC    := $(if $(ROOT),-exec '$(ROOT)')
GOTEST  := SMBPROXY_LAB=required $(GO) test $(EXEC)
# How long each fuzz target of "make fuzz" runs.
TIME    ?= 5m
HOUR    ?= 60m
DEMO    ?=
CHECKS  ?= 500
RUNS    ?= 50
CHAOS   ?=
TORTURE ?=
BENCH   ?=

.DEFAULT_GOAL := help

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z][a-z0-9-]*:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## bin/smbproxy
	$(GO) build -o $(BINARY) ./smbproxy

.PHONY: deps
deps:
	@scripts/install-deps

.PHONY: test-deps
test-deps:
	@scripts/install-deps torture

.PHONY: demo
demo: deps ## three Samba servers, smbproxy, two users on loopback; stays up (DEMO=once: checks and ends)
	$(GO) build -o bin/demo ./internal/demo
	$(GO) build -o $(BINARY) ./smbproxy
	@$(ROOT) env SMBPROXY_BINARY=$(BINARY) DEMO=$(DEMO) bin/demo

.PHONY: format
format:
	@out=$$(gofmt -l $$(git ls-files -co --exclude-standard '*.go' | xargs ls 2>/dev/null)); \
	if [ -n "$$out" ]; then echo "not formatted, run gofmt -w:"; echo "$$out"; exit 1; fi

.PHONY: vet
vet:
	$(GO) vet $(PKGS)

.PHONY: lint
lint:
	$(LINT) run $(PKGS)

.PHONY: test
test: test-deps format vet ## every test, race detector on, end-to-end tests included
	$(GOTEST) -count=1 -run Alloc ./crypto ./internal/transport ./internal/smb2 ./session ./demux ./demux/backend # the race detector allocates
	$(GOTEST) -race -shuffle=on -timeout 40m $(PKGS)

.PHONY: check
check: format vet lint ## format, vet, lint and the quick tests
	$(GO) test -short $(PKGS)

.PHONY: e2e
e2e: deps ## real clients through smbproxy to real Samba
	$(GOTEST) -v -count=1 -timeout 40m ./internal/e2e/...

.PHONY: torture
torture: ## smbtorture against smbproxy, held against testdata/torture (TORTURE='-direct', '-suites smb2.lock' ...)
	@scripts/install-deps torture
	$(GO) build -o bin/torture ./internal/torture/run
	$(GO) build -o $(BINARY) ./smbproxy
	@$(ROOT) env SMBPROXY_BINARY=$(BINARY) bin/torture $(TORTURE)

.PHONY: diff
diff: deps ## random requests to stock smbd and through smbproxy must be answered alike (CHECKS=500)
	SMBPROXY_DIFF=random $(GOTEST) -count=1 -timeout 40m ./internal/oracle -rapid.checks=$(CHECKS)

.PHONY: reclaim
reclaim: deps ## smbproxy killed under clients with persistent handles, which come back for them (RUNS=100)
	$(GO) build -o $(BINARY) ./smbproxy
	SMBPROXY_BINARY=$(BINARY) $(GOTEST) -count=1 -timeout 2h -run TestReclaim ./internal/e2e -reclaim.runs $(RUNS)

.PHONY: chaos
chaos: deps ## backends killed, frozen, cut off, lost, drained under clients, at random (RUNS=50 CHAOS='-chaos.seed 7 -chaos.faults kill')
	$(GO) build -o $(BINARY) ./smbproxy
	SMBPROXY_BINARY=$(BINARY) $(GOTEST) -v -count=1 -timeout 5h -run TestRandom ./internal/chaos -chaos.runs $(RUNS) $(CHAOS)

.PHONY: fuzz
fuzz: ## each fuzz target for TIME (5m)
	@GO="$(GO)" scripts/fuzz $(TIME) $(PKGS)

.PHONY: fuzz-hour
fuzz-hour: ## one processor hour of hostile connections against the whole stack (HOUR=60m)
	$(GO) test -run '^$$' -fuzz '^FuzzConnection$$' -fuzztime $(HOUR) -parallel 1 ./internal/hostile

.PHONY: scale
scale: deps ## 5,000 idle and 1,000 busy clients on one smbproxy; fails above 40 KiB each, and where a client starves
	$(GO) build -o $(BINARY) ./smbproxy
	SMBPROXY_BINARY=$(BINARY) $(GOTEST) -v -count=1 -timeout 20m -run 'TestIdle|TestBusy' ./internal/hostile \
		-idle 5000 -busy 1000 -busy-time 20s -scale-strict

.PHONY: stripes
stripes: deps ## one file over 1, 2, 4, 8 nodes of fixed speed must be read and written as many times as fast
	$(GO) build -o $(BINARY) ./smbproxy
	SMBPROXY_BINARY=$(BINARY) $(GOTEST) -v -count=1 -timeout 20m -run TestStripesScale ./internal/e2e -stripes 8

.PHONY: bench
bench: ## smbd, haproxy, smbproxy side by side; writes BENCHMARKS.md (BENCH='-rounds 3 -only read-plain,open' ...)
	@scripts/install-deps bench
	$(GO) build -o bin/bench ./internal/bench/compare
	$(GO) build -o $(BINARY) ./smbproxy
	@$(ROOT) env SMBPROXY_BINARY=$(BINARY) bin/bench $(BENCH)

.PHONY: gobench
gobench: ## Go benchmarks with allocations
	$(GO) test -run '^$$' -bench . -benchmem $(PKGS)

.PHONY: golden
golden: ## make testdata/pcaps again and write the goldens; read the diff
	@scripts/install-deps torture
	@for p in $$(grep -rl --include='*_test.go' 'flag.Bool("update"' . | xargs -r -n1 dirname | sort -u); do \
		$(GOTEST) -count=1 $$p -update || exit 1; done

.PHONY: clean
clean: ## remove what make made
	rm -rf bin
