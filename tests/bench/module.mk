# SPDX-License-Identifier: Apache-2.0
# What only the measurements need: the floor (zerospan with every BPF program empty, on the same hooks) and small
# programs that are observed, not observed, or sent to. Paths are relative to the project root.

FLOOR      := $(B)/floor
FLOOR_BPF  := $(BPF_SRCS:bpf/%.bpf.c=$(FLOOR)/bpf/%.bpf.o)
PROBE_SRCS := $(wildcard user/probe/*.c) # all that may include the skeleton
FLOOR_OBJS := $(PROBE_SRCS:%.c=$(FLOOR)/%.o)

$(FLOOR)/bpf/%.bpf.o: bpf/%.bpf.c | $(TOOLS_OK)
	@mkdir -p $(@D)
	$(call msg,BPF,$@)$(CLANG) $(BPF_CFLAGS) -DZSP_EMPTY=1 $(DEPGEN) -c $< -o $@

$(FLOOR)/zerospan.bpf.o: $(FLOOR_BPF)
	$(call msg,LINK-BPF,$@)$(BPFTOOL) gen object $@ $^

$(FLOOR)/gen/zerospan.skel.h: $(FLOOR)/zerospan.bpf.o
	@mkdir -p $(@D)
	$(call msg,SKEL,$@)$(BPFTOOL) gen skeleton $< name zerospan_bpf > $@

$(FLOOR)/user/%.o: user/%.c $(FLOOR)/gen/zerospan.skel.h | $(GENERATED)
	@mkdir -p $(@D)
	$(call msg,CC,$@)$(CC) $(CSTD) $(CFLAGS) $(WARN) $(DEFINES) -I$(FLOOR)/gen $(INCLUDES) $(PKG_CFLAGS) $(DEPGEN) -c $< -o $@

$(B)/zerospan-floor: $(B)/obj/user/main.o $(filter-out $(PROBE_SRCS:%.c=$(B)/obj/%.o),$(USER_OBJS)) $(FLOOR_OBJS)
	$(call msg,LINK,$@)$(CC) $(CFLAGS) $^ -o $@ $(PKG_LIBS)

BENCH_PROGRAMS := $(patsubst tests/bench/%.c,$(B)/bench/%,$(wildcard tests/bench/*.c))

$(B)/bench/%: tests/bench/%.c | $(TOOLS_OK)
	@mkdir -p $(@D)
	$(call msg,CC,$@)$(CC) $(CSTD) $(CFLAGS) $(WARN) $< -o $@ $(BENCH_LIBS)

$(B)/bench/busy_sqlite: BENCH_LIBS := -lsqlite3

bench-programs: $(B)/zerospan-floor $(BENCH_PROGRAMS)

.PHONY: bench-programs
