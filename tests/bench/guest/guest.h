/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one program of the measuring machine besides what is measured: first process, load and receiver. init.c runs a scenario (scenario.c) and prints figures (report.c);
 * the rest are the programs that it starts.
 */
#ifndef ICOUNT_GUEST_H
#define ICOUNT_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define GUEST_PATH "/guest"

/* --- programs: each takes its arguments without its name and returns an exit status --------------- */

int init_main(int argc, char **argv);
int server_main(int argc, char **argv);
int client_main(int argc, char **argv);
int calls_main(int argc, char **argv);
int receiver_main(int argc, char **argv);

/*
 * For server and client: never preempt whom they wake (SCHED_BATCH). Otherwise the scheduler's history decides who
 * goes first, for the whole run, and a request costs 64 or 70 us by chance. Called before any thread is started.
 */
void yield_to_others(void);

/* --- net.c: TCP over loopback; results are descriptors or negative errno --------------------------- */

int net_listen(int port);
int net_connect(int port);
/* All of it, or negative errno; -EPIPE when the other end closed. */
int net_send_all(int fd, const void *data, size_t len);

/* --- process.c: programs started by the scenario --------------------------------------------------- */

struct process {
	pid_t pid;    /* 0: none */
	int in;       /* write end of its standard input */
	char log[64]; /* file with what it wrote */
	size_t read;  /* bytes of the log consumed by process_wait_line() */
};

/* Start argv[0]; extra is one NAME=VALUE for its environment or NULL. Ends the machine on failure. */
void process_start(struct process *p, const char *const *argv, const char *extra);
/*
 * The next line of its output that begins with prefix, without the end of line. False: it ended or ms passed
 * before.
 */
bool process_wait_line(struct process *p, const char *prefix, char *ret_line, size_t len, int ms);
void process_command(const struct process *p, const char *line);
/* Send the signal and wait; its exit status, 128 + n for a signal. Nothing when there is none. */
int process_stop(struct process *p, int number);
/* CPU time of all its threads, also of those that ended, in ns. 0 when there is none. */
uint64_t process_cpu_ns(const struct process *p);
/* A line of /proc/PID/status in KiB ("VmRSS:"); 0 when there is none. */
uint64_t process_status_kb(const struct process *p, const char *key);

/*
 * CPU time of each thread and the time that it waited for the CPU, in ns since the last call; reported under a
 * phase, or forgotten.
 */
void process_take_threads(const struct process *p, const char *phase);

/* --- report.c: figures on the console, one JSON object per line ------------------------------------ */

void report(const char *phase, const char *key, uint64_t value);
void report_text(const char *key, const char *text);
/* Every line of the file that begins with one of the prefixes (NULL-terminated; "": all). */
void report_file(const char *key, const char *path, const char *const *prefixes);
/* Say what is wrong and stop the machine. */
void die(const char *what) __attribute__((noreturn));

/* --- kernel.c: what the kernel knows ---------------------------------------------------------------- */

/* Time that any task ran on the one CPU, in ns. */
uint64_t kernel_busy_ns(void);
void kernel_stats_enable(bool on);
/* Runs and time of every loaded program since they were last read, and the memory of all maps. */
void kernel_report_programs(const char *phase);
void kernel_forget_programs(void);
void kernel_report_maps(const char *phase);

/* --- sample.c: where instructions go; nothing of it does anything before sample_open() -------------- */

void sample_open(void);
void sample_start(void);
/* No more samples until the next start. */
void sample_stop(void);
/* What was sampled of a process between start and stop. */
void sample_report(const char *phase, const char *who, const struct process *p);

/* --- scenario.c ---------------------------------------------------------------------------------------- */

void scenario_run(const char *row, const char *workload);

uint64_t now_ns(void);
void sleep_ms(int ms);

#endif
