# SPDX-License-Identifier: Apache-2.0
# Micro-benchmarks of the user side, as it is shipped.

MICRO_SRCS := $(wildcard tests/bench/micro/*.c)

$(B)/bench/micro: $(MICRO_SRCS:%.c=$(B)/obj/%.o) $(USER_OBJS)
	@mkdir -p $(@D)
	$(call msg,LINK,$@)$(CC) $(CFLAGS) $^ -o $@ $(PKG_LIBS)
