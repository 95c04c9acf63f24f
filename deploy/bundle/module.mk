# SPDX-License-Identifier: Apache-2.0
# The bundle: a relocatable directory that needs nothing of its host but the kernel. Paths are relative to the project root.

BUNDLE_DIR  := $(B)/bundle
BUNDLE      := $(BUNDLE_DIR)/zerospan-$(VERSION)-linux-$(MACHINE)
BUNDLE_OK   := $(B)/.tools-bundle

# libcurl with GnuTLS, which libmicrohttpd brings along anyway: with OpenSSL beside it the directory would be 5.4 MB larger.
# Only its library is needed, the headers of both are the same; so it does not get into the way of the other's package.
BUNDLE_LIBS  = $(patsubst -lcurl,-l:libcurl-gnutls.so.4,$(PKG_LIBS))

LAUNCHER_CC := $(CC) $(CSTD) $(WARN) -O2 -ffreestanding -fno-builtin -fno-stack-protector \
               -fno-tree-loop-distribute-patterns -fno-pie -no-pie -nostdlib -static -s -Wl,-z,noexecstack,--build-id=none

# The run path in the old form: it holds for what libraries need too, and comes before LD_LIBRARY_PATH.
$(BUNDLE_DIR)/program: $(B)/obj/user/main.o $(USER_OBJS) $(B)/obj/deploy/bundle/inside.o | $(BUNDLE_OK)
	@mkdir -p $(@D)
	$(call msg,LINK,$@)$(CC) $(CFLAGS) $^ -o $@ -Wl,--disable-new-dtags,-rpath,'$$ORIGIN' $(BUNDLE_LIBS)

$(BUNDLE).tar.gz: $(BUNDLE_DIR)/program $(wildcard deploy/bundle/*) LICENSE
	$(call msg,BUNDLE,$(BUNDLE))CC='$(CC)' LAUNCHER_CC='$(LAUNCHER_CC)' STRIP='$(STRIP)' SYSROOT='$(SYSROOT)' \
		deploy/bundle/pack $< $(BUNDLE)
