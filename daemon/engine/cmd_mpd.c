/* SPDX-License-Identifier: MIT */
/* The commands that are about the connection itself: who talks, what is spoken, events, cancel. */
#include "common/log.h"
#include "daemon/engine/attribute.h"
#include "daemon/engine/commands.h"
#include "daemon/engine/engine.h"
#include "daemon/engine/events.h"
#include "daemon/engine/journal.h"

static int reply_text(struct req *r, struct span json)
{
	buf_span(reply_begin(r), json);
	reply_end(r);
	return 0;
}

static void put_groups(struct buf *out, const struct peer *p)
{
	buf_putc(out, '[');
	for (size_t i = 0; i < p->ngroups; i++)
		buf_printf(out, "%s%u", i ? "," : "", p->groups[i]);
	buf_putc(out, ']');
}

static void put_process(struct buf *out, const struct peer *p)
{
	uint64_t id;
	struct span name;
	if (!proc_of_peer(p, &id, &name)) {
		buf_puts(out, "null");
		return;
	}
	buf_printf(out, "{\"id\":%llu,\"name\":", (unsigned long long)id);
	scan_put_str(out, name);
	buf_putc(out, '}');
}

static void put_whoami(struct buf *out, const struct peer *p)
{
	buf_printf(out, "{\"uid\":%u,\"gid\":%u,\"groups\":", p->uid, p->gid);
	put_groups(out, p);
	buf_printf(out, ",\"pid\":%d,\"process\":", p->pid);
	put_process(out, p);
	buf_printf(out, ",\"admin\":%s}", p->admin ? "true" : "false");
}

/* 32 hex digits; -1 and RET as it was where they are not. */
static int session_of(struct span hex, uint8_t ret[16])
{
	static const char digits[] = "0123456789abcdefABCDEF";
	uint8_t session[16] = {0};
	if (hex.n != 2 * sizeof(session))
		return -1;
	for (size_t i = 0; i < hex.n; i++) {
		const char *digit = memchr(digits, hex.p[i], sizeof(digits) - 1);
		if (!digit)
			return -1;
		ptrdiff_t value = digit - digits;
		session[i / 2] = (uint8_t)(session[i / 2] << 4 | (value < 16 ? value : value - 6));
	}
	memcpy(ret, session, sizeof(session));
	return 0;
}

/* Remembers what the client says of itself: all of it, or nothing and a code. */
static int hello_take(struct conn *c, const struct args_mpd_hello *a, struct fault *f)
{
	if (GIVEN(a, mpd_hello, version) && a->version != API_PROTOCOL) {
		fault_set(f, FAULT_VERSION, "this mpd speaks protocol %d", API_PROTOCOL);
		return fault_data(f, "\"protocol\":%d", API_PROTOCOL);
	}
	if (a->tag.n > OWNER_TAG_MAX)
		return fault_set(f, FAULT_PARAMS, "tag: at most %d bytes", OWNER_TAG_MAX);
	if (GIVEN(a, mpd_hello, session)) {
		if (session_of(a->session, c->session))
			return fault_set(f, FAULT_PARAMS, "session: 128 bits as 32 hex digits");
		c->has_session = true;
		channel_session(&c->channel, c->session);
	}
	if (GIVEN(a, mpd_hello, tag))
		channel_name(&c->channel, a->tag);
	return 0;
}

int cmd_mpd_hello(struct req *r, const void *args, struct fault *f)
{
	int code = hello_take(r->conn, args, f);
	if (code)
		return code;
	struct buf *out = reply_begin(r);
	buf_printf(out, "{\"version\":\"%s\",\"protocol\":%d,", MPD_VERSION, API_PROTOCOL);
	buf_printf(out, "\"limits\":{\"message\":%zu,\"depth\":%d,", CONN_LINE_MAX, SCAN_DEPTH);
	buf_printf(out, "\"inflight\":%d,\"batch\":%d},\"whoami\":", CONN_INFLIGHT_MAX, CONN_BATCH_MAX);
	put_whoami(out, &r->conn->peer);
	buf_putc(out, '}');
	reply_end(r);
	return 0;
}

int cmd_mpd_describe(struct req *r, const void *args, struct fault *f)
{
	const struct args_mpd_describe *a = args;
	const struct api_cmd *cmd = NULL;
	if (GIVEN(a, mpd_describe, method) && !(cmd = api_find(a->method))) {
		const char *near = api_nearest(a->method);
		return fault_set(f, FAULT_NOT_FOUND, "there is no method %.64s%s%s%s", a->method.p,
				 near ? " (did you mean " : " (see: mpctl help", near ? near : "", near ? "?)" : ")");
	}
	struct buf *out = reply_begin(r);
	if (cmd)
		api_describe(cmd, out);
	else
		api_describe_all(out);
	reply_end(r);
	return 0;
}

