/* SPDX-License-Identifier: MIT */
/*
 * The requests of rpc.h.
 *
 * 1. A request is on its connection's list from before its handler is called until it is answered, and is answered
 *    once: req_free() is the one door out.
 * 2. An answer is written where it is sent from: into the connection's buffer, or its batch's. What a request without
 *    id is answered goes into a bin.
 * 3. Open beside the request at hand are only those that wait: who looks for an id looks among them.
 * 4. A batch is answered, as one line, when its last request is; all of them are short, but nothing relies on that.
 */
#include "daemon/engine/rpc.h"
#include "common/log.h"
#include "daemon/engine/answers.h"
#include "daemon/engine/engine.h"
#include <assert.h>

#define POOL_MAX 1024 /* requests kept for the next ones */
#define BIN_KEEP ((size_t)16 << 10)
#define REF_LEAST ((size_t)16 << 10) /* fewer raw bytes are cheaper copied than sent from where they lie */
#define ID_MAX ((int64_t)1 << 53)    /* beyond, JSON's numbers are not exact everywhere */
#define ID_DIGITS 16                 /* fewer are always below it */
#define BATCH_LONG NSEC_PER_SEC      /* what is left of a batch then is refused */

struct batch {
	struct conn *conn;
	struct buf out; /* the answers, with commas between them */
	size_t open;    /* requests without an answer; and one while the line is not read to its end */
	nsec_t since;   /* when it began */
};

static struct {
	struct list pool;
	size_t npool;
	struct arena arena; /* of the arguments of the request at hand */
	struct buf bin;
} rpc = {.pool = LIST_INIT(rpc.pool)};

struct rpc_stats rpc_stats;

/* --- answers ----------------------------------------------------------------------------------------------------- */

static struct buf *answer_begin(struct conn *c, struct batch *b)
{
	struct buf *out = b ? &b->out : &c->out;
	if (b && out->len > 0)
		buf_putc(out, ',');
	return out;
}

static void answer_end(struct conn *c, bool whole)
{
	if (!whole)
		buf_putc(&c->out, '\n');
	conn_dirty(c);
	channel_answered(&c->channel);
	rpc_stats.replies++;
}

/* Also of what is answered from the record: a line and what follows it, or a line without its end. */
static bool is_whole(struct span answer) { return answer.n > 0 && memchr(answer.p, '\n', answer.n); }

static void put_head(struct buf *out, struct span id)
{
	buf_span(out, SPAN("{\"jsonrpc\":\"2.0\",\"id\":"));
	buf_span(out, id.n ? id : SPAN("null"));
}

void rpc_put_fault(struct buf *out, struct span id, const struct fault *f)
{
	const struct fault_info *info = fault_info(f->code);
	put_head(out, id);
	buf_span(out, SPAN(",\"error\":{\"code\":"));
	buf_i64(out, f->code);
	buf_span(out, SPAN(",\"message\":"));
	scan_put_str(out, span_of(f->message));
	buf_span(out, SPAN(",\"data\":{\"symbol\":\""));
	buf_puts(out, info->symbol);
	buf_puts(out, f->data[0] ? "\"," : "\"");
	buf_puts(out, f->data);
	buf_span(out, SPAN("}}}"));
}

static void answer_fault(struct conn *c, struct batch *b, struct span id, const struct fault *f)
{
	rpc_put_fault(answer_begin(c, b), id, f);
	answer_end(c, b != NULL);
	rpc_stats.faults++;
}

void rpc_refuse(struct conn *c, const struct fault *f) { answer_fault(c, NULL, (struct span){NULL, 0}, f); }

/* --- batches and requests: their beginnings and ends ------------------------------------------------------------- */

static void batch_left(struct batch *b)
{
	if (--b->open > 0)
		return;
	if (b->out.len > 0) {
		struct buf *out = &b->conn->out;
		buf_putc(out, '[');
		buf_span(out, buf_view(&b->out));
		buf_span(out, SPAN("]\n"));
	}
	b->conn->out.failed |= b->out.failed;
	conn_dirty(b->conn);
	buf_done(&b->out);
	free(b);
}

