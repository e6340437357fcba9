# SPDX-License-Identifier: MIT
# Two commands do everything on a fresh Debian 12 machine: `make demo` and `make check`. The rest: `make help`.

SHELL := /bin/bash
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SECONDARY:

# --- what is built, where -------------------------------------------------------------------------------------------
# A flavour is a build folder of its own: build/ (gcc), build/clang, build/asan, build/fuzz.
BUILD ?= build
CC := gcc
OPT ?= -O2 -g
WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla
WERROR ?=
SAN ?=
PYTHON ?= /usr/bin/python3

prefix ?= /usr/local
exec_prefix ?= $(prefix)
bindir ?= $(exec_prefix)/bin
sbindir ?= $(exec_prefix)/sbin
libexecdir ?= $(exec_prefix)/libexec/mpctl

VERSION := $(shell cat VERSION)
OUR_CPPFLAGS := -I. -D_GNU_SOURCE -DMPD_VERSION='"$(VERSION)"' -DMPD_LIBEXECDIR='"$(libexecdir)"'
OUR_CFLAGS := -std=gnu11 $(OPT) $(WARN) $(WERROR) $(SAN) -fno-strict-aliasing
# gcc optimises each program as a whole; what the many tests are linked from is the plain code beside.
LTO = $(if $(SAN)$(findstring clang,$(CC)),,-flto=auto)
COMPILE = $(CC) $(OUR_CPPFLAGS) $(CPPFLAGS) $(OUR_CFLAGS) $(LTO) $(if $(LTO),-ffat-lto-objects) $(CFLAGS)
LINK = $(CC) $(OUR_CFLAGS) $(CFLAGS) -fno-lto $(LDFLAGS)
LINK_WHOLE = $(CC) $(OUR_CFLAGS) $(LTO) $(CFLAGS) $(LDFLAGS)
# inih and libev bring no .pc on some releases: the plain -l name is the fallback.
PKG_LIBS = $(shell pkg-config --libs libcjson inih 2>/dev/null || echo -lcjson -linih) -lev
STATIC = $(if $(SAN),,-static)

Q := $(if $(V),,@)
say = $(if $(V),,@echo "  $(1)" $(2))

COMMON := $(wildcard common/*.c)
KEEPER := $(wildcard daemon/keeper/*.c)
CORE := $(wildcard daemon/engine/core/*.c)
LOADER := $(wildcard daemon/loader/*.c)
ENGINE := $(wildcard daemon/engine/*.c)
CLI := $(wildcard cli/*.c)
UNIT := $(wildcard tests/unit/test_*.c)
TOOLS := $(wildcard tests/tools/*.c)
FUZZ := $(wildcard tests/fuzz/fuzz_*.c)
obj = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
exe = $(patsubst %.c,$(BUILD)/%,$(1))

PROGRAMS := $(BUILD)/mpd $(BUILD)/mpd-engine $(BUILD)/mpctl

.PHONY: all programs unit-programs tools fuzz-programs test-programs
all: programs ## build mpd, mpd-engine and mpctl in build/ (V=1 shows the commands)
programs: $(PROGRAMS)
unit-programs: $(call exe,$(UNIT))
tools: $(call exe,$(TOOLS))
fuzz-programs: $(call exe,$(FUZZ))
test-programs: programs unit-programs tools

# Other flags, other objects: this file changes when they do (all but -Werror, which changes no object).
FLAGS = '$(subst ','\'',$(filter-out $(WERROR),$(COMPILE)))'
$(BUILD)/flags: FORCE
	@mkdir -p $(@D)
	@echo $(FLAGS) | cmp -s - $@ || echo $(FLAGS) >$@
.PHONY: FORCE
FORCE:

$(BUILD)/obj/%.o: %.c $(BUILD)/flags | deps-quiet
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(COMPILE) -MMD -MP -c $< -o $@

$(BUILD)/obj/tests/%.o: private LTO =

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)

$(BUILD)/libcommon.a: $(call obj,$(COMMON))
$(BUILD)/libcore.a: $(call obj,$(CORE))
$(BUILD)/libloader.a: $(call obj,$(LOADER))
$(BUILD)/lib%.a:
	@rm -f $@
	$(Q)ar rcs $@ $^

ENGINE_LIBS := $(BUILD)/libcore.a $(BUILD)/libloader.a $(BUILD)/libcommon.a

$(BUILD)/mpd: $(call obj,$(KEEPER)) $(BUILD)/libcommon.a
	$(call say,LD,$@)
	$(Q)$(LINK_WHOLE) -o $@ $^

$(BUILD)/mpd-engine: $(call obj,$(ENGINE)) $(ENGINE_LIBS)
	$(call say,LD,$@)
	$(Q)$(LINK_WHOLE) -o $@ $^ $(PKG_LIBS)

$(BUILD)/mpctl: $(call obj,$(CLI)) $(BUILD)/libcommon.a
	$(call say,LD,$@)
	$(Q)$(LINK_WHOLE) $(STATIC) -o $@ $^

$(BUILD)/tests/unit/%: $(BUILD)/obj/tests/unit/%.o $(ENGINE_LIBS)
	@mkdir -p $(@D)
	$(Q)$(LINK) -o $@ $^ $(PKG_LIBS) -lcmocka

$(BUILD)/tests/tools/%: $(BUILD)/obj/tests/tools/%.o $(BUILD)/libcommon.a
	@mkdir -p $(@D)
	$(Q)$(LINK) -o $@ $^

$(BUILD)/tests/fuzz/%: $(BUILD)/obj/tests/fuzz/%.o $(ENGINE_LIBS)
	@mkdir -p $(@D)
	$(Q)$(LINK) -fsanitize=fuzzer -o $@ $^ $(PKG_LIBS)

# --- flavours -------------------------------------------------------------------------------------------------------
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer

.PHONY: clang asan fuzz
clang: ## build everything with clang, warnings as errors, in build/clang
	+$(Q)$(MAKE) --no-print-directory BUILD=build/clang CC=clang WERROR=-Werror test-programs
asan: ## build everything with AddressSanitizer and UBSan, in build/asan
	+$(Q)$(MAKE) --no-print-directory BUILD=build/asan OPT='-O1 -g' SAN='$(SANITIZE)' WERROR=-Werror test-programs
fuzz: ## build the fuzz targets with clang's libFuzzer, in build/fuzz (run them: make check, make soak)
	+$(Q)$(MAKE) --no-print-directory BUILD=build/fuzz CC=clang OPT='-O1 -g' \
		SAN='-fsanitize=fuzzer-no-link $(SANITIZE)' fuzz-programs

# --- tests ----------------------------------------------------------------------------------------------------------
.PHONY: check soak layers bench demo
check: test-deps ## build with gcc and clang, run every test, the sanitizers and the fuzzers; ends with the counts
	@$(PYTHON) tests/check.py
soak: test-deps ## run the long tests, and every fuzzer for five minutes
	@$(PYTHON) tests/check.py --soak
layers: ## check that includes and system calls keep to the layers of the design
	@tests/layers.sh --self-test
	@tests/layers.sh
bench: programs tools ## measure, and print the numbers
	@tests/deps.sh $(BENCH_PACKAGES)
	@MPD_BUILD=$(BUILD) $(PYTHON) tests/bench/bench.py
demo: programs ## show what it does, in a minute
	@tests/deps.sh $(DEMO_PACKAGES)
	@MPD_BUILD=$(BUILD) tests/demo.sh

# --- house-keeping --------------------------------------------------------------------------------------------------
SOURCES := $(COMMON) $(KEEPER) $(CORE) $(LOADER) $(ENGINE) $(CLI)
FORMATTED := $(SOURCES) $(UNIT) $(TOOLS) $(FUZZ) \
	$(wildcard common/*.h daemon/*.h daemon/*/*.h daemon/engine/core/*.h cli/*.h tests/*/*.h)

