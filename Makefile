# Makefile: the two commands of the README, and what they are made of.
#
#   make run    installs what is missing, builds, runs front end and media host on loopback
#   make test   the same set-up, then every test

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
SWIFT ?= swift
RELEASE := -c release
BIN = $(shell $(SWIFT) build $(RELEASE) --show-bin-path)
# Seconds for each fuzz target in `make test`.
FUZZ_SECONDS ?= 60

RUN_PACKAGES := libsrtp2-dev libopus-dev libssl-dev libipsec-mb-dev libnuma-dev libxml2-dev libsqlite3-dev pkg-config
TEST_PACKAGES := python3 baresip-core sip-tester espeak-ng sox valgrind binutils
BENCH_PACKAGES := python3 valgrind janus opus-tools espeak-ng sox

.PHONY: help run build test unit-test system-test reference-counting instructions lint fuzz bench run-packages test-packages bench-packages clean

help:
	@sed -n 's/^#   //p' Makefile

run: build
	@exec $(BIN)/parley run $(ARGS)

build: run-packages
	$(SWIFT) build $(RELEASE)

test: lint unit-test system-test reference-counting instructions fuzz

lint:
	$(SWIFT) format lint --strict --recursive Package.swift Sources Tests Benchmarks

# One release build serves the programs and their tests: nothing is tested that is not shipped.
unit-test: run-packages test-packages
	$(SWIFT) build $(RELEASE) --build-tests
	$(SWIFT) test $(RELEASE) --skip-build --skip SystemTests

# Real clients against the real processes; alone, so that nothing else takes the time of the media path.
system-test: run-packages test-packages
	$(SWIFT) build $(RELEASE) --build-tests
	$(SWIFT) test $(RELEASE) --skip-build --filter SystemTests --no-parallel

# First all are built and their saved inputs replayed; then two run at a time.
fuzz: run-packages
	Tests/Fuzzing/run 0
	@status=0; \
	Tests/Fuzzing/run $(FUZZ_SECONDS) rtp rtcp srtp & first=$$!; \
	Tests/Fuzzing/run $(FUZZ_SECONDS) sip sdp xml || status=1; \
	wait $$first || status=1; \
	exit $$status

# What single steps cost in instructions, against the committed baseline.
instructions: run-packages test-packages
	Benchmarks/instructions

# What runs for each packet counts no references: the release binary is disassembled and looked at.
reference-counting: build test-packages
	Tests/Gates/no-reference-counting $(BIN)/parley-media-host

bench: build bench-packages
	Benchmarks/run

# Debian's packages, installed only when one is missing.
define install
	@missing=$$(for name in $(1); do dpkg-query -W -f '$${Status}' $$name 2>/dev/null | grep -q '^install ok' || echo $$name; done); \
	if [ -n "$$missing" ]; then \
	  echo "Installing" $$missing; \
	  as_root=""; [ "$$(id -u)" = 0 ] || as_root=sudo; \
	  $$as_root apt-get update -qq; \
	  DEBIAN_FRONTEND=noninteractive $$as_root apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
	fi
endef

run-packages:
	@command -v $(SWIFT) >/dev/null || { echo "Swift 6.3 or later is needed: https://www.swift.org/install/linux/"; exit 1; }
	$(call install,$(RUN_PACKAGES))

test-packages:
	$(call install,$(TEST_PACKAGES))

bench-packages:
	$(call install,$(BENCH_PACKAGES))

clean:
	rm -rf .build
