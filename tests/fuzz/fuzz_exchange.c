// SPDX-License-Identifier: Apache-2.0
/*
 * Any sequence of connection events through the connection table and the pairing of exchanges. Each exchange
 * is told of in order and once; there are no more requests than captured bytes can hold, no more body bytes
 * than passed, no status without an answer; the books balance and nothing stays open. Beside it runs another such world, which is
 * given what a recording would hold: the same comes of it.
 *
 * An event is a byte, low nibble what happens, high nibble on which connection, and what that needs:
 *
 *	0  opens: role and family              4  is shut on this side
 *	1  a read: length of its data, data    5  is shut on the other side
 *	2  a write: likewise                   6  is closed, orderly or not
 *	3  bytes are lost: direction, how many 7  its process ends
 *	8  as 1, 9 as 2, with that many more bytes passed than are captured; other values as 1
 */
#include "conn/conn.h"
#include "fuzz.h"
#include "span/exchange.h"

enum {
	CONNECTIONS = 4,
	REQUEST_MIN = 14, /* "A / HTTP/1.0\n\n" */
	RECORD_MAX = sizeof(struct zsp_data) + ZSP_CAPTURE_MAX,
};

struct world {
	struct exchanges *exchanges;
	struct conn_table *conns;
	uint64_t now_ns;
	uint32_t seq[CONNECTIONS][2];
	uint64_t began, headed, ended, with_head, answered;
	uint64_t bodies, moved_bytes, captured_bytes;
	struct hidden hidden;
	struct world *replayed; /* NULL: this is that one */
	_Alignas(8) uint8_t record[RECORD_MAX];
};

static void on_began(void *ctx, struct exchange *exchange)
{
	struct world *w = ctx;

	REQUIRE(!exchange->owner && !exchange->has_head && exchange->status == 0);
	exchange->owner = w;
	w->began++;
}

static void on_headed(void *ctx, struct exchange *exchange)
{
	struct world *w = ctx;

	REQUIRE(exchange->owner == w && exchange->has_head);
	REQUIRE(exchange->method.len && exchange->target.len);
	REQUIRE(!exchange->has_context || !trace_id_is_zero(&exchange->context.trace_id));
	w->headed++;
}

static void on_piece(void *ctx, struct exchange *exchange, const struct piece *piece)
{
	REQUIRE(!exchange || exchange->owner == ctx);
	REQUIRE(piece->end_ns && piece->waits);
}

static void on_moved(void *ctx, struct exchange *exchange)
{
	REQUIRE(exchange->owner == ctx);
	REQUIRE(exchange->kind == SPAN_KIND_SERVER);
}

static void on_ended(void *ctx, struct exchange *exchange)
{
	struct world *w = ctx;

	REQUIRE(exchange->owner == w && exchange->end_ns >= exchange->start_ns);
	REQUIRE(exchange->end_ns <= w->now_ns);
	REQUIRE(exchange->status == 0 || (exchange->status >= 101 && exchange->status <= 999));
	REQUIRE(exchange->status == 0 || exchange->has_head);
	REQUIRE(exchange->error || exchange->status || exchange->partial || !exchange->has_head);
	exchange_error_name(exchange->error);
	exchange->owner = NULL;
	w->ended++;
	w->with_head += exchange->has_head;
	w->answered += exchange->status != 0;
	w->bodies += exchange->request_body_bytes + exchange->response_body_bytes;
}

static void send(struct world *w, enum zsp_kind kind, size_t conn, uint8_t tid, size_t size)
{
	struct zsp_header *h = (struct zsp_header *)w->record;
	struct event event;
	struct sv copy;

	h->kind = (uint16_t)kind;
	h->size = (uint32_t)size;
	h->time_ns = w->now_ns;
	h->pid = tid ? 10u : 0u;
	h->tid = tid;
	h->conn = conn + 1;
	copy = fuzz_copy(w->record, size);
	REQUIRE(event_decode(copy.p, size, &event) == 0);
	conn_table_event(w->conns, &event);
	fuzz_free(copy);
}

static void send_both(struct world *w, enum zsp_kind kind, size_t conn, uint8_t tid, size_t size)
{
	size_t payload = kind == ZSP_KIND_DATA ? size - sizeof(struct zsp_data) : 0;

	/* As the pipeline does. */
	w->hidden.known = false;
	memcpy(w->hidden.payload, w->record + size - payload, payload);
	send(w, kind, conn, tid, size);
	if (!w->hidden.known)
		memset(w->hidden.payload, 0, payload);
	memcpy(w->replayed->record, w->record, size - payload);
	memcpy(w->replayed->record + size - payload, w->hidden.payload, payload);
	w->replayed->now_ns = w->now_ns;
	send(w->replayed, kind, conn, tid, size);
}

static void open_conn(struct world *w, size_t conn, struct fuzz_choices *c)
{
	struct zsp_conn_open *open = (struct zsp_conn_open *)w->record;
	uint8_t how = fuzz_byte(c);

	memset(open, 0, sizeof(*open));
	open->role = how % 3;
	open->family = (uint8_t)(1 + how / 3 % 3);
	open->first_ns = open->role ? w->now_ns : 0;
	open->in_seq = w->seq[conn][ZSP_IN - 1];
	open->out_seq = w->seq[conn][ZSP_OUT - 1];
	send_both(w, ZSP_KIND_CONN_OPEN, conn, 0, sizeof(*open));
}

