# Everything a developer or CI runs. `make help` lists it.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:

# One set of flags for all that Go builds here: with another, each dependency is compiled once more.
export CGO_ENABLED := 0
export GOFLAGS := $(strip $(filter-out -trimpath -buildvcs=%,$(GOFLAGS)) -trimpath -buildvcs=false)

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/sallyport-tools
LINT_VERSION := v2.15.0
LINT := $(CACHE)/golangci-lint-$(LINT_VERSION)/golangci-lint
KUBERNETES := $(CACHE)/kubernetes-v1.36.3
FUZZTIME ?= 1m
BENCH ?=
PAIRS ?= 1-200

# Tests are linked without what debuggers want, in half the time.
STRIP := -ldflags '-s -w'
LDFLAGS := -s -w -buildid= -X github.com/sallyport-dev/sallyport/cmd.version=$(VERSION)
MAN := SOURCE_DATE_EPOCH=$${SOURCE_DATE_EPOCH:-$$(git log -1 --format=%ct)} go run ./internal/man
BUILD := go build -ldflags '$(LDFLAGS)'

SUMS := cd dist && find . -type f ! -name SHA256SUMS -printf '%P\0' | LC_ALL=C sort -z | xargs -0 sha256sum >SHA256SUMS

.PHONY: help build site man demo demo-boot demo-cluster boot test lint bench charts e2e pairs matrix fuzz dist packages clean

help: ## this list
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

build: ## bin/sallyport, the whole program
	@echo 'building bin/sallyport: minutes the first time, seconds from then on'
	@$(BUILD) -o bin/sallyport .

site: ## bin/sallyport-site, the program for sites
	$(BUILD) -tags site -o bin/sallyport-site .

man: ## bin/man, a manual page for each verb
	rm -rf bin/man
	$(MAN) bin/man

demo: build ## the main job on this machine: a good update, a bad one, a tampered one; needs Go only
	@echo 'building the demo: a minute the first time'
	@go run ./internal/demo -program bin/sallyport

demo-boot: build ## an update of an operating system in QEMU, a kernel panic and the way back (Debian's packages)
	internal/testtools/setup boot
	@go run ./internal/bootrig/demo -program bin/sallyport

demo-cluster: build ## the same on a real Kubernetes node (root; Debian's packages)
	internal/testtools/setup node
	go run ./internal/testcluster/build kube-apiserver kube-controller-manager kube-scheduler kubelet kubectl
	BIN=$(KUBERNETES) internal/e2e/node.sh go run ./internal/demo -program bin/sallyport -cluster

test: ## all tests; installs what they need where it may
	@echo 'looking for the Debian packages that tests need, and installing what is missing'
	internal/testtools/setup test
	@echo 'building a Kubernetes API server for the tests: five to ten minutes the first time'
	go run ./internal/testcluster/build kube-apiserver
	@echo 'building cosign and helm for the tests: minutes the first time'
	go run ./internal/testtools/build cosign helm kernel
	@echo 'testing: nothing is shown for minutes the first time, while each package is built'
	go test $(STRIP) -timeout 20m ./...
	go test $(STRIP) -tags site ./cmd/... .
	cd internal/packaging && go test $(STRIP) ./...
	CGO_ENABLED=1 go test $(STRIP) -vet=off -race -short -timeout 20m ./internal/durable ./internal/strictyaml ./bundle ./bundle/image ./verify ./apply ./apply/mirror ./apply/check ./apply/slot ./delta/program

