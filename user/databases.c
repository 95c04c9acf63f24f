// SPDX-License-Identifier: Apache-2.0
/* A table of answers by handle; see databases.h. */
#include "databases.h"

#include <stdlib.h>
#include <string.h>

#include "base/list.h"

/* What was answered. */
struct database {
	struct hnode node; /* by handle */
	struct database_handle handle;
	uint64_t ask_ns;    /* ask again then; UINT64_MAX: the answer stands */
	uint64_t waited_ns; /* so long after the answer before that */
	size_t len;         /* 0: cannot be told */
	char path[];
};

void databases_init(struct databases *databases, databases_ask *ask, void *ctx)
{
	hmap_init(&databases->by_handle);
	databases->ask = ask;
	databases->ctx = ctx;
}

void databases_release(struct databases *databases)
{
	databases_forget(databases, 0);
	hmap_release(&databases->by_handle);
}

void databases_forget(struct databases *databases, uint32_t pid)
{
	struct hnode *node, *next;
	size_t slot = 0;

	for (node = hmap_iterate(&databases->by_handle, &slot, NULL); node; node = next) {
		struct database *database = container_of(node, struct database, node);

		next = hmap_iterate(&databases->by_handle, &slot, node);
		if (pid == 0 || database->handle.pid == pid) {
			hmap_remove(&databases->by_handle, node);
			free(database);
		}
	}
}

static uint64_t handle_hash(const struct database_handle *handle)
{
	return hash_combine(hash_combine(handle->pid, handle->db), handle->closes);
}

static struct database *database_find(
    const struct databases *databases, const struct database_handle *handle)
{
	hmap_for_each_hash (node, &databases->by_handle, handle_hash(handle)) {
		struct database *database = container_of(node, struct database, node);

		if (database->handle.pid == handle->pid && database->handle.db == handle->db &&
		    database->handle.closes == handle->closes)
			return database;
	}
	return NULL;
}

/* How long to wait for the next answer, when so long was waited for this one. */
static uint64_t longer(uint64_t waited_ns)
{
	uint64_t ns = waited_ns ? 10 * waited_ns : DATABASES_WAIT_NS;

	return ns < DATABASES_WAIT_MAX_NS ? ns : DATABASES_WAIT_MAX_NS;
}

/*
 * Ask, and remember the answer; an empty path when it cannot be told. waited_ns: since it was asked for before, 0: it was not. NULL without
 * memory.
 */
static struct database *database_ask(struct databases *databases,
    const struct database_handle *handle, uint64_t now_ns, uint64_t waited_ns)
{
	struct database *database;
	char path[4096] = "";
	size_t len;

	if (databases->ask(databases->ctx, handle, path, sizeof(path)))
		path[0] = '\0';
	len = strlen(path);
	if (databases->by_handle.count >= DATABASES_MAX)
		databases_forget(databases, 0);
	database = malloc(sizeof(*database) + len);
	if (!database)
		return NULL;
	database->handle = *handle;
	database->waited_ns = longer(waited_ns);
	database->ask_ns = len ? UINT64_MAX : now_ns + database->waited_ns;
	database->len = len;
	memcpy(database->path, path, len);
	if (hmap_add(&databases->by_handle, handle_hash(handle), &database->node)) {
		free(database);
		return NULL;
	}
	return database;
}

struct sv databases_path(
    struct databases *databases, const struct database_handle *handle, uint64_t now_ns)
{
	struct database *database = database_find(databases, handle);
	uint64_t waited_ns = 0;

	if (database && now_ns >= database->ask_ns) {
		waited_ns = database->waited_ns;
		hmap_remove(&databases->by_handle, &database->node);
		free(database);
		database = NULL;
	}
	if (!database)
		database = database_ask(databases, handle, now_ns, waited_ns);
	return database ? sv_from(database->path, database->len) : (struct sv){0};
}

void databases_told(struct databases *databases, const struct database_handle *handle)
{
	struct database *database = database_find(databases, handle);

	if (database && database->len == 0)
		database->ask_ns = 0;
}