.PHONY: tidy format format-check
tidy: ## look for bugs with clang-tidy
	@tests/deps.sh $(PACKAGES) clang-tidy
	$(Q)clang-tidy --quiet $(SOURCES) -- $(OUR_CPPFLAGS) -std=gnu11
format: ## bring the sources into the house's format
	@tests/deps.sh clang-format
	$(Q)clang-format -i $(FORMATTED)
format-check: ## say which lines are not in the house's format
	@tests/deps.sh clang-format
	$(Q)clang-format --dry-run -Werror $(FORMATTED)

.PHONY: install uninstall clean help
INSTALLED := $(DESTDIR)$(sbindir)/mpd $(DESTDIR)$(bindir)/mpctl $(DESTDIR)$(libexecdir)/mpd-engine
install: programs ## install the three programs (prefix=/usr/local, DESTDIR=)
	install -D -m 755 $(BUILD)/mpd $(DESTDIR)$(sbindir)/mpd
	install -D -m 755 $(BUILD)/mpctl $(DESTDIR)$(bindir)/mpctl
	install -D -m 755 $(BUILD)/mpd-engine $(DESTDIR)$(libexecdir)/mpd-engine
uninstall: ## take them away again
	rm -f $(INSTALLED)
	rmdir --ignore-fail-on-non-empty $(DESTDIR)$(libexecdir) 2>/dev/null || true
clean: ## remove what was built
	rm -rf $(BUILD)
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

# --- Debian's packages, by name -------------------------------------------------------------------------------------
PACKAGES := gcc make pkg-config libc6-dev libev-dev libinih-dev libcjson-dev
DEMO_PACKAGES := procps python3
BENCH_PACKAGES := python3-pytest redis-tools
TEST_PACKAGES := $(DEMO_PACKAGES) $(BENCH_PACKAGES) python3-pytest-xdist clang libclang-rt-14-dev libcmocka-dev strace \
	socat jq valgrind

.PHONY: deps deps-quiet test-deps
deps: deps-quiet test-deps ## install the Debian packages that building and testing need
deps-quiet:
	@tests/deps.sh $(PACKAGES)
test-deps:
	@tests/deps.sh $(PACKAGES) $(TEST_PACKAGES)
