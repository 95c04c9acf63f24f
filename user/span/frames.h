/* SPDX-License-Identifier: Apache-2.0 */
/* Stacks as text: one frame per line, innermost first, as in zerospan.stack.user: "poll (poll.c:29, libc.so.6)". Pure; no memory of its own. */
#ifndef ZS_SPAN_FRAMES_H
#define ZS_SPAN_FRAMES_H

#include <stdbool.h>

#include "base/sv.h"

/*
 * The innermost frame that is the program's own: one in its executable, else in one of
 * its libraries, but not in the C library. Empty without any.
 */
struct sv frames_own(struct sv frames);

/* The function of a frame: "poll" of "poll (poll.c:29, libc.so.6)"; empty where only a library and an offset are known. */
struct sv frames_function(struct sv frame);

/* Take the first line off *rest; false: there is none. */
bool frames_next(struct sv *rest, struct sv *ret_frame);

#endif