static struct req *req_new(struct conn *c, struct batch *b, struct span id)
{
	struct list *pooled = list_shift(&rpc.pool);
	struct req *r = pooled ? LIST_ENTRY(pooled, struct req, by_conn) : malloc(sizeof(*r));
	if (!r)
		return NULL;
	rpc.npool -= pooled != NULL;
	memset(r, 0, offsetof(struct req, fds));
	r->conn = c;
	r->batch = b;
	if (id.n > 0)
		r->id = (struct span){memcpy(r->id_text, id.p, id.n), id.n};
	list_push(&c->reqs, &r->by_conn);
	c->nreqs++;
	if (b)
		b->open++;
	return r;
}

/* The chain where ID is, if it waits. */
static struct req **parked_chain(struct conn *c, struct span id)
{
	uint64_t last = 0;
	size_t n = MIN(id.n, sizeof(last));
	memcpy(&last, id.p + id.n - n, n);
	return &c->parked[(last * 0x9e3779b97f4a7c15 >> 32) % CONN_PARKED_CHAINS];
}

static struct req *parked_find(struct conn *c, struct span id)
{
	struct req *r = *parked_chain(c, id);
	while (r && !span_eq(r->id, id))
		r = r->next_parked;
	return r;
}

static void parked_enter(struct req *r)
{
	if (r->id.n == 0)
		return;
	struct req **chain = parked_chain(r->conn, r->id);
	r->next_parked = *chain;
	*chain = r;
}

static void parked_leave(struct req *r)
{
	if (!r->cancel || r->id.n == 0)
		return;
	struct req **at = parked_chain(r->conn, r->id);
	while (*at != r)
		at = &(*at)->next_parked;
	*at = r->next_parked;
}

static void req_free(struct req *r)
{
	for (size_t i = 0; i < r->nfds; i++)
		if (r->fds[i] >= 0)
			close(r->fds[i]);
	parked_leave(r);
	list_del(&r->by_conn);
	r->conn->nreqs--;
	conn_dirty(r->conn); /* it may have been the last one after a half-close */
	if (r->batch)
		batch_left(r->batch);
	if (rpc.npool < POOL_MAX) {
		list_unshift(&rpc.pool, &r->by_conn);
		rpc.npool++;
	} else {
		free(r);
	}
}

struct buf *reply_begin(struct req *r)
{
	if (r->id.n == 0)
		return &rpc.bin;
	struct buf *out = answer_begin(r->conn, r->batch);
	r->at = out->len;
	put_head(out, r->id);
	buf_span(out, SPAN(",\"result\":"));
	return out;
}

void reply_fds(struct req *r, const int *fds, size_t n)
{
	assert(!r->batch);
	if (r->id.n > 0)
		conn_give(r->conn, r->at, fds, n);
	else
		for (size_t i = 0; i < n; i++)
			close(fds[i]);
}

static bool is_recorded(const struct req *r)
{
	return (r->cmd->flags & API_ONCE) && r->conn->has_session && r->id.n > 0;
}

void reply_raw(struct req *r, struct span bytes) { reply_raw_ref(r, bytes, NULL, NULL); }

void reply_raw_ref(struct req *r, struct span bytes, void (*release)(void *), void *arg)
{
	assert(!r->batch);
	r->answers_raw = true;
	r->answer_raw = bytes;
	r->release = release;
	r->release_arg = arg;
}

static void released(struct req *r)
{
	if (r->release)
		r->release(r->release_arg);
	r->release = NULL;
}

/* A record needs its copy. */
static void put_raw(struct req *r)
{
	struct buf *out = &r->conn->out;
	buf_span(out, SPAN(",\"raw\":"));
	buf_u64(out, r->answer_raw.n);
	buf_span(out, SPAN("}\n"));
	if (r->release && r->answer_raw.n >= REF_LEAST && !is_recorded(r)) {
		conn_refer(r->conn, r->answer_raw, r->release, r->release_arg);
		return;
	}
	buf_span(out, r->answer_raw);
	released(r);
}

/* The answer to request ID in the line of that number. */
struct granted {
	uint64_t line;
	size_t nid;
	char id[RPC_ID_MAX];
};

/* The oldest are forgotten when they have been read. */
static void grants_forget(struct conn *c)
{
	size_t n = 0;
	const struct granted *all = (const struct granted *)(const void *)c->grants.p;
	while ((n + 1) * sizeof(*all) <= c->grants.len && all[n].line <= c->channel.read)
		n++;
	if (n > 0)
		buf_eat(&c->grants, n * sizeof(*all));
}

