# SPDX-License-Identifier: MIT
# Two commands do everything on a fresh Debian 12 machine: `make demo` and `make check`. The rest: `make help`.

SHELL := /bin/bash
.DEFAULT_GOAL := all

# --- what is built, where -------------------------------------------------------------------------------------------
# A flavour is a build folder of its own: build/ (gcc), build/clang, build/asan, build/fuzz.
BUILD ?= build
CC := gcc
OPT ?= -O2 -g
WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla
WERROR ?=
SAN ?=
PKGS := libev libcjson inih

prefix ?= /usr/local
exec_prefix ?= $(prefix)
bindir ?= $(exec_prefix)/bin
sbindir ?= $(exec_prefix)/sbin
libexecdir ?= $(exec_prefix)/libexec/mpctl

VERSION := $(shell cat VERSION)
CPPFLAGS += -I. -D_GNU_SOURCE -DMPD_VERSION='"$(VERSION)"' -DMPD_LIBEXECDIR='"$(libexecdir)"'
CFLAGS += -std=gnu11 $(OPT) $(WARN) $(WERROR) $(SAN) -fno-strict-aliasing
LDFLAGS += $(SAN)
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
obj = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))

PROGRAMS := $(BUILD)/mpd $(BUILD)/mpd-engine $(BUILD)/mpctl

.PHONY: all
all: deps-quiet $(PROGRAMS)

$(BUILD)/obj/%.o: %.c Makefile VERSION
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/libcommon.a: $(call obj,$(COMMON))
$(BUILD)/libcore.a: $(call obj,$(CORE))
$(BUILD)/libloader.a: $(call obj,$(LOADER))
$(BUILD)/lib%.a:
	@rm -f $@
	$(Q)ar rcs $@ $^

$(BUILD)/mpd: $(call obj,$(KEEPER)) $(BUILD)/libcommon.a
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^

$(BUILD)/mpd-engine: $(call obj,$(ENGINE)) $(BUILD)/libcore.a $(BUILD)/libloader.a $(BUILD)/libcommon.a
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(PKG_LIBS)

$(BUILD)/mpctl: $(call obj,$(CLI)) $(BUILD)/libcommon.a
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) $(STATIC) -o $@ $^

$(BUILD)/tests/unit/%: $(BUILD)/obj/tests/unit/%.o $(BUILD)/libcore.a $(BUILD)/libloader.a $(BUILD)/libcommon.a
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(PKG_LIBS) -lcmocka

$(BUILD)/tests/tools/%: $(BUILD)/obj/tests/tools/%.o $(BUILD)/libcommon.a
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^

.SECONDARY:
-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)

.PHONY: unit-programs tools
unit-programs: $(patsubst tests/unit/%.c,$(BUILD)/tests/unit/%,$(UNIT))
tools: $(patsubst tests/tools/%.c,$(BUILD)/tests/tools/%,$(TOOLS))

# --- Debian's packages, by name -------------------------------------------------------------------------------------
PACKAGES := gcc make pkg-config libc6-dev libev-dev libinih-dev libcjson-dev
TEST_PACKAGES := clang libclang-rt-14-dev libcmocka-dev python3 python3-pytest strace socat jq valgrind clang-format

.PHONY: deps deps-quiet test-deps
deps: deps-quiet test-deps
deps-quiet:
	@tests/deps.sh $(PACKAGES)
test-deps:
	@tests/deps.sh $(PACKAGES) $(TEST_PACKAGES)
