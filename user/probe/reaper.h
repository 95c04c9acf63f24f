/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Detaches probes out of the way. The kernel makes whoever removes a uprobe wait for grace periods, 100
 * to 200 ms each; the reader of the ring cannot wait that long.
 */
#ifndef ZS_PROBE_REAPER_H
#define ZS_PROBE_REAPER_H

struct bpf_link;
struct reaper;

struct reaper *reaper_new(void); /* NULL: no memory or threads */

/* Waits until everything is detached, then frees. NULL is fine. */
void reaper_free(struct reaper *reaper);

/* Detach and free the link soon; at once when it cannot be queued. */
void reaper_take(struct reaper *reaper, struct bpf_link *link);

/* Wait until everything taken so far is detached. */
void reaper_wait(struct reaper *reaper);

#endif
