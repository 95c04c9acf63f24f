// SPDX-License-Identifier: Apache-2.0
/* Frames of a trace; see trace_text.h. */
#include "stack/trace_text.h"

#include <string.h>

#include "base/utf8.h"

/*
 * Bytes that cannot be shown become question marks: control characters (those of Latin 1 are C2 80
 * to C2 9F), and all that are not ASCII if they are not UTF-8.
 */
static void clean(char *text, size_t len)
{
	bool valid = utf8_valid(sv_from(text, len));

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i], next = (unsigned char)text[i + 1];

		if (valid && c == 0xc2 && next < 0xa0)
			text[i] = text[i + 1] = '?';
		else if (c < 0x20 || c == 0x7f || (c >= 0x80 && !valid))
			text[i] = '?';
	}
}

/* Copy at most size bytes, NUL included, of the start or the end of a string into the trace. */
static const char *keep(struct stack_trace *trace, const char *string, size_t size, bool keep_end)
{
	size_t len = string ? strlen(string) : 0;
	char *copy = trace->text + trace->text_len;

	if (!len)
		return NULL;
	if (len > size - 1) {
		if (keep_end)
			string += len - (size - 1);
		len = size - 1;
	}
	memcpy(copy, string, len);
	copy[len] = '\0';
	clean(copy, len);
	trace->text_len += len + 1;
	return copy;
}

/* The space for text is enough for as many frames as there are. */
static struct stack_frame *new_frame(struct stack_trace *trace, uint64_t ip)
{
	struct stack_frame *frame;

	if (trace->n == STACK_FRAMES_MAX)
		return NULL;
	frame = &trace->frames[trace->n++];
	*frame = (struct stack_frame){.address = ip};
	return frame;
}

void trace_text_add_address(struct stack_trace *trace, uint64_t ip)
{
	struct stack_frame *frame = new_frame(trace, ip);

	if (frame)
		frame->offset = ip;
}

/* What is known of one address. */
struct symbolised {
	struct debug_place places[DEBUG_INLINED_MAX + 1];
	size_t n; /* at least 1 */
	char symbol[SYMBOL_NAME_SIZE];
	bool has_symbol;
	uint64_t start; /* of the symbol */
};

/* Whether a name is not known, or the other one but for underscores: "___nanosleep". */
static bool is_alike(const char *name, const char *other)
{
	return !name || strcmp(name + strspn(name, "_"), other + strspn(other, "_")) == 0;
}

static void symbolise(const struct space_place *place, struct symbolised *s)
{
	struct debug_place *outermost;

	s->n = 0;
	s->has_symbol = false;
	if (place->binary) {
		s->has_symbol = binary_find_symbol(place->binary, &place->user, place->address,
				    s->symbol, &s->start) == 0;
		s->n = binary_find_places(place->binary, &place->user, place->address, s->places,
		    sizeof(s->places) / sizeof(s->places[0]));
	}
	if (!s->n)
		s->places[s->n++] = (struct debug_place){.function = NULL};
	/*
	 * The outermost of them is the function that the linker knows, perhaps by a plainer name.
	 */
	outermost = &s->places[s->n - 1];
	if (s->has_symbol && (outermost->linked || is_alike(outermost->function, s->symbol)))
		outermost->function = s->symbol;
}

static bool add_place(struct stack_trace *trace, const struct space_place *place, uint64_t ip,
    const struct symbolised *s, size_t i)
{
	struct stack_frame *frame = new_frame(trace, ip);

	if (!frame)
		return false;
	frame->function = keep(trace, s->places[i].function, STACK_FUNCTION_SIZE, false);
	frame->module = keep(trace, place->name, STACK_MODULE_SIZE, true);
	frame->file = keep(trace, s->places[i].file, STACK_FILE_SIZE, true);
	frame->line = s->places[i].line;
	frame->inlined = i + 1 < s->n;
	frame->offset = place->address;
	if (frame->function)
		frame->offset = s->has_symbol && !frame->inlined ? place->address - s->start : 0;
	return true;
}

bool trace_text_add(
    struct stack_trace *trace, const struct space_place *place, uint64_t ip, enum trace_kind kind)
{
	struct symbolised s;

	if (kind == TRACE_KIND_SIGNAL) {
		s.n = 1;
		s.has_symbol = false;
		s.places[0] = (struct debug_place){.function = "<signal handler called>"};
		return add_place(trace, place, ip, &s, 0);
	}
	symbolise(place, &s);
	if (kind == TRACE_KIND_MISSING) { /* nothing inlined, and no line */
		s.places[0] = s.places[s.n - 1];
		s.places[0].line = 0;
		s.n = 1;
	}
	for (size_t i = 0; i < s.n; i++) {
		/* An inlined call without a name says nothing; where it was made is in the next. */
		if (!s.places[i].function && i + 1 < s.n)
			continue;
		if (!add_place(trace, place, ip, &s, i))
			return false;
		trace->frames[trace->n - 1].guessed = kind != TRACE_KIND_PLAIN;
	}
	return true;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

/* Names of programs say nothing new behind each of their files; names of libraries do. */
static bool is_library(const char *module)
{
	return module && strstr(module, ".so");
}

void stack_frame_print(const struct stack_frame *frame, struct buf *out)
{
	if (!frame->function) {
		if (frame->module)
			buf_printf(
			    out, "%s+0x%llx", frame->module, (unsigned long long)frame->offset);
		else
			buf_printf(out, "0x%llx", (unsigned long long)frame->address);
		return;
	}
	buf_append_cstr(out, frame->function);
	if (!frame->file && !frame->module)
		return;
	buf_printf(out, " (%s", base_name(frame->file ? frame->file : frame->module));
	if (frame->file && frame->line)
		buf_printf(out, ":%u", frame->line);
	if (frame->file && is_library(frame->module))
		buf_printf(out, ", %s", frame->module);
	buf_append_char(out, ')');
}

void stack_trace_print(const struct stack_trace *trace, size_t max, struct buf *out)
{
	size_t start = out->len;

	for (size_t i = 0; i < trace->n; i++) {
		size_t before = out->len;

		if (i)
			buf_append_char(out, '\n');
		stack_frame_print(&trace->frames[i], out);
		if (out->failed)
			return;
		if (out->len - start > max) {
			out->len = before;
			out->data[before] = '\0';
			return;
		}
	}
}
