SHELL := bash
PREFIX ?= /usr/local
SECONDS ?= 60

RELEASE := swift build -c release --static-swift-stdlib --product wsline $$(.ci/static-flags .build/archives)

# Homebrew keeps some of the libraries out of pkg-config's way.
ifeq ($(shell uname),Darwin)
export PKG_CONFIG_PATH := $(subst $() ,:,$(foreach p,libedit openssl@3 pcre2 zlib,$(shell brew --prefix $(p))/lib/pkgconfig)):$(PKG_CONFIG_PATH)
endif

.PHONY: help demo build install test sanitize sanitize-quick interop autobahn autobahn-quick fuzz fuzz-quick bench lint clean
.DEFAULT_GOAL := help

help: ## Show these targets
	@awk -F ' *:.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' Makefile

demo: ## Build, then talk to an echo server inside wsline
	@.ci/packages build
	@swift build --product wsline </dev/null >&2
	@.build/debug/wsline --demo

build: ## Build the release binary, .build/release/wsline
	.ci/packages build
	$(RELEASE)

install: build ## Install it: PREFIX=/usr/local, DESTDIR=
	install -d "$(DESTDIR)$(PREFIX)/bin"
	install -m 755 .build/release/wsline "$(DESTDIR)$(PREFIX)/bin/wsline"
	strip "$(DESTDIR)$(PREFIX)/bin/wsline"

test: ## Run the unit tests, then wsline against real peers
	.ci/packages build test
	swift build --build-tests
	Tests/modules
	Tests/Interop/run

sanitize: ## Run the unit and program tests with AddressSanitizer, then ThreadSanitizer
	.ci/packages build test
	Tests/sanitize

sanitize-quick: ## Run the tests of the protocol and the transport so
	.ci/packages build test
	MODULES="WebSocketProtocol WebSocketTransport" Tests/sanitize

interop: ## Run wsline against Python's websockets, Node's ws and nginx
	.ci/packages build test
	swift build --product wsline
	Tests/Interop/run

autobahn: build ## Run the whole Autobahn|Testsuite, as client and as server
	.ci/packages test
	Tests/Autobahn/run

autobahn-quick: build ## Run its quick chapters, and a slice of the compressed ones
	.ci/packages test
	Tests/Autobahn/run --cases "1-7.*,10.*,12.*.1-4,13.*.1-3"
	Tests/Autobahn/run client --frames --cases "1-7.*,10.*"

fuzz: ## Fuzz every parser for SECONDS=60
	.ci/packages build
	Tests/Fuzz/run $(SECONDS)

fuzz-quick: ## Fuzz every parser for 5 seconds
	$(MAKE) fuzz SECONDS=5

bench: build ## Measure against websocat and a C floor; writes Docs/performance.md
	.ci/packages test
	Tests/Benchmarks/bench.py --write

lint: ## Check formatting and syntax
	.ci/lint

clean: ## Remove everything that was built or downloaded
	swift package clean
	rm -rf .build .build-*