static void record(struct req *r, struct span reply)
{
	struct conn *c = r->conn;
	struct granted g = {.line = c->channel.lines + 1, .nid = r->id.n};
	answers_put(c->peer.uid, c->session, r->id, reply, loop_now());
	if (!channel_grants(&c->channel))
		return;
	grants_forget(c);
	memcpy(g.id, r->id.p, r->id.n);
	buf_put(&c->grants, &g, sizeof(g));
	c->out.failed |= c->grants.failed;
}

void rpc_undone(struct conn *c, uint64_t line)
{
	const struct granted *all = (const struct granted *)(const void *)c->grants.p;
	for (size_t i = 0; i < c->grants.len / sizeof(*all); i++)
		if (all[i].line == line)
			answers_put(c->peer.uid, c->session, (struct span){all[i].id, all[i].nid},
				    (struct span){NULL, 0}, loop_now());
}

void reply_end(struct req *r)
{
	struct conn *c = r->conn;
	if (r->id.n == 0) {
		buf_clear(&rpc.bin, BIN_KEEP);
		released(r);
		req_free(r);
		return;
	}
	struct buf *out = r->batch ? &r->batch->out : &c->out;
	if (r->answers_raw)
		put_raw(r);
	else
		buf_putc(out, '}');
	struct span reply = {out->p + r->at, out->len - r->at};
	if (is_recorded(r) && !out->failed)
		record(r, reply);
	answer_end(c, r->batch || r->answers_raw);
	req_free(r);
}

void req_fail(struct req *r, const struct fault *f)
{
	if (f->code == FAULT_INTERNAL)
		log_error("%s: %s", r->cmd ? r->cmd->name : "request", f->message);
	if (r->id.n > 0)
		answer_fault(r->conn, r->batch, r->id, f);
	req_free(r);
}

/* A session's request that was done before: what it was answered then. */
static bool answer_again(struct req *r)
{
	struct span reply;
	if (!is_recorded(r) || !answers_find(r->conn->peer.uid, r->conn->session, r->id, &reply))
		return false;
	if (reply.n == 0) {
		r->again = true;
		return false;
	}
	if (r->batch && is_whole(reply))
		return false; /* of another request: what was answered with raw bytes was in no batch */
	buf_span(answer_begin(r->conn, r->batch), reply);
	answer_end(r->conn, r->batch || is_whole(reply));
	req_free(r);
	return true;
}

void req_park(struct req *r, bool (*cancel)(struct req *, bool gone), void *wait)
{
	if (!r->cancel)
		parked_enter(r);
	r->cancel = cancel;
	r->wait = wait;
	if (is_recorded(r) && !r->again)
		answers_put(r->conn->peer.uid, r->conn->session, r->id, (struct span){NULL, 0}, loop_now());
}

void req_cancelled(struct req *r)
{
	struct fault f;
	fault_set(&f, FAULT_CANCELLED, "%s was cancelled", r->cmd->name);
	req_fail(r, &f);
}

bool rpc_cancel(struct conn *c, struct span id)
{
	struct req *r = parked_find(c, id);
	if (!r)
		return false;
	if (r->cancel(r, false))
		req_cancelled(r);
	return true;
}

void rpc_conn_gone(struct conn *c)
{
	struct req *r;
	while ((r = LIST_FIRST(&c->reqs, struct req, by_conn))) {
		bool ended = !r->cancel || r->cancel(r, true);
		assert(ended);
		(void)ended;
		req_free(r);
	}
}

/* --- the envelope ------------------------------------------------------------------------------------------------ */

enum envelope_member { ENV_JSONRPC, ENV_ID, ENV_METHOD, ENV_PARAMS, ENV_FDS, ENV_RAW, ENV_COUNT };

static const struct span envelope_names[ENV_COUNT] = {SPAN("jsonrpc"), SPAN("id"),  SPAN("method"),
						      SPAN("params"),  SPAN("fds"), SPAN("raw")};

/* Each begins with another letter: place + 1, 0 for none. */
static const uint8_t envelope_letters[256] = {
	['j'] = ENV_JSONRPC + 1, ['i'] = ENV_ID + 1,  ['m'] = ENV_METHOD + 1,
	['p'] = ENV_PARAMS + 1,  ['f'] = ENV_FDS + 1, ['r'] = ENV_RAW + 1,
};

/* ENV_COUNT: no member has that name. */
static size_t envelope_place(struct span name)
{
	size_t i = name.n ? envelope_letters[(uint8_t)name.p[0]] : 0;
	return i > 0 && span_eq(name, envelope_names[i - 1]) ? i - 1 : ENV_COUNT;
}

