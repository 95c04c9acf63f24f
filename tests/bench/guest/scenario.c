// SPDX-License-Identifier: Apache-2.0
/*
 * A row (what observes) under a workload (what is observed), in phases:
 *
 *	start       the observer, from exec until it says that probes are in place
 *	quiet       nothing happens: what the observer costs by itself
 *	window      warm-up, rest, then exactly N requests, rest: all that they cause is over at its end
 *	others      the same load on a server that nobody observes; a process that only makes system calls
 *	profile     the loads again, shorter, while the kernel counts runs and time of each BPF program
 *
 * Each phase reports CPU time, in ns, of everybody who takes part. Rests cost nothing but what the observer does in them:
 * the machine skips idle time.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "guest.h"

#define OBSERVER       "/zerospan/zerospan"
#define OBSERVER_FLOOR "/zerospan/zerospan-floor"
#define TARGET_PORT    "8000"
#define OTHER_PORT     "8001"
#define RECEIVER_PORT  "4318"
#define METRICS_PORT   9464

#define WAIT_MS    600000
#define QUIET_MS   4000
#define REST_MS    7000 /* longer than exporters wait for a batch to fill */
#define WARM_UP    500
#define RATE       1000
#define REQUESTS   10000
#define OTHERS     4000
#define PROFILED   2000
#define SPINS      5000000
#define CALLS      20000
#define SATURATING 30000
#define HELD       10000

struct scenario {
	const char *row;
	struct process observer, target, other, client, other_client, receiver;
};