int cmd_mpd_ping(struct req *r, const void *args, struct fault *f)
{
	(void)args, (void)f;
	return reply_text(r, SPAN("\"pong\""));
}

int cmd_mpd_whoami(struct req *r, const void *args, struct fault *f)
{
	(void)args, (void)f;
	put_whoami(reply_begin(r), &r->conn->peer);
	reply_end(r);
	return 0;
}

int cmd_mpd_close(struct req *r, const void *args, struct fault *f)
{
	(void)args, (void)f;
	conn_close_soon(r->conn);
	return reply_text(r, SPAN("{}"));
}

/* Adds the topic of that name to *TOPICS. */
static int topic_add(struct span name, unsigned *topics, struct fault *f)
{
	for (unsigned t = 0; t < TOPIC_COUNT; t++)
		if (span_is(name, topic_names[t])) {
			*topics |= 1u << t;
			return 0;
		}
	const char *near = fault_nearest(name, topic_names, TOPIC_COUNT);
	return fault_set(f, FAULT_PARAMS, "topics: there is no topic %.64s%s%s%s", name.p,
			 near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

int cmd_mpd_subscribe(struct req *r, const void *args, struct fault *f)
{
	const struct args_mpd_subscribe *a = args;
	unsigned topics = 0;
	uint64_t sub = 0;
	int code = 0;
	for (size_t i = 0; !code && i < a->topics.n; i++)
		code = topic_add(a->topics.v[i], &topics, f);
	if (!code)
		code = events_subscribe(r->conn, topics ? topics : (1u << TOPIC_COUNT) - 1, &sub, f);
	if (code)
		return code;
	buf_printf(reply_begin(r), "{\"sub\":%llu}", (unsigned long long)sub);
	reply_end(r);
	return 0;
}

int cmd_mpd_unsubscribe(struct req *r, const void *args, struct fault *f)
{
	const struct args_mpd_unsubscribe *a = args;
	int code = events_unsubscribe(r->conn, (uint64_t)a->sub, f);
	return code ? code : reply_text(r, SPAN("{}"));
}

static void put_counters(struct buf *out, const struct rpc_stats *s)
{
	const struct {
		const char *name;
		uint64_t value;
	} counters[] = {
		{"requests", s->requests},      {"replies", s->replies}, {"faults", s->faults},
		{"batches", s->batches},        {"events", s->events},   {"accepted", s->connections},
		{"connections", conns_count()},
	};
	for (size_t i = 0; i < ARRAY_LEN(counters); i++)
		buf_printf(out, "\"%s\":%llu,", counters[i].name, (unsigned long long)counters[i].value);
}

static void put_journal(struct buf *out, const struct journal_stats *s)
{
	buf_printf(out, "\"journal\":{\"bytes\":%llu,\"records\":%llu,\"dropped\":%llu,", (unsigned long long)s->bytes,
		   (unsigned long long)s->records, (unsigned long long)s->dropped);
	buf_printf(out, "\"compactions\":%llu,\"failed\":%llu}", (unsigned long long)s->compactions,
		   (unsigned long long)s->failed);
}

int cmd_mpd_stats(struct req *r, const void *args, struct fault *f)
{
	(void)args, (void)f;
	struct buf *out = reply_begin(r);
	buf_putc(out, '{');
	put_counters(out, &rpc_stats);
	put_journal(out, journal_stats());
	buf_putc(out, '}');
	reply_end(r);
	return 0;
}

int cmd_mpd_log_level(struct req *r, const void *args, struct fault *f)
{
	(void)f;
	const struct args_mpd_log_level *a = args;
	log_set_level((enum log_level)a->level); /* the hint's choices are in the order of the levels */
	log_warning("log level %s, by uid %u pid %d", log_level_name(log_get_level()), r->conn->peer.uid,
		    r->conn->peer.pid);
	buf_printf(reply_begin(r), "{\"level\":\"%s\"}", log_level_name(log_get_level()));
	reply_end(r);
	return 0;
}

int cmd_cancel(struct req *r, const void *args, struct fault *f)
{
	(void)f;
	const struct args_cancel *a = args;
	bool cancelled = rpc_cancel(r->conn, a->id);
	return reply_text(r, cancelled ? SPAN("{\"cancelled\":true}") : SPAN("{\"cancelled\":false}"));
}
