// SPDX-License-Identifier: Apache-2.0
/* Wrapping, columns and bars; see layout.h. */
#include "why/layout.h"

#include "export/tree.h"

size_t layout_width(struct sv text)
{
	size_t width = 0;

	for (size_t i = 0; i < text.len; i++)
		width += ((unsigned char)text.p[i] & 0xc0) != 0x80;
	return width;
}

static void blanks(const struct layout *layout, size_t n)
{
	while (n-- > 0 && !layout->out->failed)
		buf_append_char(layout->out, ' ');
}

void layout_styled(const struct layout *layout, struct sv text, const char *style)
{
	if (style && layout->colour)
		buf_append_cstr(layout->out, style);
	buf_append_sv(layout->out, text);
	if (style && layout->colour)
		buf_append_cstr(layout->out, ANSI_RESET);
}

static bool ends_with_digit(struct sv text)
{
	return text.len && text.p[text.len - 1] >= '0' && text.p[text.len - 1] <= '9';
}

/* The next word, and what must stay in its line: a number's unit. */
static struct sv next_word(struct sv text)
{
	size_t len = sv_find(text, ' ');

	while (len < text.len && ends_with_digit(sv_from(text.p, len)))
		len += 1 + sv_find(sv_skip(text, len + 1), ' ');
	return sv_from(text.p, len);
}

void layout_wrapped(const struct layout *layout, struct sv text, size_t indent)
{
	size_t column = 0;

	while (text.len) {
		struct sv word = next_word(text);
		size_t width = layout_width(word);

		if (column > indent && column + 1 + width > layout->width) {
			buf_append_char(layout->out, '\n');
			column = 0;
		}
		if (column == 0) {
			blanks(layout, indent);
			column = indent;
		} else {
			buf_append_char(layout->out, ' ');
			column++;
		}
		buf_append_sv(layout->out, word);
		column += width;
		text = sv_skip(text, word.len + 1);
	}
	buf_append_char(layout->out, '\n');
}

void layout_left(const struct layout *layout, struct sv text, size_t columns)
{
	size_t width = tree_append_text(layout->out, text, columns);

	blanks(layout, columns > width ? columns - width : 0);
}

void layout_right(const struct layout *layout, struct sv text, size_t columns)
{
	size_t width = layout_width(text);

	blanks(layout, columns > width ? columns - width : 0);
	buf_append_sv(layout->out, text);
}

void layout_bar(const struct layout *layout, double share, size_t columns)
{
	static const char *const parts[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
	size_t eighths = (size_t)(share * (double)columns * 8 + 0.5), full;

	if (eighths == 0 && share > 0)
		eighths = 1;
	if (eighths > columns * 8)
		eighths = columns * 8;
	full = eighths / 8;
	for (size_t i = 0; i < full; i++)
		buf_append_cstr(layout->out, "█");
	buf_append_cstr(layout->out, parts[eighths % 8]);
	blanks(layout, columns - full - (eighths % 8 > 0));
}

void layout_heading(const struct layout *layout, const char *text)
{
	buf_append_char(layout->out, '\n');
	layout_styled(layout, sv_cstr(text), ANSI_BOLD);
	buf_append_char(layout->out, '\n');
}
