# SPDX-License-Identifier: Apache-2.0
# --- fuzzers: the user side once more, with clang's coverage and sanitizers, one program per tests/fuzz/fuzz_*.c --

FUZZ      := -O2 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all \
             -Wno-format-nonliteral
FUZZ_SRCS := $(wildcard tests/fuzz/fuzz_*.c)
FUZZERS   := $(FUZZ_SRCS:tests/fuzz/%.c=$(B)/fuzz/%)

# Half the time went into the record of comparisons; with a dictionary of keywords it is not missed.
$(B)/fuzz-obj/user/proto/sql%.o: FUZZ += -fno-sanitize-coverage=trace-cmp

$(B)/fuzz-obj/%.o: %.c | $(TOOLS_OK) $(GENERATED)
	@mkdir -p $(@D)
	$(call msg,CC-FUZZ,$<)$(CLANG) $(CSTD) $(WARN) $(FUZZ) $(DEFINES) $(INCLUDES) $(PKG_CFLAGS) $(DEPGEN) -c $< -o $@

$(B)/fuzz-obj/gen/%.o: $(B)/gen/%.c $(PROTO_H)
	@mkdir -p $(@D)
	$(call msg,CC-FUZZ,$<)$(CLANG) $(CSTD) $(FUZZ) -I$(B)/gen $(DEPGEN) -c $< -o $@

$(B)/fuzz-obj/libuser.a: $(USER_OBJS:$(B)/obj/%=$(B)/fuzz-obj/%)
	$(call msg,AR,$@)rm -f $@; ar rcs $@ $^

$(B)/fuzz/%: $(B)/fuzz-obj/tests/fuzz/%.o $(B)/fuzz-obj/libuser.a
	@mkdir -p $(@D)
	$(call msg,LINK,$@)$(CLANG) -fsanitize=fuzzer,address,undefined $^ -o $@ $(PKG_LIBS) $(FUZZ_LIBS)

$(FUZZ_SRCS:%.c=$(B)/fuzz-obj/%.o): | $(TEST_TOOLS_OK)

# The parser to compare ours with: linked with this one test and nothing else.
$(B)/fuzz/fuzz_http1_diff: FUZZ_LIBS := -lhttp_parser
