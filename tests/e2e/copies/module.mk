# SPDX-License-Identifier: Apache-2.0
# One workload with SQLite in it in many ways, for tests/e2e/test_sqlite_copies.py. The sources of SQLite come from Debian's mirror, once;
# the programs that are slowest to compile stand first, so that no CPU waits at the end. Paths are relative to the project root.

COPIES       := $(B)/copies
COPIES_OLDER := $(COPIES)/bookworm
COPIES_NEWER := $(COPIES)/trixie

# How the static ones are compiled: the workload and SQLite at once, so that -flto sees both.
COPY_O3       := -O3
COPY_lto      := -O2 -flto=auto
COPY_O2       := -O2
COPY_endbr    := -O2 -fcf-protection=full
COPY_lto_bare := -O1 -flto=auto -DSQLITE_OMIT_LOAD_EXTENSION
COPY_frames   := -Os -fno-omit-frame-pointer
COPY_O0       := -O0

COPY_STATIC   := O3 lto O2 endbr lto_bare frames O0
COPY_PROGRAMS := $(COPY_STATIC:%=$(COPIES)/static_%) $(COPIES)/newer.so \
                 $(addprefix $(COPIES)/,static_archive static_stripped shared loader)

$(COPIES_OLDER)/sqlite3.c $(COPIES_NEWER)/sqlite3.c: $(COPIES)/%/sqlite3.c: tests/e2e/copies/fetch tests/apt.sh | $(B)/.tools-test
	$(call msg,FETCH,$@)tests/e2e/copies/fetch $* $(@D)

COPY_WORKLOAD := tests/e2e/copies/workload.c
COPY_CC        = $(CC) $(CSTD) $(WARN)

$(COPY_STATIC:%=$(COPIES)/static_%): $(COPIES)/static_%: $(COPY_WORKLOAD) $(COPIES_OLDER)/sqlite3.c tests/e2e/copies/module.mk
	$(call msg,CC,$@)$(CC) $(CSTD) -w $(COPY_$*) -I$(COPIES_OLDER) $(filter %.c,$^) -o $@ -lm -lpthread

$(COPIES)/static_archive: $(COPY_WORKLOAD) | $(TOOLS_OK)
	@mkdir -p $(@D)
	$(call msg,CC,$@)$(COPY_CC) -O2 $< -o $@ -l:libsqlite3.a -lm -lpthread

$(COPIES)/static_stripped: $(COPIES)/static_O2
	$(call msg,STRIP,$@)$(STRIP) -o $@ $<

$(COPIES)/shared: $(COPY_WORKLOAD) | $(TOOLS_OK)
	@mkdir -p $(@D)
	$(call msg,CC,$@)$(COPY_CC) -O2 $< -o $@ -lsqlite3

# Which file it loads is said when it starts.
$(COPIES)/loader: $(COPY_WORKLOAD) | $(TOOLS_OK)
	@mkdir -p $(@D)
	$(call msg,CC,$@)$(COPY_CC) -O2 -DLOADER $< -o $@ -ldl

# Another version, in which a statement's fields lie elsewhere; as packages have it, without names of inner functions.
$(COPIES)/newer.so: $(COPIES_NEWER)/sqlite3.c tests/e2e/copies/module.mk
	$(call msg,CC,$@)$(CC) $(CSTD) -w -O1 -fPIC -shared -s -DSQLITE_OMIT_TRACE $(filter %.c,$^) -o $@

copies: $(COPY_PROGRAMS)

.PHONY: copies
