# SPDX-License-Identifier: Apache-2.0
# zerospan: `make help` lists the targets. Everything generated goes to build/.

.DELETE_ON_ERROR:
.SECONDARY:
MAKEFLAGS += --no-builtin-rules
ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(shell nproc) # -jN on the command line beats it
endif

VERSION := 0.1.0
MACHINE := $(shell uname -m)
HOST    := $(MACHINE:x86_64=x86)
HOST    := $(HOST:aarch64=arm64)
ARCH    := $(HOST)
# What `make test` cross-compiles and emulates.
CROSS   := $(filter-out $(HOST),arm64)
B       := $(if $(filter $(HOST),$(ARCH)),build,build/$(ARCH))

CC       ?= cc
ifeq ($(origin CC),default)
CC       := cc
endif
CLANG    ?= clang
BPFTOOL  ?= $(or $(shell command -v bpftool),/usr/sbin/bpftool)
PROTOC_C ?= protoc-c
STRIP    ?= strip
PKG_CONFIG ?= pkg-config

WARN   := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla \
          -Wwrite-strings -Wformat=2
CFLAGS ?= -O2 -g
LTO    ?= -flto=auto # of the program: 4 % fewer instructions per request
CSTD   := -std=gnu11 -D_GNU_SOURCE
DEPGEN  = -MMD -MP

Q   := $(if $(V),,@)
msg  = $(if $(V),,@printf '  %-8s %s\n' $(1) $(2);)

all: $(B)/zerospan $(B)/shop $(B)/traffic ## build the program, the shop and its traffic

SYSROOT :=
ifneq ($(ARCH),$(HOST))
include tools/cross.mk
endif
include tools.mk
include target-app/module.mk

# --- the kernel side: every bpf/*.bpf.c linked into one object, embedded as a skeleton ------------

BPF_SRCS   := $(wildcard bpf/*.bpf.c)
BPF_OBJS   := $(BPF_SRCS:bpf/%.bpf.c=$(B)/bpf/%.bpf.o)
BPF_CFLAGS := -g -O2 -target bpf -mcpu=v3 -D__TARGET_ARCH_$(ARCH) -Wall -Wextra -Werror \
              -Wno-unused-parameter -Ivmlinux -Ibpf -I$(SYSROOT)/usr/include/$(MACHINE)-linux-gnu

$(B)/bpf/%.bpf.o: bpf/%.bpf.c | $(TOOLS_OK)
	@mkdir -p $(@D)
	$(call msg,BPF,$@)$(CLANG) $(BPF_CFLAGS) $(DEPGEN) -c $< -o $@

$(B)/zerospan.bpf.o: $(BPF_OBJS)
	$(call msg,LINK-BPF,$@)$(BPFTOOL) gen object $@ $^

$(B)/gen/zerospan.skel.h: $(B)/zerospan.bpf.o
	@mkdir -p $(@D)
	$(call msg,SKEL,$@)$(BPFTOOL) gen skeleton $< name zerospan_bpf > $@

# --- generated protobuf code ----------------------------------------------------------------------

PROTO_SRCS := $(wildcard user/export/proto/*.proto)
PROTO_C    := $(PROTO_SRCS:user/export/proto/%.proto=$(B)/gen/%.pb-c.c)
PROTO_H    := $(PROTO_C:.c=.h)

$(B)/gen/%.pb-c.c $(B)/gen/%.pb-c.h: user/export/proto/%.proto | $(TOOLS_OK)
	@mkdir -p $(@D)
	$(call msg,PROTOC,$<)$(PROTOC_C) --proto_path=user/export/proto --c_out=$(B)/gen $<

# --- the user side --------------------------------------------------------------------------------

PKGS     := libbpf libelf libdw zlib libcurl libmicrohttpd libprotobuf-c yaml-0.1
INCLUDES := -Iuser -Ibpf -I$(B)/gen
DEFINES  := -DZEROSPAN_VERSION='"$(VERSION)"'
PKG_CFLAGS = $(shell $(PKG_CONFIG) --cflags $(PKGS))
PKG_LIBS   = $(shell $(PKG_CONFIG) --libs $(PKGS)) -lpthread

USER_SRCS := $(filter-out user/main.c,$(wildcard user/*.c user/*/*.c))
USER_OBJS := $(USER_SRCS:%.c=$(B)/obj/%.o) $(PROTO_C:$(B)/gen/%.c=$(B)/obj/gen/%.o)
GENERATED := $(B)/gen/zerospan.skel.h $(PROTO_H)