static const struct row {
	const char *name, *program, *extra;
	const char *option[4];
} rows[] = {
    {"bare", NULL, NULL, {NULL}},
    {"floor", OBSERVER_FLOOR, NULL, {"--format", "none"}},
    {"metrics", OBSERVER, NULL, {"--format", "none"}},
    {"json", OBSERVER, NULL, {"--output", "/dev/null", "--format", "none"}},
    {"otlp", OBSERVER,
	"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://127.0.0.1:" RECEIVER_PORT "/v1/traces", {NULL}},
    {"dead", OBSERVER, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://127.0.0.1:9", {NULL}},
};

/* --- phases -------------------------------------------------------------------------------------------- */

/* CPU time since the last call, of everybody; reported under a phase, or forgotten. */
static void take_times(const struct scenario *s, const char *phase)
{
	const struct {
		const char *key;
		const struct process *process;
	} who[] = {
	    {"observer_ns", &s->observer},
	    {"target_ns", &s->target},
	    {"client_ns", &s->client},
	    {"other_ns", &s->other},
	    {"other_client_ns", &s->other_client},
	    {"receiver_ns", &s->receiver},
	};
	static uint64_t last[sizeof(who) / sizeof(who[0]) + 1];
	size_t n = sizeof(who) / sizeof(who[0]);
	uint64_t busy = kernel_busy_ns();

	for (size_t i = 0; i < n; i++) {
		uint64_t now = process_cpu_ns(who[i].process);

		if (phase && who[i].process->pid)
			report(phase, who[i].key, now - last[i]);
		last[i] = now;
	}
	if (phase)
		report(phase, "machine_ns", busy - last[n]);
	last[n] = busy;
}

/* Have a client run; what it tells is reported under the phase, if there is one. */
static void run_load(struct process *client, const char *phase, size_t n, size_t rate)
{
	unsigned long long told[6];
	static const char *const keys[] = {
	    "requests", "p50_ns", "p99_ns", "max_ns", "elapsed_ns", "failed"};
	char line[128];

	snprintf(line, sizeof(line), "run %zu %zu\n", n, rate);
	process_command(client, line);
	if (rate)
		sleep_ms((int)(n * 1000 / rate)); /* looking for the answer would disturb */
	if (!process_wait_line(client, "done ", line, sizeof(line), WAIT_MS))
		die("a client did not end");
	if (sscanf(line, "done %llu %llu %llu %llu %llu %llu", &told[0], &told[1], &told[2],
		&told[3], &told[4], &told[5]) != 6)
		die("a client told something else");
	for (size_t i = 0; phase && i < 6; i++)
		report(phase, keys[i], told[i]);
}

static void start_guest(
    struct process *p, const char *what, const char *a, const char *b, const char *until)
{
	const char *argv[] = {GUEST_PATH, what, a, b, NULL};
	char line[128];

	process_start(p, argv, NULL);
	if (until && !process_wait_line(p, until, line, sizeof(line), WAIT_MS))
		die(what);
}

static void start_observer(struct scenario *s, const struct row *row)
{
	static const char *const all[] = {"", NULL};
	char pid[16], line[1024];
	const char *argv[] = {row->program, "run", "--pid", pid, row->option[0], row->option[1],
	    row->option[2], row->option[3], NULL};
	uint64_t begin;

	if (!row->program)
		return;
	if (strcmp(row->name, "otlp") == 0)
		start_guest(&s->receiver, "receiver", RECEIVER_PORT, NULL, "listening");
	snprintf(pid, sizeof(pid), "%d", s->target.pid);
	take_times(s, NULL);
	begin = now_ns();
	sample_start();
	process_start(&s->observer, argv, row->extra);
	if (!process_wait_line(&s->observer, "zerospan: observing", line, sizeof(line), WAIT_MS)) {
		report_file("observer", s->observer.log, all);
		die("the observer did not get ready");
	}
	report("start", "elapsed_ns", now_ns() - begin);
	take_times(s, "start");
	sample_stop();
	sample_report("start", "observer", &s->observer);
	sleep_ms(1000);
	take_times(s, NULL);
	sleep_ms(QUIET_MS);
	take_times(s, "quiet");
	report("quiet", "elapsed_ns", QUIET_MS * 1000000ULL);
}

static void report_memory(const struct scenario *s)
{
	if (!s->observer.pid)
		return;
	report("memory", "rss_kb", process_status_kb(&s->observer, "VmRSS:"));
	report("memory", "peak_kb", process_status_kb(&s->observer, "VmHWM:"));
	kernel_report_maps("memory");
}

/* What zerospan says of itself at /metrics, by GET like any scraper. */
static void report_metrics(void)
{
	static const char get[] =
	    "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
	static const char *const prefixes[] = {"http_server_request_duration_seconds_count",
	    "http_client_request_duration_seconds_count",
	    "db_client_operation_duration_seconds_count", "zerospan_lost_total",
	    "otel_sdk_exporter_span_exported_total", "otel_sdk_processor_span_processed_total",
	    "zerospan_unseen", NULL};
	int fd = net_connect(METRICS_PORT);
	FILE *f = fopen("/tmp/metrics", "we");
	char text[4096];
	ssize_t n;

	if (fd < 0 || !f || net_send_all(fd, get, sizeof(get) - 1))
		die("no /metrics");
	while ((n = recv(fd, text, sizeof(text), 0)) > 0)
		fwrite(text, 1, (size_t)n, f);
	fclose(f);
	close(fd);
	report_file("metrics", "/tmp/metrics", prefixes);
}

static void stop_all(struct scenario *s)
{
	static const char *const all[] = {"", NULL};
	char log[sizeof(s->observer.log)];

	if (s->observer.pid) {
		report_metrics();
		report("end", "observer_status", (uint64_t)process_stop(&s->observer, SIGINT));
		memcpy(log, s->observer.log, sizeof(log));
		report_file("observer", log, all);
	}
	process_stop(&s->client, 0);
	process_stop(&s->other_client, 0);
	process_stop(&s->other, SIGTERM);
	process_stop(&s->target, SIGTERM);
	process_stop(&s->receiver, SIGTERM);
	report_file("target", s->target.log, (const char *const[]){"requests ", NULL});
	if (s->receiver.log[0])
		report_file("receiver", s->receiver.log, (const char *const[]){"received ", NULL});
}

/* --- workloads ------------------------------------------------------------------------------------------- */

static void start_servers(struct scenario *s, const struct row *row, const char *connections)
{
	start_guest(&s->target, "server", TARGET_PORT, NULL, "listening");
	start_guest(&s->other, "server", OTHER_PORT, NULL, "listening");
	start_observer(s, row);
	start_guest(&s->client, "client", TARGET_PORT, connections, "connected");
	start_guest(&s->other_client, "client", OTHER_PORT, connections, "connected");
}

static void begin_window(const struct scenario *s)
{
	sleep_ms(REST_MS);
	take_times(s, NULL);
	process_take_threads(&s->observer, NULL);
	sample_start();
}

static void end_window(const struct scenario *s)
{
	sleep_ms(REST_MS);
	take_times(s, "window");
	process_take_threads(&s->observer, "threads");
	report("window", "rest_ns", REST_MS * 1000000ULL);
	sample_stop();
	sample_report("window", "observer", &s->observer);
	sample_report("window", "target", &s->target);
	sample_report("window", "client", &s->client);
	report_memory(s);
}

static void window(struct scenario *s, size_t n, size_t rate)
{
	run_load(&s->client, NULL, WARM_UP, RATE);
	begin_window(s);
	run_load(&s->client, "window", n, rate);
	end_window(s);
}

static void calls(const char *what, int n)
{
	struct process p;
	char line[64];
	uint64_t before;

	start_guest(&p, "calls", NULL, NULL, NULL);
	snprintf(line, sizeof(line), "%s 100\n", what);
	process_command(&p, line);
	process_wait_line(&p, "done", line, sizeof(line), WAIT_MS);
	before = process_cpu_ns(&p);
	snprintf(line, sizeof(line), "%s %d\n", what, n);
	process_command(&p, line);
	process_wait_line(&p, "done", line, sizeof(line), WAIT_MS);
	report(what, "ns", process_cpu_ns(&p) - before);
	report(what, "calls", (uint64_t)n);
	process_stop(&p, 0);
}

static void others(struct scenario *s)
{
	run_load(&s->other_client, NULL, WARM_UP, RATE);
	take_times(s, NULL);
	run_load(&s->other_client, "others", OTHERS, RATE);
	take_times(s, "others");
	calls("ppid", CALLS);
	calls("read", CALLS);
	calls("spin", SPINS);
}

static void profile(struct scenario *s)
{
	if (!s->observer.pid)
		return;
	kernel_stats_enable(true);
	kernel_forget_programs();
	run_load(&s->client, NULL, PROFILED, RATE);
	kernel_report_programs("profile");
	run_load(&s->other_client, NULL, PROFILED, RATE);
	kernel_report_programs("profile_others");
	report("profile", "requests", PROFILED);
	kernel_stats_enable(false);
	sleep_ms(REST_MS);
}

static void keepalive(struct scenario *s, const struct row *row)
{
	start_servers(s, row, "4");
	window(s, REQUESTS, RATE);
	others(s);
	profile(s);
	stop_all(s);
}

static void saturated(struct scenario *s, const struct row *row)
{
	start_servers(s, row, "16");
	window(s, SATURATING, 0);
	stop_all(s);
}

static void held(struct scenario *s, const struct row *row)
{
	char line[128];

	start_servers(s, row, "4");
	begin_window(s);
	snprintf(line, sizeof(line), "hold %d\n", HELD);
	process_command(&s->client, line);
	if (!process_wait_line(&s->client, "done ", line, sizeof(line), WAIT_MS))
		die("connections were not opened");
	report_text("held", line);
	report("window", "requests", HELD);
	end_window(s);
	stop_all(s);
}

static void traffic(int seconds)
{
	struct process p;
	char duration[16], line[1024];
	const char *argv[] = {"/zerospan/traffic", "--rate", "40", "--duration", duration, "--mix",
	    "headphones:1", "--url", "http://127.0.0.1:" TARGET_PORT, NULL};

	snprintf(duration, sizeof(duration), "%d", seconds);
	process_start(&p, argv, NULL);
	sleep_ms(seconds * 1000);
	if (!process_wait_line(&p, "{", line, sizeof(line), WAIT_MS))
		die("traffic did not end");
	report_text("traffic", line);
	process_stop(&p, 0);
}

static void shop(struct scenario *s, const struct row *row, const char *model)
{
	const char *argv[] = {"/zerospan/shop", "--port", TARGET_PORT, "--database", "/tmp/shop.db",
	    "--model", model, NULL};
	char line[512];

	process_start(&s->target, argv, NULL);
	if (!process_wait_line(&s->target, "{", line, sizeof(line), WAIT_MS))
		die("the shop did not start");
	start_observer(s, row);
	traffic(2);
	begin_window(s);
	traffic(10);
	end_window(s);
	stop_all(s);
}

void scenario_run(const char *row, const char *workload)
{
	struct scenario s = {.row = row};
	const struct row *found = NULL;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strcmp(rows[i].name, row) == 0)
			found = &rows[i];
	if (!found)
		die("no such row");
	if (strcmp(workload, "keepalive") == 0)
		keepalive(&s, found);
	else if (strcmp(workload, "saturated") == 0)
		saturated(&s, found);
	else if (strcmp(workload, "connections") == 0)
		held(&s, found);
	else if (strcmp(workload, "shop-threads") == 0)
		shop(&s, found, "thread-per-connection");
	else if (strcmp(workload, "shop-loop") == 0)
		shop(&s, found, "event-loop");
	else
		die("no such workload");
}
