// SPDX-License-Identifier: Apache-2.0
/* Life of the places of waits; see wait_place.h. */
#include "span/wait_place.h"

#include <stdlib.h>
#include <string.h>

struct wait_place *wait_place_new(void)
{
	struct wait_place *place = calloc(1, sizeof(*place));

	if (place)
		atomic_init(&place->refs, 1);
	return place;
}

struct wait_place *wait_place_ref(struct wait_place *place)
{
	if (place)
		atomic_fetch_add(&place->refs, 1);
	return place;
}

static void free_text(struct sv text)
{
	free((char *)(uintptr_t)text.p);
}

void wait_place_unref(struct wait_place *place)
{
	if (!place || atomic_fetch_sub(&place->refs, 1) != 1)
		return;
	free_text(place->user);
	free_text(place->kernel);
	free_text(place->culprit.user);
	free_text(place->culprit.request);
	free(place);
}

static struct sv copy_text(struct sv text)
{
	char *copy = text.len ? malloc(text.len) : NULL;

	return copy ? sv_from(memcpy(copy, text.p, text.len), text.len) : (struct sv){0};
}

void wait_place_tell(struct wait_place *place, struct sv user, struct sv kernel)
{
	if (place->told || place->final)
		return;
	place->told = true;
	place->user = copy_text(user);
	place->kernel = copy_text(kernel);
}

bool wait_place_begin_culprit(struct wait_place *place, enum wait_evidence evidence)
{
	struct wait_culprit *culprit = &place->culprit;

	if (place->final || culprit->evidence == WAIT_EVIDENCE_WOKEN)
		return false;
	free_text(culprit->user);
	free_text(culprit->request);
	*culprit = (struct wait_culprit){.evidence = evidence};
	return true;
}

void wait_place_tell_request(struct wait_place *place, struct sv request)
{
	free_text(place->culprit.request);
	place->culprit.request = copy_text(request);
}

void wait_place_tell_culprit(struct wait_place *place, enum wait_evidence evidence, struct sv user)
{
	struct wait_culprit *culprit = &place->culprit;

	if (culprit->told || culprit->evidence != evidence || place->final)
		return;
	culprit->told = true;
	culprit->user = copy_text(user);
}

bool wait_place_is_awaited(const struct wait_place *place)
{
	return !place->told || (place->culprit.asked && !place->culprit.told);
}

void span_wait_end_at(struct span_wait *wait, struct ledger *ledger, uint64_t end_ns)
{
	uint64_t *in_ledger, most_ns, over_ns;

	if (!wait->place)
		return;
	most_ns = end_ns > wait->since_ns ? end_ns - wait->since_ns : 0;
	if (wait->ns <= most_ns)
		return;
	in_ledger = &ledger->ns[wait->state];
	over_ns = wait->ns - most_ns;
	*in_ledger -= over_ns < *in_ledger ? over_ns : *in_ledger;
	wait->ns = most_ns;
	if (wait->ns)
		return;
	wait_place_unref(wait->place);
	*wait = (struct span_wait){0};
}

const char *wait_evidence_name(enum wait_evidence evidence)
{
	static const char *const names[] = {
	    [WAIT_EVIDENCE_WOKEN] = "woken_by",
	    [WAIT_EVIDENCE_OWNER] = "mutex_owner",
	};

	return names[evidence];
}
