# SPDX-License-Identifier: Apache-2.0
# One server compiled in many ways, for tests/e2e/test_stack_ways.py. Paths are relative to the project root.

WAYS        := $(B)/ways
WAY_SOURCES := tests/e2e/ways/sleeper.c tests/e2e/ledger/clocks.c tests/e2e/ledger/http.c

WAY_pie       := -g -pie -fPIE
WAY_fixed     := -g -no-pie -fno-pie
WAY_exported  := -rdynamic -s
# Unwinding goes by the tables of the C library, too, which is in it.
WAY_contained := -g -static -Wl,--build-id=0xfedcba9876543210fedcba9876543210fedcba98

WAY_COMPILED := pie fixed exported contained

$(WAY_COMPILED:%=$(WAYS)/%): $(WAYS)/%: $(WAY_SOURCES) tests/e2e/ways/module.mk | $(TOOLS_OK)
	@mkdir -p $(@D)
	$(call msg,CC,$@)$(CC) $(CSTD) $(WARN) -O2 $(WAY_$*) $(filter %.c,$^) -o $@

$(WAYS)/bare: $(WAYS)/pie
	$(call msg,STRIP,$@)$(STRIP) -o $@ $<

# The program without, and beside it the debug information that it names.
$(WAYS)/linked: $(WAYS)/pie
	@mkdir -p $(@D)/.debug
	$(call msg,STRIP,$@)$(OBJCOPY) --only-keep-debug $< $(@D)/.debug/linked.debug && \
		$(OBJCOPY) --strip-all --add-gnu-debuglink=$(@D)/.debug/linked.debug $< $@

# The root directory of a container, in which the debug information lies under its build id.
$(WAYS)/root/sleeper: $(WAYS)/contained
	@mkdir -p $(@D)/usr/lib/debug/.build-id/fe
	$(call msg,STRIP,$@)$(OBJCOPY) --only-keep-debug $< \
		$(@D)/usr/lib/debug/.build-id/fe/dcba9876543210fedcba9876543210fedcba98.debug && \
		$(OBJCOPY) --strip-all $< $@

ways: $(WAY_COMPILED:%=$(WAYS)/%) $(WAYS)/bare $(WAYS)/linked $(WAYS)/root/sleeper

.PHONY: ways
