/* SPDX-License-Identifier: MIT */
/*
 * The subscriptions of events.h. What differs between readers is their number and sequence; the rest of an event is
 * rendered once and copied.
 */
#include "daemon/engine/events.h"
#include "daemon/engine/rpc.h"

const char *const topic_names[TOPIC_COUNT] = {"process", "job", "daemon"};

static struct {
	struct list subs;
	unsigned listeners[TOPIC_COUNT];
	uint64_t last_id;
	struct buf tail; /* of the event at hand */
} events = {.subs = LIST_INIT(events.subs)};

static void listeners_add(unsigned topics, unsigned by)
{
	for (unsigned t = 0; t < TOPIC_COUNT; t++)
		if (topics & 1u << t)
			events.listeners[t] += by;
}

int events_subscribe(struct conn *c, unsigned topics, uint64_t *ret_id, struct fault *f)
{
	size_t n = 0;
	for (struct list *at = c->subs.next; at != &c->subs; at = at->next)
		n++;
	if (n >= EVENTS_SUBS_MAX) {
		fault_set(f, FAULT_QUOTA, "the connection has %d subscriptions, which is the most", EVENTS_SUBS_MAX);
		return fault_data(f, "\"limit\":\"subscriptions\",\"used\":%zu,\"max\":%d", n, EVENTS_SUBS_MAX);
	}
	struct sub *s = malloc(sizeof(*s));
	if (!s)
		return fault_set(f, FAULT_INTERNAL, "out of memory");
	*s = (struct sub){.conn = c, .id = ++events.last_id, .topics = topics};
	list_push(&c->subs, &s->by_conn);
	list_push(&events.subs, &s->by_all);
	listeners_add(topics, 1);
	*ret_id = s->id;
	return 0;
}

static void sub_free(struct sub *s)
{
	listeners_add(s->topics, -1u);
	list_del(&s->by_conn);
	list_del(&s->by_all);
	free(s);
}

int events_unsubscribe(struct conn *c, uint64_t id, struct fault *f)
{
	struct sub *s;
	LIST_EACH (s, &c->subs, by_conn)
		if (s->id == id) {
			sub_free(s);
			return 0;
		}
	return fault_set(f, FAULT_NOT_FOUND, "this connection has no subscription %llu", (unsigned long long)id);
}

void events_conn_gone(struct conn *c)
{
	struct sub *s;
	while ((s = LIST_FIRST(&c->subs, struct sub, by_conn)))
		sub_free(s);
}

bool events_wanted(enum topic topic) { return events.listeners[topic] > 0; }

static void put_begin(struct buf *out, const struct sub *s)
{
	buf_printf(out, "{\"jsonrpc\":\"2.0\",\"method\":\"event\",\"params\":{\"sub\":%llu,",
		   (unsigned long long)s->id);
}

static void put_gap(struct buf *out, struct sub *s)
{
	put_begin(out, s);
	buf_printf(out, "\"event\":\"gap\",\"from\":%llu,\"to\":%llu}}\n", (unsigned long long)s->lost_from,
		   (unsigned long long)s->seq - 1);
	s->lost_from = 0;
}

static void sub_emit(struct sub *s, struct span tail)
{
	struct buf *out = &s->conn->out;
	s->seq++;
	if (conn_unread(s->conn) > CONN_UNREAD_SOFT) {
		s->lost_from = s->lost_from ? s->lost_from : s->seq;
		return;
	}
	if (s->lost_from)
		put_gap(out, s);
	put_begin(out, s);
	buf_printf(out, "\"seq\":%llu,", (unsigned long long)s->seq);
	buf_span(out, tail);
	conn_dirty(s->conn);
	channel_answered(&s->conn->channel);
	rpc_stats.events++;
}

static struct span render(enum topic topic, const char *name, struct span members)
{
	struct buf *b = &events.tail;
	nsec_t now = loop_now();
	buf_clear(b, 4096);
	buf_printf(b, "\"topic\":\"%s\",\"event\":\"%s\",\"time\":%lld.%06lld", topic_names[topic], name,
		   (long long)(now / NSEC_PER_SEC), (long long)(now % NSEC_PER_SEC / 1000));
	if (members.n > 0)
		buf_putc(b, ',');
	buf_span(b, members);
	buf_puts(b, "}}\n");
	return buf_view(b);
}

void events_emit(enum topic topic, const char *name, uid_t uid, struct span members)
{
	if (!events_wanted(topic))
		return;
	struct span tail = render(topic, name, members);
	struct sub *s;
	LIST_EACH (s, &events.subs, by_all) {
		const struct peer *p = &s->conn->peer;
		if ((s->topics & 1u << topic) && (p->admin || p->uid == uid) && !events.tail.failed)
			sub_emit(s, tail);
	}
}
