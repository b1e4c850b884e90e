# Postern. "make help" says what can be made. Needs go, git and make.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

MODULE   := github.com/postern-zt/postern
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
SYSTEMS  := linux windows darwin
ARCHS    := amd64 arm64

# The programs that ship, and those that only show or measure them.
SHIPPED  := $(patsubst %/,./%,$(sort $(dir $(wildcard $(foreach f,client broker tray installer,$(f)/cmd/*/*.go)))))
HELPERS  := $(patsubst %/,./%,$(sort $(dir $(wildcard testfixtures/cmd/*/*.go))))

# What one call of "make programs" builds, for which machine, and where to.
PROGRAMS := $(SHIPPED)
SYSTEM   := $(shell go env GOOS)
ARCH     := $(shell go env GOARCH)
OUT      := bin

# The version comes from git by way of the linker; stamping by go build would
# fail in a checkout that another user owns. On Windows the tray is linked as a
# program of the desktop, as it would come with a black window otherwise.
LINK     := -X $(MODULE)/platform/buildinfo.version=$(VERSION)
LINK_windows := -ldflags "$(MODULE)/tray/cmd/postern-tray=$(LINK) -H=windowsgui"
GOBUILD   = go build -buildvcs=false -ldflags "$(LINK)" $(LINK_$(SYSTEM))

# Icon, version and manifest of Windows programs. Those that ship have them in the
# tree, and get their version when they are built.
RESOURCES := env -u GOOS -u GOARCH go -C testfixtures/tools run ./resources
STAMPED    = $(if $(filter windows,$(SYSTEM)),$(patsubst %,"$(abspath $(OUT))/%.exe",$(notdir $(filter $(SHIPPED),$(PROGRAMS)))))

# What the recipes hand on: BROWSER, JSON and KEEP to the demo, JSON to the
# benchmarks, FUZZTIME to the fuzzing.
BROWSER  ?=
JSON     ?=
KEEP     ?=
FUZZTIME ?= 30s
BENCHTIME ?= 100x
export BROWSER JSON KEEP FUZZTIME

# One set of flags for building, vetting and testing, so that what one of them
# compiled serves the others.
export GOFLAGS := $(GOFLAGS) -trimpath

# What ships is built without cgo, so it is checked and measured without.
# The race detector needs cgo; testfixtures/tools/test.sh turns it on there.
export CGO_ENABLED := 0

.PHONY: help build programs install uninstall demo test lint bench fuzz cross resources vuln clean

help: ## list what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-9s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

build: ## build every program for this machine into ./bin
	@$(MAKE) programs PROGRAMS="$(SHIPPED) $(HELPERS)" VERSION="$(VERSION)"

# The one place where programs are built: for make build, make cross, the suites.
programs: ## build PROGRAMS for SYSTEM and ARCH into OUT
	@$(if $(PROGRAMS),,echo "no programs in this tree" 1>&2; exit 1)
	@mkdir -p "$(OUT)"
	@GOOS=$(SYSTEM) GOARCH=$(ARCH) $(GOBUILD) -o "$(OUT)/" $(PROGRAMS) 1>&2
	@$(if $(STAMPED),$(RESOURCES) stamp --version "$(VERSION)" $(STAMPED))

install: ## install into PREFIX (/usr/local), below DESTDIR if given; Linux
	@$(if $(filter-out $(wildcard $(OUT)/*),$(addprefix $(OUT)/,$(notdir $(SHIPPED)))),$(MAKE) programs)
	@OUT="$(OUT)" installer/linux/install.sh install

uninstall: ## remove what "make install" with the same PREFIX and DESTDIR installed
	@installer/linux/install.sh uninstall

demo: build ## show the whole path on this machine (BROWSER=1 or chromium, JSON=1, KEEP=1)
	@./bin/demo

test: ## run every suite (testfixtures/tools/test.sh)
	@testfixtures/tools/test.sh

# staticcheck is built first and run then: under GOOS=windows "go tool" would
# build the tool itself for windows.
lint: ## gofmt, go vet on six targets, staticcheck on three systems
	@bad=$$(gofmt -l .); if [ -n "$$bad" ]; then printf 'gofmt would change:\n%s\n' "$$bad"; exit 1; fi
	@for os in $(SYSTEMS); do for arch in $(ARCHS); do \
		echo "go vet $$os/$$arch"; GOOS=$$os GOARCH=$$arch go vet ./... || exit 1; \
	done; done
	@env -u GOOS -u GOARCH go -C testfixtures/tools vet ./...
	@mkdir -p bin/tools
	@env -u GOOS -u GOARCH go build -modfile=testfixtures/tools/go.mod -buildvcs=false -o bin/tools/ honnef.co/go/tools/cmd/staticcheck
	@for os in $(SYSTEMS); do \
		echo "staticcheck $$os"; GOOS=$$os bin/tools/staticcheck ./... || exit 1; \
	done

bench: build ## measure (JSON=1 prints JSON lines only, of the main figures)
	@./bin/bench
	@$(if $(JSON),:,go test -run '^$$' -bench . -benchtime $(BENCHTIME) ./testfixtures/live ./platform/watch ./testfixtures/desktop/tray)

fuzz: ## fuzz each native fuzz test for FUZZTIME (30s)
	@testfixtures/tools/fuzz.sh

cross: ## build the programs that ship for six targets into ./dist
	@for os in $(SYSTEMS); do for arch in $(ARCHS); do \
		echo "build $$os/$$arch"; \
		$(MAKE) programs SYSTEM=$$os ARCH=$$arch OUT=dist/$$os-$$arch VERSION="$(VERSION)" || exit 1; \
	done; done

resources: ## make the resources of the Windows programs anew (*_windows_*.syso)
	@$(RESOURCES) write --root "$(CURDIR)"

vuln: ## look for known vulnerabilities in what is called (asks vuln.go.dev)
	@go tool -modfile=testfixtures/tools/go.mod govulncheck ./...

clean: ## remove ./bin and ./dist
	@rm -rf bin dist
