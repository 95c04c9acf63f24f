/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The journal: every input of a pipeline, in order, as entries of a recording (ingest/recording.h). The same
 * inputs make the same traces, byte for byte: so a replay is what the live run was. This header says what each
 * entry means; the pipeline writes a journal of what it is given, the player gives a pipeline what a journal
 * holds.
 *
 * The first entry is JOURNAL_START, the last before RECORDING_LAST is JOURNAL_END. Times are CLOCK_MONOTONIC
 * nanoseconds of the recording machine.
 *
 * JOURNAL_DATABASE stands before the event that made the pipeline ask, since that is when a player needs it.
 * Events that the pipeline does not take (processes, listening ports) are not in a journal: what followed from
 * them is, as JOURNAL_PROCESS and JOURNAL_PROCESS_END.
 *
 * Unless it is asked to, a journal holds no bodies, no values that stand under the names of secrets (proto/secret.h) and no literals of SQL: there
 * are zeros in their place, and other literals. A replay is then what the live run was but for what rules made of them. With payloads it
 * is as secret as the observed programs' messages.
 */
#ifndef ZS_JOURNAL_H
#define ZS_JOURNAL_H

#include "base/buf.h"
#include "ingest/recording.h"
#include "pipeline.h"

/* Of the records in bpf/event.h; becomes higher when a record of the same size means something else. */
#define JOURNAL_EVENT_VERSION 1u

enum journal_type {
	JOURNAL_INVALID = 0,
	JOURNAL_START = 1,       /* struct journal_start */
	JOURNAL_PROCESS = 2,     /* struct journal_process and its strings: pipeline_process() */
	JOURNAL_PROCESS_END = 3, /* struct journal_process_end: pipeline_process_end() */
	JOURNAL_EVENT = 4,       /* a record of bpf/event.h: pipeline_event() */
	JOURNAL_TICK = 5,        /* struct journal_time: pipeline_tick() */
	JOURNAL_DATABASE = 6, /* struct journal_database and the path: an answer of database_path */
	JOURNAL_COUNTS = 7,   /* struct journal_counts: what else was counted until now */
	JOURNAL_END = 8,      /* struct journal_time: pipeline_end() */
	JOURNAL_WAIT = 9,     /* struct journal_wait: pipeline_wait() */
	JOURNAL_PLACE = 10,   /* struct journal_place, user and kernel frames: pipeline_place() */
	JOURNAL_CULPRIT = 11, /* struct journal_culprit and the name: pipeline_culprit() */
	JOURNAL_CONTENDER = 12, /* struct journal_contender and the name: pipeline_contender() */
};

#define JOURNAL_KINDS 32

/* What slow_us was unless something else was asked for. */
#define JOURNAL_SLOW_US 10000

struct journal_start {
	uint64_t seed;                       /* of the generator of ids */
	int64_t wall_offset_ns;              /* wall time = monotonic time + this */
	uint64_t time_ns;                    /* when it began */
	uint32_t event_version;              /* JOURNAL_EVENT_VERSION */
	uint32_t capture_max;                /* ZSP_CAPTURE_MAX, */
	uint32_t sql_max;                    /* ZSP_SQL_MAX when it was made */
	uint16_t record_size[JOURNAL_KINDS]; /* by enum zsp_kind, without payload; 0: none such */
	char machine[16];                    /* as uname -m says; NUL-terminated */
	char version[32];                    /* of zerospan; NUL-terminated */
	uint32_t slow_us; /* of struct pipeline_options; 0: by an earlier version */
};

/*
 * Strings follow in this order, each as long as it says, without NUL; 0 bytes: unknown. Behind them, to the end of the body, stand the
 * other attributes of the resource (base/pairs.h), at most SERVICE_ATTRS_MAX_BYTES; an earlier version wrote none, and does not read them.
 */
struct journal_process {
	uint64_t start_id; /* struct service_facts */
	uint32_t pid;
	uint16_t name_bytes, exe_bytes, command_bytes;
	uint16_t reserved[3]; /* 0 */
};

struct journal_process_end {
	uint64_t time_ns;
	uint32_t pid;
	uint32_t reserved; /* 0 */
};

struct journal_time {
	uint64_t time_ns;
};

/* The path follows, to the end of the body; none: it could not be told. */
struct journal_database {
	uint64_t db; /* struct database_handle */
	uint32_t pid, closes;
};

struct journal_wait {
	uint64_t since_ns, time_ns;
	uint32_t pid, tid;
	uint32_t kind;  /* enum zsp_wait */
	uint32_t asked; /* 1: a JOURNAL_PLACE of this wait follows; 0: none does */
	struct zsp_waits waits;
};

