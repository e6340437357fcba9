/* SPDX-License-Identifier: MIT */
/*
 * The recorded answers of answers.h.
 *
 * 1. Sessions are in order of their newest answer; the oldest goes when there are too many of them, or too many bytes.
 * 2. An id has one answer in a session, the newest.
 * 3. What a record says about lengths is believed only as far as its body reaches.
 */
#include "daemon/engine/answers.h"
#include "common/list.h"
#include "common/map.h"
#include "daemon/engine/journal.h"

#define ANSWERS_BYTES_MAX ((size_t)16 << 20)

/* Who is answered; the beginning of a record, followed by the id and the reply. */
struct key {
	uint8_t session[16];
	uint32_t uid;
};
struct head {
	struct key key;
	uint32_t id_length;
};

struct answer {
	struct list by_session; /* oldest first */
	struct span id, reply;  /* in `text` */
	char text[];
};

struct session {
	struct key key;
	struct list by_age;
	struct list answers;
	size_t n;
	nsec_t newest;
};

static struct {
	struct map by_key;
	struct list by_age; /* oldest first */
	size_t bytes;
} answers = {.by_age = LIST_INIT(answers.by_age)};

static struct span key_span(const struct key *k) { return (struct span){(const char *)k, sizeof(*k)}; }

static struct key key_of(uid_t uid, const uint8_t session[16])
{
	struct key k = {.uid = uid};
	memcpy(k.session, session, sizeof(k.session));
	return k;
}

static void answer_free(struct session *s, struct answer *a)
{
	list_del(&a->by_session);
	answers.bytes -= a->id.n + a->reply.n;
	s->n--;
	free(a);
}

static void session_free(struct session *s)
{
	struct answer *a;
	while ((a = LIST_FIRST(&s->answers, struct answer, by_session)))
		answer_free(s, a);
	map_del_str(&answers.by_key, key_span(&s->key));
	list_del(&s->by_age);
	free(s);
}

static struct session *oldest(void) { return LIST_FIRST(&answers.by_age, struct session, by_age); }

static struct session *session_get(const struct key *k)
{
	struct session *s = map_get_str(&answers.by_key, key_span(k));
	if (s)
		return s;
	if (answers.by_key.count >= ANSWERS_SESSIONS_MAX)
		session_free(oldest());
	if (!(s = calloc(1, sizeof(*s))))
		return NULL;
	s->key = *k;
	list_init(&s->answers);
	list_init(&s->by_age);
	if (map_put_str(&answers.by_key, key_span(&s->key), s)) {
		free(s);
		return NULL;
	}
	return s;
}

static struct answer *answer_find(const struct session *s, struct span id)
{
	struct answer *a;
	LIST_EACH (a, &s->answers, by_session)
		if (span_eq(a->id, id))
			return a;
	return NULL;
}

static struct answer *answer_new(struct span id, struct span reply)
{
	struct answer *a = malloc(sizeof(*a) + id.n + reply.n);
	if (!a)
		return NULL;
	a->id = (struct span){a->text, id.n};
	a->reply = (struct span){a->text + id.n, reply.n};
	memcpy(a->text, id.p, id.n);
	if (reply.n)
		memcpy(a->text + id.n, reply.p, reply.n);
	return a;
}

/* Remembers; without memory for it, it is as if the answer were older than ANSWERS_KEEP. */
static void remember(const struct key *k, struct span id, struct span reply, nsec_t now)
{
	struct answer *a = answer_new(id, reply), *before;
	struct session *s = a ? session_get(k) : NULL;
	if (!s) {
		free(a);
		return;
	}
	if ((before = answer_find(s, id)))
		answer_free(s, before);
	list_push(&s->answers, &a->by_session);
	answers.bytes += id.n + reply.n;
	if (++s->n > ANSWERS_PER_SESSION)
		answer_free(s, LIST_FIRST(&s->answers, struct answer, by_session));
	s->newest = now;
	list_del(&s->by_age);
	list_push(&answers.by_age, &s->by_age);
	while (answers.bytes > ANSWERS_BYTES_MAX && oldest() != s)
		session_free(oldest());
}

static void journal_answer(const struct key *k, struct span id, struct span reply)
{
	AUTO_BUF body = BUF_INIT;
	struct head h = {.key = *k, .id_length = (uint32_t)id.n};
	buf_put(&body, &h, sizeof(h));
	buf_span(&body, id);
	journal_add2(JOURNAL_ANSWER, body.p, body.len, reply.p, reply.n);
}

bool answers_find(uid_t uid, const uint8_t session[16], struct span id, struct span *ret_reply)
{
	struct key k = key_of(uid, session);
	const struct session *s = map_get_str(&answers.by_key, key_span(&k));
	const struct answer *a = s ? answer_find(s, id) : NULL;
	if (a)
		*ret_reply = a->reply;
	return a != NULL;
}

void answers_put(uid_t uid, const uint8_t session[16], struct span id, struct span reply, nsec_t now)
{
	struct key k = key_of(uid, session);
	journal_answer(&k, id, reply);
	remember(&k, id, reply, now);
}

int answers_load(struct span body, nsec_t now)
{
	struct head h;
	if (body.n < sizeof(h))
		return -1;
	memcpy(&h, body.p, sizeof(h));
	if (h.id_length == 0 || h.id_length > body.n - sizeof(h))
		return -1;
	struct span id = {body.p + sizeof(h), h.id_length};
	remember(&h.key, id, (struct span){id.p + id.n, body.n - sizeof(h) - id.n}, now);
	return 0;
}

void answers_save(nsec_t now)
{
	struct session *s;
	answers_tick(now);
	LIST_EACH (s, &answers.by_age, by_age) {
		struct answer *a;
		LIST_EACH (a, &s->answers, by_session)
			journal_answer(&s->key, a->id, a->reply);
	}
}

void answers_tick(nsec_t now)
{
	struct session *s;
	while ((s = oldest()) && s->newest + ANSWERS_KEEP < now)
		session_free(s);
}
