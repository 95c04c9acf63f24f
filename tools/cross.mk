# SPDX-License-Identifier: Apache-2.0
# Building for another architecture than this machine's: `make ARCH=arm64 …` into build/arm64. Headers and libraries are
# Debian's packages for it, unpacked into a directory and never installed (tools/sysroot). Tools that run during the build
# (clang, bpftool, protoc-c) are this machine's.

ifneq ($(ARCH),arm64)
$(error no cross build for '$(ARCH)': only arm64)
endif

MACHINE    := aarch64
SYSROOT    := $(B)/sysroot
CC         := aarch64-linux-gnu-gcc --sysroot=$(SYSROOT)
STRIP      := aarch64-linux-gnu-strip
PKG_CONFIG := PKG_CONFIG_SYSROOT_DIR=$(SYSROOT) \
              PKG_CONFIG_LIBDIR=$(SYSROOT)/usr/lib/aarch64-linux-gnu/pkgconfig:$(SYSROOT)/usr/share/pkgconfig pkg-config

# AddressSanitizer's shadow memory does not fit into what qemu-user gives a program.
SANITIZE := -fsanitize=undefined -static-libubsan

SYSROOT_OK := $(SYSROOT)/.complete

$(SYSROOT_OK): tools/packages tools/sysroot
	@tools/sysroot arm64 $(B)
