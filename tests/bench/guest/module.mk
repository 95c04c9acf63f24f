# SPDX-License-Identifier: Apache-2.0
# The program of the machine in which instructions are counted. Linked like any server, since it is one.

GUEST_SRCS := $(wildcard tests/bench/guest/*.c)
GUEST_OBJS := $(GUEST_SRCS:%.c=$(B)/obj/%.o)

$(GUEST_OBJS): $(B)/obj/%.o: %.c | $(TOOLS_OK)
	@mkdir -p $(@D)
	$(call msg,CC,$<)$(CC) $(CSTD) $(CFLAGS) $(WARN) $(DEPGEN) -c $< -o $@

$(B)/bench/guest: $(GUEST_OBJS)
	@mkdir -p $(@D)
	$(call msg,LINK,$@)$(CC) $(CFLAGS) $^ -o $@ -lpthread
