# SPDX-License-Identifier: Apache-2.0
# Servers that know where their time went, for tests/e2e/test_ledger*.py. Paths are relative to the project root.

TRUTH          := $(B)/ledger
TRUTH_SHARED   := $(TRUTH)/clocks.o $(TRUTH)/http.o
TRUTH_PHASES   := phases partner thread_phases pipe_phases file_phases sqlite_phases
TRUTH_PROGRAMS := $(TRUTH)/phases $(TRUTH)/loop $(TRUTH)/handoff

$(TRUTH)/%.o: tests/e2e/ledger/%.c | $(TOOLS_OK)
	@mkdir -p $(@D)
	$(call msg,CC,$@)$(CC) $(CSTD) $(CFLAGS) $(WARN) $(DEPGEN) -c $< -o $@

$(TRUTH)/phases: $(TRUTH_PHASES:%=$(TRUTH)/%.o) $(TRUTH_SHARED)
	$(call msg,LINK,$@)$(CC) $(CFLAGS) $^ -o $@ -lsqlite3 -lpthread

$(TRUTH)/handoff: $(TRUTH)/handoff.o $(TRUTH)/partner.o $(TRUTH_SHARED)
	$(call msg,LINK,$@)$(CC) $(CFLAGS) $^ -o $@ -lsqlite3 -lpthread

$(TRUTH)/loop: $(TRUTH)/loop.o $(TRUTH_SHARED)
	$(call msg,LINK,$@)$(CC) $(CFLAGS) $^ -o $@ -lpthread

truth: $(TRUTH_PROGRAMS)

.PHONY: truth