/* Two texts follow: the first as long as it says, the second to the end of the body. */
struct journal_place {
	uint64_t since_ns;
	uint32_t tid;
	uint32_t user_bytes;
	uint32_t culprit;  /* enum wait_evidence */
	uint32_t reserved; /* 0 */
};

/* The name follows, to the end of the body. */
struct journal_culprit {
	uint64_t since_ns, time_ns;
	uint32_t tid, culprit_pid, culprit_tid;
	uint32_t evidence; /* enum wait_evidence */
	uint32_t asked;    /* as in struct journal_wait */
	uint32_t reserved; /* 0 */
};

/* The name follows, to the end of the body. */
struct journal_contender {
	uint64_t time_ns;
	uint32_t tid, contender_tid;
};

/* Counted since the start by what a replay does not have. */
struct journal_counts {
	uint64_t processes; /* observed ever */
	uint64_t skipped_runs, sqlite_late, bad_records;
	uint64_t kernel[ZSP_COUNT_MAX]; /* fewer from an earlier version */
};

_Static_assert(sizeof(struct journal_start) == 152, "start layout");
_Static_assert(sizeof(struct journal_process) == 24, "process layout");
_Static_assert(sizeof(struct journal_process_end) == 16, "process_end layout");
_Static_assert(sizeof(struct journal_database) == 16, "database layout");
_Static_assert(sizeof(struct journal_wait) == 128, "wait layout");
_Static_assert(sizeof(struct journal_place) == 24, "place layout");
_Static_assert(sizeof(struct journal_culprit) == 40, "culprit layout");
_Static_assert(sizeof(struct journal_contender) == 16, "contender layout");

/* --- writing: one function per entry; a NULL journal takes everything and keeps nothing ----------- */

struct journal;

/*
 * Start a journal in a new file that only its owner may read; an existing one is replaced. Returns 0, or negative
 * errno with a message. The path is borrowed.
 */
int journal_new(const char *path, uint64_t seed, uint32_t slow_us, const struct clock_base *clock,
    struct journal **ret_journal, struct buf *message);

/* Complete the file, say so if it is not whole, free. NULL is fine. */
void journal_free(struct journal *journal);

void journal_process(struct journal *journal, const struct service_facts *facts);
void journal_process_end(struct journal *journal, uint32_t pid, uint64_t time_ns);
/* hidden: what is written instead of a connection's payload; literals of statements are masked then, too. NULL: all is written as it is. */
void journal_event(struct journal *journal, const struct event *event, const struct hidden *hidden);
void journal_database(
    struct journal *journal, const struct database_handle *handle, const char *path);
void journal_wait(struct journal *journal, const struct thread_wait *wait);
void journal_culprit(struct journal *journal, const struct thread_culprit *culprit);
void journal_contender(struct journal *journal, const struct thread_contender *contender);
void journal_place(struct journal *journal, const struct thread_place *place);
void journal_counts(struct journal *journal, const struct journal_counts *counts);
void journal_end(struct journal *journal, uint64_t time_ns);

/* Also writes what is older than a second, and says once if writing fails. */
void journal_tick(struct journal *journal, uint64_t now_ns);

/* Entries that are not in the file. */
uint64_t journal_dropped(const struct journal *journal);

/* --- reading -------------------------------------------------------------------------------------- */

struct player {
	struct recording *recording; /* borrowed */
	struct journal_start start;  /* valid after player_start() */
	struct journal_counts counts;
	uint64_t begin_ns; /* the first tick: probes are in place; before it the start */
	uint64_t end_ns;   /* JOURNAL_END; before it the latest time seen */
	bool ticked;
	bool ended;
	/* The last answer, until the next one. */
	struct database_handle handle;
	struct buf path;
};

void player_init(struct player *player, struct recording *recording);
void player_release(struct player *player);

/* Read the first entry. Returns 0; -EBADMSG (see recording_error()) when this version cannot replay it; negative errno. */
int player_start(struct player *player);

/* For struct pipeline_options, once it has started. */
uint32_t player_slow_us(const struct player *player);

/* Likewise, with the player as ctx. */
int player_database_path(
    void *ctx, const struct database_handle *handle, char *ret_path, size_t len);

/*
 * Give the pipeline its next input. Returns 1; 0 at the end, after pipeline_end(); -EBADMSG when the recording is
 * damaged (then the caller ends the pipeline as of player->end_ns); negative errno.
 */
int player_step(struct player *player, struct pipeline *pipeline);

#endif