$(B)/obj/%.o: %.c | $(TOOLS_OK) $(GENERATED)
	@mkdir -p $(@D)
	$(call msg,CC,$<)$(CC) $(CSTD) $(CFLAGS) $(WARN) $(DEFINES) $(INCLUDES) $(PKG_CFLAGS) $(DEPGEN) -c $< -o $@

$(B)/obj/user/%.o $(B)/obj/gen/%.o: CFLAGS += $(LTO)

$(B)/obj/gen/%.o: $(B)/gen/%.c $(PROTO_H)
	@mkdir -p $(@D)
	$(call msg,CC,$<)$(CC) $(CSTD) $(CFLAGS) -I$(B)/gen $(DEPGEN) -c $< -o $@

$(B)/zerospan: $(B)/obj/user/main.o $(USER_OBJS)
	$(call msg,LINK,$@)$(CC) $(CFLAGS) $(LTO) $^ -o $@ $(PKG_LIBS)

# --- the observed programs ------------------------------------------------------------------------

$(B)/shop: $(SHOP_SRCS:%.c=$(B)/obj/%.o)
	$(call msg,LINK,$@)$(CC) $(CFLAGS) $^ -o $@ $(shell $(PKG_CONFIG) --libs $(SHOP_PKGS)) -lpthread

$(B)/traffic: $(TRAFFIC_SRCS:%.c=$(B)/obj/%.o)
	$(call msg,LINK,$@)$(CC) $(CFLAGS) $^ -o $@ $(shell $(PKG_CONFIG) --libs $(TRAFFIC_PKGS)) -lpthread

include deploy/bundle/module.mk

# --- unit tests: the whole user side again with ASan and UBSan, one program per tests/unit/test_*.c --

