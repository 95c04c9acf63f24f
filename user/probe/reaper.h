/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Detaches probes out of the way. The kernel makes whoever removes a uprobe wait for grace periods, 100
 * to 200 ms each; the reader of the ring cannot wait that long.
 */
#ifndef ZS_PROBE_REAPER_H
#define ZS_PROBE_REAPER_H

#include <stdbool.h>
#include <stdint.h>

struct bpf_link;
struct reaper;

struct reaper *reaper_new(void); /* NULL: no memory or threads */

/* Waits until everything is detached, then frees. NULL is fine. */
void reaper_free(struct reaper *reaper);

/* Detach and free the link soon; at once when it cannot be queued. tag: whose it is, for reaper_has(); 0: of no interest. */
void reaper_take(struct reaper *reaper, struct bpf_link *link, uint32_t tag);

/* Is a link with this tag, other than 0, not detached yet? */
bool reaper_has(struct reaper *reaper, uint32_t tag);

/* Wait until everything taken so far is detached. */
void reaper_wait(struct reaper *reaper);

#endif
