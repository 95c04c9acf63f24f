# SPDX-License-Identifier: Apache-2.0
# Every tool and library is looked for once per build directory, before anything is compiled; what is missing is named
# with its package. The list is tools/packages. Rules that use a tool depend on these stamps, order-only.

TOOLS_OK      := $(B)/.tools-build
TEST_TOOLS_OK := $(B)/.tools-test
ifneq ($(ARCH),$(HOST))
TOOLS_OK      += $(B)/.tools-$(ARCH) $(SYSROOT_OK)
endif

$(B)/.tools-%: tools/packages tools/missing tools.mk
	@CC='$(CC)' CLANG='$(CLANG)' BPFTOOL='$(BPFTOOL)' PROTOC_C='$(PROTOC_C)' tools/missing $*
	@mkdir -p $(@D) && touch $@
