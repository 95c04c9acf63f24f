// SPDX-License-Identifier: Apache-2.0
/* Reading frames of stacks; see frames.h. */
#include "span/frames.h"

bool frames_next(struct sv *rest, struct sv *ret_frame)
{
	size_t end;

	if (!rest->len)
		return false;
	end = sv_find(*rest, '\n');
	*ret_frame = sv_from(rest->p, end);
	*rest = sv_skip(*rest, end + 1);
	return true;
}

/*
 * Where it is: "libc.so.6" of "poll (poll.c:29, libc.so.6)", of "nanosleep (libc.so.6)" and of "libc.so.6+0x1a"; "shop.c:412" of
 * "work (shop.c:412)".
 */
static struct sv location_of(struct sv frame)
{
	size_t at = frame.len;

	if (at && frame.p[at - 1] == ')') {
		while (at && frame.p[at - 1] != '(' && frame.p[at - 1] != ' ')
			at--;
		return sv_from(frame.p + at, frame.len - at - 1);
	}
	return sv_from(frame.p, sv_find(frame, '+'));
}

/* Names in C++ may have blanks and parentheses, too. */
struct sv frames_function(struct sv frame)
{
	size_t at = frame.len;

	if (!at || frame.p[at - 1] != ')')
		return (struct sv){0};
	while (at > 1 && (frame.p[at - 1] != '(' || frame.p[at - 2] != ' '))
		at--;
	return sv_from(frame.p, at > 1 ? at - 2 : 0);
}

static bool contains(struct sv text, struct sv part)
{
	for (size_t i = 0; i + part.len <= text.len; i++)
		if (sv_starts(sv_skip(text, i), part))
			return true;
	return false;
}

static bool is_library(struct sv location)
{
	return contains(location, SV(".so"));
}

/* The C library, the loader and what the kernel maps into every process. */
static bool is_system(struct sv location)
{
	static const struct sv names[] = {
	    SV("libc.so"), SV("libc-"), SV("libc.musl"), SV("libpthread"), SV("ld-"), SV("ld.so")};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (sv_starts(location, names[i]))
			return true;
	return contains(location, SV("vdso"));
}

struct sv frames_own(struct sv frames)
{
	struct sv library = {0}, frame;

	while (frames_next(&frames, &frame)) {
		struct sv location = location_of(frame);

		if (!frame.len || is_system(location))
			continue;
		if (!is_library(location))
			return frame;
		if (!library.len)
			library = frame;
	}
	return library;
}
