// SPDX-License-Identifier: Apache-2.0
/* Adding up where time went; see ledger.h. */
#include "span/ledger.h"

#define KEY(state) "zerospan.time." state "_ms"

static const struct {
	const char *name, *key;
} states[LEDGER_STATES] = {
    [LEDGER_CPU] = {"cpu", KEY("cpu")},
    [LEDGER_RUNQUEUE] = {"runqueue", KEY("runqueue")},
    [LEDGER_QUEUED] = {"queued", KEY("queued")},
    [LEDGER_SLEEP] = {"sleep", KEY("sleep")},
    [LEDGER_LOCK] = {"lock", KEY("lock")},
    [LEDGER_DISK] = {"disk", KEY("disk")},
    [LEDGER_NET_SEND] = {"net_send", KEY("net_send")},
    [LEDGER_DOWNSTREAM] = {"downstream", KEY("downstream")},
    [LEDGER_PAGEFAULT] = {"pagefault", KEY("pagefault")},
    [LEDGER_SQLITE_BUSY] = {"sqlite_busy", KEY("sqlite_busy")},
    [LEDGER_OTHER] = {"other", KEY("other")},
    [LEDGER_UNATTRIBUTED] = {"unattributed", KEY("unattributed")},
};

const char *ledger_state_name(enum ledger_state state)
{
	return states[state].name;
}

const char *ledger_state_names(size_t state)
{
	return state < LEDGER_STATES ? states[state].name : NULL;
}

const char *ledger_attr_key(enum ledger_state state)
{
	return states[state].key;
}

enum ledger_state ledger_longest(const struct ledger *ledger)
{
	enum ledger_state longest = LEDGER_CPU;

	for (int i = 0; i < LEDGER_STATES; i++)
		if (ledger->ns[i] > ledger->ns[longest])
			longest = i;
	return longest;
}

uint64_t ledger_sum(const struct ledger *ledger)
{
	uint64_t sum = 0;

	for (int i = 0; i < LEDGER_STATES; i++)
		sum += ledger->ns[i];
	return sum;
}

enum ledger_state ledger_state_of(enum zsp_wait wait, enum ledger_state polling)
{
	static const enum ledger_state alone[ZSP_WAIT_MAX] = {
	    [ZSP_WAIT_RUNQUEUE] = LEDGER_RUNQUEUE,
	    [ZSP_WAIT_SLEEP] = LEDGER_SLEEP,
	    [ZSP_WAIT_LOCK] = LEDGER_LOCK,
	    [ZSP_WAIT_DISK] = LEDGER_DISK,
	    [ZSP_WAIT_SEND] = LEDGER_NET_SEND,
	    [ZSP_WAIT_PEER] = LEDGER_OTHER,
	    [ZSP_WAIT_TIMER] = LEDGER_SLEEP,
	    [ZSP_WAIT_PAGEFAULT] = LEDGER_PAGEFAULT,
	    [ZSP_WAIT_SQLITE_BUSY] = LEDGER_SQLITE_BUSY,
	    [ZSP_WAIT_OTHER] = LEDGER_OTHER,
	};

	if (polling != LEDGER_OTHER && (wait == ZSP_WAIT_PEER || wait == ZSP_WAIT_TIMER))
		return polling;
	return alone[wait];
}

void ledger_add(struct ledger *ledger, uint64_t lasted_ns, const __u64 waits[ZSP_WAIT_MAX],
    enum ledger_state polling)
{
	uint64_t left = lasted_ns;

	for (int i = 0; i < ZSP_WAIT_MAX; i++) {
		uint64_t part = waits[i] < left ? waits[i] : left;

		ledger->ns[ledger_state_of(i, polling)] += part;
		left -= part;
	}
	ledger->ns[LEDGER_CPU] += left;
}

void ledger_slept(struct ledger *ledger, uint64_t slept_ns)
{
	if (slept_ns > ledger->ns[LEDGER_SQLITE_BUSY])
		slept_ns = ledger->ns[LEDGER_SQLITE_BUSY];
	ledger->ns[LEDGER_SQLITE_BUSY] -= slept_ns;
	ledger->ns[LEDGER_SLEEP] += slept_ns;
}

void ledger_fit(struct ledger *ledger, uint64_t duration_ns)
{
	uint64_t sum = ledger_sum(ledger), too_much;

	if (sum <= duration_ns) {
		ledger->ns[LEDGER_UNATTRIBUTED] += duration_ns - sum;
		return;
	}
	too_much = sum - duration_ns;
	for (int i = 0; i < LEDGER_STATES && too_much; i++) {
		uint64_t part = ledger->ns[i] < too_much ? ledger->ns[i] : too_much;

		ledger->ns[i] -= part;
		too_much -= part;
	}
}
