// SPDX-License-Identifier: Apache-2.0
/* The help text, from the tables that the command line is parsed by; see options.h. */
#include "config/option_rows.h"

static void help_row(struct buf *out, const struct option_row *row)
{
	size_t start;

	if (row->section)
		buf_printf(out, "\n%s:\n", row->section);
	start = out->len;
	if (row->letter)
		buf_printf(out, "  -%c, --%s", row->letter, row->name);
	else
		buf_printf(out, "      --%s", row->name);
	if (row->metavar)
		buf_printf(out, " %s", row->metavar);
	while (out->len - start < 28 && !out->failed)
		buf_append_char(out, ' ');
	buf_printf(out, " %s\n", row->help);
}

void options_help(struct buf *out, enum command command)
{
	for (size_t i = 0; i < n_command_rows; i++)
		if (!command || command_rows[i].command == command)
			buf_printf(out, "%s zerospan %-6s %s%s\n      %s\n",
			    i == 0 || command ? "usage:" : "      ", command_rows[i].name,
			    command_rows[i].usage,
			    command_rows[i].command & OBSERVE ? " [-- COMMAND ARG...]" : "",
			    command_rows[i].summary);
	for (size_t i = 0; i < n_option_rows; i++)
		if (!command || (option_rows[i].of & command))
			help_row(out, &option_rows[i]);
	if (!command || (command & OBSERVE))
		buf_append_cstr(out,
		    "\nWith -- COMMAND the command is started and observed from its first instruction, and its exit\n"
		    "status becomes zerospan's. OTLP goes to OTEL_EXPORTER_OTLP_ENDPOINT when that is set,\n"
		    "as OTEL_EXPORTER_OTLP_PROTOCOL says: http/protobuf (the default) or grpc. Which traces 'run' sends, the key\n"
		    "sampling in --config says, and OTEL_TRACES_SAMPLER and _ARG in place of its default and parent.\n"
		    "\nWhere SQLite's probes take more than --budget of a process' CPU time for five seconds of it, less is told: no\n"
		    "statements that cannot be prepared, if that is enough; only that statements began; then nothing; and more again when it has become cheap. Each change is logged.\n");
	if (!command || (command & SHOW))
		buf_append_cstr(out,
		    "\nHTTP methods that are known, others are _OTHER: OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS=GET,POST,...\n"
		    "\nWith --record-payloads a recording holds what was captured of messages (heads with cookies and tokens, as they were\n"
		    "sent, and bodies) and SQL with its literals, with --logs what processes wrote: keep it as you would keep those.\n");
	buf_append_cstr(out,
	    "\nWhat zerospan says of itself on stderr, without -v and -q: OTEL_LOG_LEVEL=error, warn, info or debug. At each\n"
	    "of these it says that it is observing, and where metrics are: scripts wait for that.\n"
	    "\nExit status: 0 done, 1 failed while running, 2 wrong usage, 3 not permitted or not supported here.\n");
}
