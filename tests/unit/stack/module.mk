# SPDX-License-Identifier: Apache-2.0
# One program compiled in many ways, for tests/unit/test_stack_programs.c, which runs those for this machine (what is
# emulated cannot be traced), and test_stack_files.c, which only reads them. Paths are relative to the project root.

WAITERS   := $(B)/stack
WAITER    := tests/unit/stack/waiter.c
WAITER_CC  = $(CC) $(CSTD) $(WARN) -O2
OBJCOPY   := $(STRIP:%strip=%objcopy)

WAITER_debug       := -g
WAITER_dwarf4      := -gdwarf-4
WAITER_nopie       := -g -no-pie -fno-pie
WAITER_static      := -g -static
WAITER_static_pie  := -g -static-pie
WAITER_compressed  := -g -gz=zlib
WAITER_lto         := -g -flto
# Tables for debuggers only, and none at all but frame pointers.
WAITER_debug_frame := -g -fno-asynchronous-unwind-tables -fno-unwind-tables
WAITER_frames      := -fno-asynchronous-unwind-tables -fno-unwind-tables -fno-omit-frame-pointer \
                      -mno-omit-leaf-frame-pointer
WAITER_exported    := -rdynamic -s
WAITER_bare        := -s
WAITER_linked      := -g -Wl,--build-id=none
WAITER_contained   := -g -static -Wl,--build-id=0x0123456789abcdef0123456789abcdef01234567

WAITER_WAYS := debug dwarf4 nopie static static_pie compressed lto debug_frame frames exported bare linked contained

$(WAITER_WAYS:%=$(WAITERS)/%): $(WAITERS)/%: $(WAITER) tests/unit/stack/module.mk | $(TOOLS_OK)
	@mkdir -p $(@D)
	$(call msg,CC,$@)$(WAITER_CC) $(WAITER_$*) $< -o $@ -lpthread

$(WAITERS)/clang: $(WAITER) tests/unit/stack/module.mk | $(TOOLS_OK)
	@mkdir -p $(@D)
	$(call msg,CC,$@)$(CLANG) $(CSTD) $(WARN) -O2 -g $< -o $@ -lpthread

# The program without, and beside it the debug information that it names.
$(WAITERS)/apart: $(WAITERS)/linked
	@mkdir -p $(@D)/.debug
	$(call msg,STRIP,$@)$(OBJCOPY) --only-keep-debug $< $(@D)/.debug/apart.debug && \
		$(OBJCOPY) --strip-all --add-gnu-debuglink=$(@D)/.debug/apart.debug $< $@

# The root directory of a container, in which the debug information lies under its build id.
$(WAITERS)/root/waiter: $(WAITERS)/contained
	@mkdir -p $(@D)/usr/lib/debug/.build-id/01
	$(call msg,STRIP,$@)$(OBJCOPY) --only-keep-debug $< \
		$(@D)/usr/lib/debug/.build-id/01/23456789abcdef0123456789abcdef01234567.debug && \
		$(OBJCOPY) --strip-all $< $@

WAITER_PROGRAMS := $(WAITER_WAYS:%=$(WAITERS)/%) $(addprefix $(WAITERS)/,apart root/waiter $(if $(filter $(HOST),$(ARCH)),clang))