lint: $(LINT) ## gofmt, vet, golangci-lint, shellcheck
	internal/testtools/setup lint
	@out=$$(gofmt -l $$(git ls-files '*.go')); [[ -z $$out ]] || { echo "not gofmt-ed: $$out"; exit 1; }
	go vet ./...
	go vet -tags e2e ./internal/e2e/...
	go vet -tags boot ./internal/bootrig/...
	go vet -tags charts ./bundle/manifest/helm
	go vet -tags site . ./cmd/...
	go vet -tags boot ./apply/slot/...
	$(LINT) run ./...
	cd internal/packaging && go vet ./... && $(LINT) run ./...
	shellcheck .ci/run internal/testtools/setup internal/e2e/*.sh delta/recompress/frozen/freeze.sh delta/recompress/testdata/make-vectors delta/recompress/czstd/testdata/make-vectors docs/boot/exec/bootc.sh

$(LINT):
	mkdir -p $(@D)
	GOBIN=$(@D) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION)

bench: build ## sizes, times and memory beside the peers'; BENCH_PAIRS=a,b and BENCH=-sections=… choose (root for Debian's packages)
	internal/testtools/setup bench
	go run ./internal/testcluster/build kube-apiserver kubectl
	go run ./internal/bench -program bin/sallyport $(BENCH)

charts: ## charts that others made, through stock Helm and through us, from the Go module proxy
	go run ./internal/testtools/build helm
	go test -tags charts -run ChartsOfOthers -v ./bundle/manifest/helm

e2e: build ## the main job, and ways back, on a real Kubernetes node (root; Debian's packages)
	internal/testtools/setup node
	go run ./internal/testcluster/build kube-apiserver kube-controller-manager kube-scheduler kubelet kubectl
	go run ./internal/testtools/build cosign
	go test -c -tags e2e -o bin/e2e.test ./internal/e2e
	SALLYPORT=$(CURDIR)/bin/sallyport BIN=$(KUBERNETES) internal/e2e/node.sh bin/e2e.test -test.v

boot: build ## machines in QEMU with GRUB, systemd-boot, EFI and U-Boot, and power cuts replayed (Debian's packages)
	internal/testtools/setup boot
	go run ./internal/testcluster/build kube-apiserver
	SALLYPORT=$(CURDIR)/bin/sallyport go test -count=1 -timeout 3h -p 1 -parallel 3 -tags boot -v ./internal/bootrig/... ./apply/slot/...

pairs: ## 200 random pairs of releases on a real API server: forward, a failed check, and back; PAIRS=17,23 chooses
	internal/testtools/setup test
	go run ./internal/testcluster/build kube-apiserver
	SALLYPORT_PAIRS=$(PAIRS) go test -timeout 40m -run TestRandomPairs -v ./apply

matrix: ## what make test has a sample of: sites and machines broken off at each single write, with every loader's model; hostile bundles (two hours)
	internal/testtools/setup test
	SALLYPORT_MATRIX=all go test -timeout 3h -run 'TestCrashMatrix|TestBootCrashMatrix|TestLoader|TestHostileBundles' ./apply ./apply/slot/... ./cmd

fuzz: ## every fuzz target for FUZZTIME (1m)
	@for pkg in $$(go list ./...); do \
	  for target in $$(go test -list '^Fuzz' "$$pkg" | grep '^Fuzz' || true); do \
	    echo "== $$pkg $$target"; go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 20x "$$pkg"; \
	  done; \
	done

dist: ## reproducible programs for every platform, manual pages, units, boot scripts, alerts and schemas, in dist/
	rm -rf dist; mkdir dist
	for p in linux/amd64 linux/arm64 darwin/amd64 darwin/arm64; do \
	  GOOS=$${p%/*} GOARCH=$${p#*/} $(BUILD) -o dist/sallyport-$${p%/*}-$${p#*/} .; done
	for p in amd64 arm64 arm; do \
	  GOOS=linux GOARCH=$$p GOARM=7 $(BUILD) -tags site -o dist/sallyport-site-linux-$${p/%arm/armv7} .; done
	$(MAN) dist/man
	cp -r docs/systemd docs/schema docs/boot docs/monitoring dist/
	$(SUMS)

packages: dist ## deb, rpm and apk of the programs, in dist/
	cd internal/packaging && SOURCE_DATE_EPOCH=$${SOURCE_DATE_EPOCH:-$$(git log -1 --format=%ct)} go run . -dist $(CURDIR)/dist -version '$(VERSION)'
	$(SUMS)

clean: ## bin/ and dist/
	rm -rf bin dist