SANITIZE   ?= -fsanitize=address,undefined
SAN        := -O1 -g $(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer
SAN_OBJS   := $(USER_OBJS:$(B)/obj/%=$(B)/san/%)
UNIT_SRCS  := $(wildcard tests/unit/test_*.c)
UNIT_TESTS := $(UNIT_SRCS:tests/unit/%.c=$(B)/unit/%)
UNIT_DEFS  := -DTEST_DATA='"$(CURDIR)/tests/data"' -DTEST_WAITERS='"$(CURDIR)/$(B)/stack"'

$(B)/san/%.o: %.c | $(TOOLS_OK) $(GENERATED)
	@mkdir -p $(@D)
	$(call msg,CC-SAN,$<)$(CC) $(CSTD) $(SAN) $(WARN) $(DEFINES) $(UNIT_DEFS) $(INCLUDES) $(PKG_CFLAGS) $(DEPGEN) -c $< -o $@

$(B)/san/gen/%.o: $(B)/gen/%.c $(PROTO_H)
	@mkdir -p $(@D)
	$(call msg,CC-SAN,$<)$(CC) $(CSTD) $(SAN) -I$(B)/gen $(DEPGEN) -c $< -o $@

$(UNIT_SRCS:%.c=$(B)/san/%.o) $(B)/san/tests/unit/support.o: | $(TEST_TOOLS_OK)

$(B)/san/libuser.a: $(SAN_OBJS)
	$(call msg,AR,$@)rm -f $@; ar rcs $@ $^

$(B)/unit/%: $(B)/san/tests/unit/%.o $(B)/san/tests/unit/support.o $(B)/san/libuser.a
	@mkdir -p $(@D)
	$(call msg,LINK,$@)$(CC) $(SAN) $^ -o $@ $(PKG_LIBS) -lcmocka -lm

include tests/unit/stack/module.mk
include tests/bench/module.mk
include tests/bench/guest/module.mk
include tests/bench/micro/module.mk
include tests/fuzz/module.mk
include tests/e2e/copies/module.mk
include tests/e2e/ledger/module.mk
include tests/e2e/ways/module.mk

-include $(shell find $(B) -mindepth 1 \( -path $(B)/arm64 -o -path $(B)/sysroot \) -prune -o -name '*.d' -print 2>/dev/null)

# --- what people run ------------------------------------------------------------------------------

demo: ## the shop observed, live, until Ctrl-C (root); DEMO_SECONDS=20 ends it by itself
	+$(Q)target-app/demo

test: ## everything: packages, build, lint, unit (arm64 too), replay, fuzz and end-to-end tests, stock kernels (root)
	@[ "$$(id -u)" = 0 ] || { echo 'end-to-end tests need root: sudo make test; without: make check' >&2; exit 1; }
	$(Q)tools/install-deps build test demo bundle $(CROSS) vm
	$(Q)$(MAKE) --no-print-directory all unit-programs fuzz-programs bundle truth $(B)/bench/micro $(B)/bench/otlp_count
	$(Q)$(if $(CROSS),$(MAKE) --no-print-directory $(CROSS),:)
	$(Q)tests/run lint unit replay fuzz $(CROSS) $(CROSS:%=%-replay) e2e vm

bundle: $(BUNDLE).tar.gz ## a directory and a tarball that run on any Linux host, in build/bundle

arm64: ## program, bundle, shop and unit tests for arm64, cross-compiled into build/arm64
	$(Q)$(MAKE) --no-print-directory ARCH=arm64 all unit-programs bundle

arm64-test: ## the same, and those unit tests run under qemu-user
	$(Q)tools/install-deps build test bundle arm64
	$(Q)$(MAKE) --no-print-directory arm64
	$(Q)tests/run arm64 arm64-replay

vm-test: ## the end-to-end tests on stock Debian kernels, emulated; fetches the kernels (root)
	$(Q)tools/install-deps build test bundle vm
	$(Q)$(MAKE) --no-print-directory all bundle truth
	$(Q)tests/run vm

bench-icount: ## what observing costs in instructions, in a deterministic machine; guards the budgets (root)
	$(Q)tools/install-deps build bundle vm
	$(Q)$(MAKE) --no-print-directory all bundle $(B)/bench/guest $(B)/zerospan-floor
	$(Q)tests/bench/icount

bench: ## what observing costs, against the hooks alone and other tools: build/bench/native.txt (root; 20 minutes)
	$(Q)tools/install-deps build bench
	$(Q)$(MAKE) --no-print-directory all bench-programs
	$(Q)tests/bench/run $(BENCH_ARGS)

bench-quick: BENCH_ARGS := --quick
bench-quick: bench ## the same in short: one round, fewer workloads; noisy

check: all unit-programs ## lint, unit tests and replays; no root, under a minute
	$(Q)tests/run lint unit replay

lint: $(B)/zerospan.bpf.o $(B)/shop $(B)/traffic $(GENERATED) ## only lint
	$(Q)tests/run lint

unit: unit-programs ## only the unit tests
	$(Q)tests/run unit

unit-programs: $(UNIT_TESTS) $(WAITER_PROGRAMS)

replay: $(B)/zerospan ## only the replays of golden recordings
	$(Q)tests/run replay

fuzz: fuzz-programs ## only the fuzzers, for hours: FUZZ_RUNS=10000000 executions each; briefly: tests/run fuzz
	$(Q)FUZZ_RUNS=$(or $(FUZZ_RUNS),10000000) tests/run fuzz

fuzz-programs: $(FUZZERS)

bench-micro: $(B)/bench/micro | $(B)/.tools-bench ## time and instructions of the user side's stages, from recordings
	$(Q)tests/bench/micro/run

deps: ## install every Debian package that building and testing needs (root)
	$(Q)tools/install-deps

format: ## rewrite the C sources with clang-format
	$(Q)tests/lint/format --fix

clean: ## remove everything generated
	rm -rf $(B)

help: ## this list
	@echo 'zerospan $(VERSION)'
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 19

# How C is compiled here, for tests/lint/headers.
show-flags:
	@:$(info $(CC) $(CSTD) $(WARN) $(DEFINES) $(UNIT_DEFS) $(INCLUDES) $(PKG_CFLAGS))
	@:$(info $(CLANG) $(BPF_CFLAGS))

.PHONY: all demo test vm-test bench bench-quick bench-icount bench-micro check lint unit unit-programs replay fuzz fuzz-programs deps format clean help show-flags bundle arm64 arm64-test