static bool id_valid(struct span id)
{
	int64_t n;
	enum scan_type type = scan_type(id);
	if (id.n > RPC_ID_MAX || type != SCAN_NUMBER)
		return id.n <= RPC_ID_MAX && type == SCAN_STRING;
	for (size_t i = id.p[0] == '-'; i < id.n; i++)
		if (id.p[i] < '0' || id.p[i] > '9')
			return false;
	return id.n < ID_DIGITS || (scan_i64(id, &n) == 0 && n > -ID_MAX && n < ID_MAX);
}

static int envelope_unknown(struct span name, struct fault *f)
{
	AUTO_BUF text = BUF_INIT;
	const char *names[ENV_COUNT];
	for (size_t i = 0; i < ENV_COUNT; i++)
		names[i] = envelope_names[i].p;
	const char *near = fault_nearest(name, names, ENV_COUNT);
	scan_put_str(&text, (struct span){name.p, MIN(name.n, 64)});
	return fault_set(f, FAULT_INVALID_REQUEST, "a request has no member %s%s%s%s", buf_str(&text),
			 near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

/* Sorts the members into RET; an id that is none is left out. Member names are as they are written: an escape in one
 * is refused with it. 0 or a code. */
static int envelope_sort(struct scan_iter it, struct span ret[ENV_COUNT], struct fault *f)
{
	struct span name, value, unknown = {NULL, 0};
	while (scan_next(&it, &name, &value)) {
		size_t i = envelope_place(name);
		if (i < ENV_COUNT)
			ret[i] = value;
		else if (!unknown.p)
			unknown = name;
	}
	if (ret[ENV_ID].p && !id_valid(ret[ENV_ID])) {
		ret[ENV_ID] = (struct span){NULL, 0};
		return fault_set(f, FAULT_INVALID_REQUEST,
				 "id must be an integer below 2^53 or a string, of at most %d bytes", RPC_ID_MAX);
	}
	return unknown.p ? envelope_unknown(unknown, f) : 0;
}

static int envelope_check(const struct span m[ENV_COUNT], struct fault *f)
{
	int64_t fds = 0;
	uint64_t raw;
	if (m[ENV_JSONRPC].p && !span_is(m[ENV_JSONRPC], "\"2.0\""))
		return fault_set(f, FAULT_INVALID_REQUEST, "jsonrpc must be \"2.0\", or left out");
	if (!m[ENV_METHOD].p || scan_type(m[ENV_METHOD]) != SCAN_STRING)
		return fault_set(f, FAULT_INVALID_REQUEST, "method must be there, and a string");
	if (m[ENV_FDS].p && (scan_i64(m[ENV_FDS], &fds) || fds < 0 || fds > CONN_FDS_MAX))
		return fault_set(f, FAULT_INVALID_REQUEST, "fds must be an integer from 0 to %d", CONN_FDS_MAX);
	if (m[ENV_RAW].p && scan_u64(m[ENV_RAW], &raw))
		return fault_set(f, FAULT_INVALID_REQUEST, "raw must be the number of bytes that follow the line");
	return 0;
}

/* --- from a request to its handler ------------------------------------------------------------------------------- */

static int method_unknown(struct span method, struct fault *f)
{
	AUTO_BUF text = BUF_INIT;
	const char *near = api_nearest(method);
	scan_put_str(&text, (struct span){method.p, MIN(method.n, 64)});
	return fault_set(f, FAULT_METHOD, "there is no method %s%s%s%s", buf_str(&text), near ? "; did you mean " : "",
			 near ? near : "", near ? "?" : "");
}

/* Of the checked string VALUE; NULL and the fault (which may be NULL) when there is none. */
static const struct api_cmd *method_find(struct span value, struct fault *f)
{
	AUTO_BUF text = BUF_INIT;
	struct span method;
	if (!scan_plain(value, &method)) {
		scan_str(value, &text);
		method = buf_view(&text);
	}
	const struct api_cmd *cmd = api_find(method);
	if (!cmd && f)
		method_unknown(method, f);
	return cmd;
}

static bool takes_raw(struct span method)
{
	const struct api_cmd *cmd = method_find(method, NULL);
	return cmd && (cmd->flags & API_RAW);
}

/* The bytes behind the line, of which RET->p stays NULL where nobody wants them: they are skipped then, whatever else
 * is wrong with the request. False: they are wanted, and have not all come. */
static bool raw_take(struct conn *c, const struct span m[ENV_COUNT], bool wanted, struct span *ret)
{
	uint64_t n = 0;
	scan_u64(m[ENV_RAW], &n);
	*ret = (struct span){NULL, n};
	if (wanted && n <= CONN_LINE_MAX && takes_raw(m[ENV_METHOD]))
		return frame_raw(&c->in, n, ret);
	frame_skip(&c->in, n);
	return true;
}

static int req_fds(struct req *r, struct span value, struct fault *f)
{
	int64_t n = 0;
	if (value.p)
		scan_i64(value, &n);
	if (conn_claim(r->conn, (size_t)n, r->fds))
		return fault_set(f, FAULT_INVALID_REQUEST, "fds says %d, but only %zu descriptors came with the line",
				 (int)n, r->conn->nloose);
	r->nfds = (size_t)n;
	return 0;
}

static int rule_id(struct req *r, struct fault *f)
{
	if (r->id.n == 0 || r->conn->nreqs == 1 || !parked_find(r->conn, r->id))
		return 0;
	return fault_set(f, FAULT_INVALID_REQUEST, "id %.*s is in use by an open request of this connection",
			 (int)r->id.n, r->id.p);
}

/* `cancel` is the way out. */
static int rule_room(struct req *r, struct fault *f)
{
	if (r->conn->nreqs <= CONN_INFLIGHT_MAX || r->cmd->id == CMD_cancel)
		return 0;
	fault_set(f, FAULT_OVERLOADED, "%d requests of this connection are open, which is the most", CONN_INFLIGHT_MAX);
	return fault_data(f, "\"limit\":\"inflight\",\"used\":%d,\"max\":%d", CONN_INFLIGHT_MAX, CONN_INFLIGHT_MAX);
}

static int rule_batch(struct req *r, struct fault *f)
{
	if (!r->batch)
		return 0;
	if (r->cmd->flags & API_BLOCKS)
		return fault_set(f, FAULT_INVALID_REQUEST, "%s may wait, which nothing in a batch may", r->cmd->name);
	if (r->batch->out.len > CONN_LINE_MAX)
		return fault_set(f, FAULT_TOO_LARGE, "the answers of this batch are too long; make it smaller");
	if (sys_now() - r->batch->since > BATCH_LONG)
		return fault_set(f, FAULT_OVERLOADED, "this batch keeps others waiting for too long; make it smaller");
	return 0;
}

static int rule_raw(struct req *r, struct fault *f)
{
	if (!r->has_raw)
		return 0;
	if (r->batch)
		return fault_set(f, FAULT_INVALID_REQUEST, "no raw bytes can follow a batch");
	if (!(r->cmd->flags & API_RAW))
		return fault_set(f, FAULT_PARAMS, "%s takes no raw bytes", r->cmd->name);
	if (r->raw.n <= CONN_LINE_MAX)
		return 0;
	fault_set(f, FAULT_TOO_LARGE, "at most %zu raw bytes follow a line", CONN_LINE_MAX);
	return fault_data(f, "\"limit\":\"message\",\"max\":%zu", CONN_LINE_MAX);
}

static int rule_admin(struct req *r, struct fault *f)
{
	if (!(r->cmd->flags & API_ADMIN) || r->conn->peer.admin)
		return 0;
	fault_set(f, FAULT_DENIED, "%s is for root and uid %u; you are uid %u", r->cmd->name, engine.uid,
		  r->conn->peer.uid);
	return fault_data(f, "\"rule\":\"admin\"");
}

static int rule_stopping(struct req *r, struct fault *f)
{
	enum api_id id = r->cmd->id;
	if (!engine.stopping || (id != CMD_process_start && id != CMD_job_start && id != CMD_job_restart))
		return 0;
	return fault_set(f, FAULT_SHUTDOWN, "mpd is shutting down and starts nothing any more");
}

static int (*const rules[])(struct req *, struct fault *) = {rule_id,  rule_room,  rule_batch,
							     rule_raw, rule_admin, rule_stopping};

static int req_admit(struct req *r, const struct span m[ENV_COUNT], struct fault *f)
{
	int code = req_fds(r, m[ENV_FDS], f);
	if (!code && !(r->cmd = method_find(m[ENV_METHOD], f)))
		code = f->code;
	for (size_t i = 0; !code && i < ARRAY_LEN(rules); i++)
		code = rules[i](r, f);
	return code;
}

/* 0: it is answered or parked, and may be gone. */
static int req_run(struct req *r, struct span params, const struct scan_tape *tape, struct fault *f)
{
	if (params.p && scan_type(params) != SCAN_OBJECT)
		return fault_set(f, FAULT_PARAMS, "params must be an object: {\"name\": value, ...}");
	void *args = arena_alloc(&rpc.arena, r->cmd->size);
	if (!args)
		return fault_set(f, FAULT_INTERNAL, "out of memory");
	engine_now();
	int code = api_decode_members(r->cmd, scan_iter_on(tape, params), &rpc.arena, args, f);
	return code ? code : rpc_handlers[r->cmd->id](r, args, f);
}

/* TAPE is the object's, or NULL. */
static void request(struct conn *c, struct batch *b, struct span object, const struct scan_tape *tape)
{
	struct span m[ENV_COUNT] = {{NULL, 0}};
	struct fault f;
	struct req *r = NULL;
	struct span raw = {NULL, 0};
	int code = envelope_sort(scan_iter_on(tape, object), m, &f);
	if (!code)
		code = envelope_check(m, &f);
	if (m[ENV_RAW].p && !raw_take(c, m, !code && !b, &raw))
		return;
	rpc_stats.requests++;
	if (!code && !(r = req_new(c, b, m[ENV_ID])))
		code = fault_set(&f, FAULT_INTERNAL, "out of memory");
	if (code) {
		answer_fault(c, b, m[ENV_ID], &f);
		return;
	}
	r->has_raw = m[ENV_RAW].p;
	r->raw = raw;
	code = req_admit(r, m, &f);
	if (!code && !answer_again(r))
		code = req_run(r, m[ENV_PARAMS], tape, &f);
	if (code)
		req_fail(r, &f);
	arena_reset(&rpc.arena);
}

/* --- lines ------------------------------------------------------------------------------------------------------- */

static void batch(struct conn *c, struct span array)
{
	struct span none, value;
	struct scan_iter it = scan_iter(array);
	struct batch *b = calloc(1, sizeof(*b));
	struct fault f;
	if (!b) {
		fault_set(&f, FAULT_INTERNAL, "out of memory");
		rpc_refuse(c, &f);
		return;
	}
	b->conn = c;
	b->open = 1;
	b->since = sys_now();
	rpc_stats.batches++;
	fault_set(&f, FAULT_INVALID_REQUEST, "a batch holds requests, which are objects");
	while (scan_next(&it, &none, &value)) {
		if (scan_type(value) == SCAN_OBJECT)
			request(c, b, value, NULL);
		else
			answer_fault(c, b, (struct span){NULL, 0}, &f);
	}
	batch_left(b);
}

static void not_a_request(struct conn *c, struct span value)
{
	struct fault f;
	size_t n = scan_count(value);
	if (n > CONN_BATCH_MAX)
		fault_set(&f, FAULT_INVALID_REQUEST, "a batch holds at most %d requests", CONN_BATCH_MAX);
	else
		fault_set(&f, FAULT_INVALID_REQUEST, "a line holds a request, or an array of at least one");
	rpc_refuse(c, &f);
}

static void not_json(struct conn *c, const struct scan_error *e)
{
	struct fault f;
	fault_set(&f, FAULT_PARSE, "byte %zu of the line: %s", e->at, e->what);
	rpc_refuse(c, &f);
	if (++c->bad_lines >= CONN_BAD_LINES_MAX)
		conn_close_soon(c);
}

void rpc_line(struct conn *c, struct span line)
{
	struct span value;
	struct scan_tape tape;
	struct scan_error e;
	if (scan_check_tape(line, &tape, &value, &e)) {
		not_json(c, &e);
		return;
	}
	c->bad_lines = 0;
	size_t n = scan_type(value) == SCAN_ARRAY ? scan_count(value) : 0;
	if (scan_type(value) == SCAN_OBJECT)
		request(c, NULL, value, &tape);
	else if (n > 0 && n <= CONN_BATCH_MAX)
		batch(c, value);
	else
		not_a_request(c, value);
}

void rpc_too_long(struct conn *c)
{
	struct fault f;
	fault_set(&f, FAULT_TOO_LARGE, "a line has at most %zu bytes", CONN_LINE_MAX);
	fault_data(&f, "\"limit\":\"message\",\"max\":%zu", CONN_LINE_MAX);
	rpc_refuse(c, &f);
}
