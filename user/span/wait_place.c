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

void wait_place_unref(struct wait_place *place)
{
	if (!place || atomic_fetch_sub(&place->refs, 1) != 1)
		return;
	free((char *)(uintptr_t)place->user.p); /* the kernel's stands behind it */
	free(place);
}

void wait_place_tell(struct wait_place *place, struct sv user, struct sv kernel)
{
	char *text = user.len + kernel.len ? malloc(user.len + kernel.len) : NULL;

	place->told = true;
	if (!text)
		return;
	memcpy(text, user.p, user.len);
	memcpy(text + user.len, kernel.p, kernel.len);
	place->user = sv_from(text, user.len);
	place->kernel = sv_from(text + user.len, kernel.len);
}