static void move(
    struct world *w, size_t conn, enum zsp_direction direction, bool more, struct fuzz_choices *c)
{
	struct zsp_data *data = (struct zsp_data *)w->record;
	uint8_t length = fuzz_byte(c);
	struct sv payload;

	memset(data, 0, sizeof(*data));
	data->bytes = more ? fuzz_word(c) : 0;
	payload = fuzz_bytes(c, length < 0xf0 ? length : (size_t)(length - 0xef) * 256);
	if (payload.len)
		memcpy(data->payload, payload.p, payload.len);
	data->start_ns = w->now_ns - (length & 1);
	data->seq = w->seq[conn][direction - 1];
	data->captured = (uint32_t)payload.len;
	data->bytes += data->captured;
	data->direction = (uint8_t)direction;
	w->seq[conn][direction - 1] += data->bytes;
	w->moved_bytes += data->bytes;
	w->captured_bytes += data->captured;
	send_both(w, ZSP_KIND_DATA, conn, (uint8_t)(1 + (length & 1)), sizeof(*data) + payload.len);
}

static void change(struct world *w, size_t conn, enum zsp_conn_change what, struct fuzz_choices *c)
{
	struct zsp_conn_state *state = (struct zsp_conn_state *)w->record;

	memset(state, 0, sizeof(*state));
	state->change = what;
	state->error = what == ZSP_CHANGE_CLOSED && (fuzz_byte(c) & 1) ? 104 : 0;
	send_both(w, ZSP_KIND_CONN_STATE, conn, 0, sizeof(*state));
}

static void happen(struct world *w, uint8_t op, struct fuzz_choices *c)
{
	size_t conn = (op >> 4) % CONNECTIONS;
	uint8_t direction;
	uint32_t n;

	w->now_ns += 10;
	switch (op & 15) {
	case 0:
		open_conn(w, conn, c);
		break;
	case 3:
		direction = fuzz_byte(c) & 1;
		n = fuzz_word(c);
		w->moved_bytes += n;
		w->seq[conn][direction] += n;
		break;
	case 4:
	case 5:
	case 6:
		change(w, conn, (enum zsp_conn_change)((op & 15) - 3), c);
		break;
	case 7:
		conn_table_end_process(w->conns, 10, w->now_ns);
		w->replayed->now_ns = w->now_ns;
		conn_table_end_process(w->replayed->conns, 10, w->now_ns);
		break;
	default:
		move(w, conn, op & 1 ? ZSP_IN : ZSP_OUT, (op & 15) >= 8, c);
		break;
	}
}

static void check_books(struct world *w)
{
	struct exchange_stats stats;

	exchanges_stats(w->exchanges, &stats);
	REQUIRE(stats.open == w->began - w->ended && stats.requests == w->headed);
	REQUIRE(stats.open <= CONNECTIONS * EXCHANGE_MAX_PIPELINE);
	REQUIRE(w->headed * REQUEST_MIN <= w->captured_bytes);
	REQUIRE(w->bodies <= w->moved_bytes && w->answered <= w->headed);
}

static void begin(struct world *w)
{
	static const struct exchange_listener listener = {
	    on_piece, on_began, on_headed, on_moved, on_ended};

	memset(w, 0, offsetof(struct world, record));
	w->now_ns = 1000;
	w->exchanges = exchanges_new(&listener, w);
	w->conns = conn_table_new(&exchange_conn_handler, w->exchanges);
}

static void end(struct world *w)
{
	conn_table_free(w->conns, w->now_ns);
	exchanges_free(w->exchanges);
}

static void check_same(const struct world *w, const struct world *replayed)
{
	REQUIRE(w->began == replayed->began && w->headed == replayed->headed);
	REQUIRE(w->ended == replayed->ended && w->with_head == replayed->with_head);
	REQUIRE(w->answered == replayed->answered && w->bodies == replayed->bodies);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_choices c = {data, size};
	struct conn_stats stats;
	struct world w, replayed;

	begin(&w);
	begin(&replayed);
	w.replayed = &replayed;
	exchanges_hide(w.exchanges, &w.hidden);
	while (c.left) {
		happen(&w, fuzz_byte(&c), &c);
		check_books(&w);
		check_same(&w, &replayed);
	}
	conn_table_close_all(w.conns, w.now_ns);
	replayed.now_ns = w.now_ns;
	conn_table_close_all(replayed.conns, w.now_ns);
	conn_table_stats(w.conns, &stats);
	REQUIRE(stats.open == 0 && stats.seen_bytes <= w.moved_bytes);
	REQUIRE(stats.captured_bytes <= stats.seen_bytes && stats.gap_bytes <= w.moved_bytes);
	check_books(&w);
	REQUIRE(w.began == w.ended && w.with_head == w.headed);
	check_same(&w, &replayed);
	end(&w);
	end(&replayed);
	return 0;
}
