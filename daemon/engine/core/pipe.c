/* SPDX-License-Identifier: MIT */
/* The pipes of pipe.h. */
#include "daemon/engine/core/pipe.h"
#include "common/scan.h"
#include "daemon/engine/core/core.h"

static struct pipe *pipe_of(const struct obj *o) { return (struct pipe *)(uintptr_t)o; }
static struct send_want *send_of(const struct want *w) { return (struct send_want *)(uintptr_t)w; }
static struct recv_want *recv_of(const struct want *w) { return (struct recv_want *)(uintptr_t)w; }
static struct poll_want *poll_of(const struct want *w) { return (struct poll_want *)(uintptr_t)w; }

/* --- ends --------------------------------------------------------------------------------------------------------- */

static bool end_dead(const struct pipe *p, unsigned end)
{
	return p->i.closed[end] || (p->i.was_held[end] && p->ends[end].holds == 0);
}

/* It may have died: who looks at it from either side looks again. */
static void end_changed(struct pipe *p, unsigned end)
{
	struct pipe_end *this = &p->ends[end], *other = &p->ends[!end];
	subject_touch(&this->recv);
	subject_touch(&this->send);
	subject_touch(&this->polls);
	subject_touch(&other->recv);
	subject_touch(&other->send);
	subject_touch(&other->polls);
}

int pipe_may(const struct pipe *p, unsigned end, bool send, struct fault *f)
{
	if (p->i.duplex || send == (end == 1))
		return 0;
	return fault_set(f, FAULT_RANGE, "pipe %s:%u %s only: it is not duplex", obj_said(&p->obj), end,
			 send ? "receives" : "sends");
}

static int is_closed(const struct want *w, unsigned end, struct fault *f)
{
	if (!pipe_of(w->obj)->i.closed[end])
		return 0;
	return fault_set(f, FAULT_CLOSED, "pipe %s:%u is closed", obj_said(w->obj), end);
}

static struct hold *end_hold(const struct pipe *p, unsigned end, const struct thread *t)
{
	struct hold *h;
	LIST_EACH (h, &p->obj.holds, by_obj)
		if (!h->inside && h->role == end && h->thread && h->thread->owner == t->owner)
			return h;
	return NULL;
}

void pipe_hold(struct pipe *p, unsigned end, struct thread *t)
{
	if (end_hold(p, end, t))
		return;
	struct hold *h = hold_new(&p->obj, t, 1);
	h->role = end;
	p->ends[end].holds++;
	p->i.was_held[end] = true;
	obj_dirty(&p->obj);
}

static void hold_drop(struct pipe *p, struct hold *h)
{
	unsigned end = h->role;
	p->ends[end].holds--;
	hold_end(h);
	end_changed(p, end);
}

int pipe_drop(struct pipe *p, unsigned end, const struct thread *t, struct fault *f)
{
	struct hold *h = end_hold(p, end, t);
	if (!h)
		return fault_set(f, FAULT_NOT_HELD, "pipe %s:%u is not held by the one who drops it", obj_said(&p->obj),
				 end);
	hold_drop(p, h);
	return 0;
}

void pipe_close(struct pipe *p, unsigned end)
{
	p->i.closed[end] = true;
	obj_dirty(&p->obj);
	end_changed(p, end);
}

/* --- messages ----------------------------------------------------------------------------------------------------- */

enum { PART_PUT = 'P', PART_GOT = 'C', PART_FREE = 'R', PART_GONE = 'G' };

struct part_put { /* followed by the payload */
	uint8_t op, raw, end, pad;
	uint32_t redelivered;
	uint64_t id;
};

struct part_got { /* followed by the tag */
	uint8_t op, ntag, pad[2];
	uint32_t redelivered;
	uint64_t id, token, owner;
};

struct part_free {
	uint8_t op, pad[3];
	uint32_t redelivered;
	uint64_t id;
};

struct part_gone {
	uint8_t op, pad[7];
	uint64_t id;
};

static void message_save(struct part *);

static void message_place(struct message *m)
{
	struct pipe_end *e = &m->pipe->ends[m->end];
	struct list *at = &e->messages;
	if (!list_empty(at) && LIST_ENTRY(at->prev, struct message, by_end)->id > m->id) {
		at = at->next;
		while (LIST_ENTRY(at, struct message, by_end)->id < m->id)
			at = at->next;
	}
	list_push(at, &m->by_end);
	e->n++;
	e->bytes += m->payload->n;
	timer_clear(&core.timers, &m->pipe->obj.idle);
	subject_touch(&e->recv);
	subject_touch(&e->polls);
}

static void message_take(struct message *m)
{
	struct pipe_end *e = &m->pipe->ends[m->end];
	list_del(&m->by_end);
	e->n--;
	e->bytes -= m->payload->n;
	subject_touch(&e->send);
}

/* Takes the payload over. */
static struct message *message_new(struct pipe *p, unsigned end, uint64_t id, struct payload *payload)
{
	struct message *m = calloc(1, sizeof(*m));
	must(m);
	m->pipe = p;
	m->id = id;
	m->end = (uint8_t)end;
	m->payload = payload;
	m->part.save = message_save;
	list_init(&m->part.dirty);
	message_place(m);
	return m;
}

static void message_free(struct message *m)
{
	list_del(&m->part.dirty);
	payload_unref(m->payload);
	free(m);
}

static void message_gone(struct message *m)
{
	struct part_gone gone = {.op = PART_GONE, .id = m->id};
	if (m->saved)
		obj_part(&m->pipe->obj, &gone, sizeof(gone), (struct span){NULL, 0});
	if (m->got) {
		list_del(&m->by_end);
		hold_end(&m->hold);
	} else {
		message_take(m);
	}
	message_free(m);
}

static void message_return(struct message *m, uint32_t redelivered)
{
	list_del(&m->by_end);
	hold_end(&m->hold);
	m->got = false;
	m->redelivered += redelivered;
	message_place(m);
	part_dirty(&m->part);
}

static struct message *message_of(struct grant *g)
{
	return CONTAINER_OF(CONTAINER_OF(g, struct hold, grant), struct message, hold);
}

static void message_undo(struct grant *g, bool certain) { message_return(message_of(g), !certain); }
static void message_confirm(struct grant *g) { message_gone(message_of(g)); }
static const struct grant_ops message_grant = {message_undo, message_confirm};

static void message_got(struct message *m, struct thread *t, uint64_t token)
{
	struct pipe *p = m->pipe;
	message_take(m);
	hold_begin(&m->hold, &p->obj, t, 1, token);
	m->hold.grant.ops = &message_grant;
	m->got = true;
	list_push(&p->ends[m->end].unsure, &m->by_end);
}

/* --- send --------------------------------------------------------------------------------------------------------- */

static enum step send_attempt(struct want *w, struct fault *f)
{
	struct send_want *sw = send_of(w);
	struct pipe *p = pipe_of(w->obj);
	struct pipe_end *e = &p->ends[sw->to];
	if (is_closed(w, !sw->to, f))
		return STEP_FAIL;
	if (end_dead(p, sw->to)) {
		fault_set(f, FAULT_BROKEN_PIPE, "pipe %s:%u: nobody receives at the other end any more",
			  obj_said(w->obj), !sw->to);
		return STEP_FAIL;
	}
	if (e->n > 0 && (e->n >= PIPE_MESSAGES || e->bytes + sw->payload->n > PIPE_BYTES))
		return STEP_WAIT;
	part_dirty(&message_new(p, sw->to, p->i.next_id++, sw->payload)->part);
	sw->payload = NULL;
	return STEP_DONE;
}

static void send_done(struct want *w) { payload_unref(send_of(w)->payload); }
static struct subject *send_subject(const struct want *w) { return &pipe_of(w->obj)->ends[send_of(w)->to].send; }

const struct want_ops pipe_send_ops = {
	.size = sizeof(struct send_want),
	.what = "send",
	.attempt = send_attempt,
	.done = send_done,
	.subject = send_subject,
};

/* --- receive ------------------------------------------------------------------------------------------------------ */

static enum step recv_attempt(struct want *w, struct fault *f)
{
	struct recv_want *rw = recv_of(w);
	struct pipe *p = pipe_of(w->obj);
	struct message *m = LIST_FIRST(&p->ends[rw->end].messages, struct message, by_end);
	if (is_closed(w, rw->end, f))
		return STEP_FAIL;
	if (!m && !end_dead(p, !rw->end))
		return STEP_WAIT;
	if (!m) {
		fault_set(f, FAULT_EOF, "pipe %s:%u: the other end is gone, and all was received", obj_said(w->obj),
			  rw->end);
		return STEP_FAIL;
	}
	message_got(m, w->thread, 0);
	hold_grant(&m->hold, w, 1);
	part_dirty(&m->part);
	rw->got = m;
	return STEP_DONE;
}

static struct subject *recv_subject(const struct want *w) { return &pipe_of(w->obj)->ends[recv_of(w)->end].recv; }

const struct want_ops pipe_recv_ops = {
	.size = sizeof(struct recv_want),
	.what = "recv",
	.attempt = recv_attempt,
	.subject = recv_subject,
};

void pipe_answered(struct recv_want *rw)
{
	if (rw->want.unanswered)
		message_gone(rw->got);
}

/* --- poll --------------------------------------------------------------------------------------------------------- */

static enum step poll_attempt(struct want *w, struct fault *f)
{
	struct poll_want *pw = poll_of(w);
	const struct pipe *p = pipe_of(w->obj);
	if (is_closed(w, pw->end, f))
		return STEP_FAIL;
	pw->ready = p->ends[pw->end].n > 0 || end_dead(p, !pw->end);
	return pw->ready ? STEP_DONE : STEP_WAIT;
}

/* It may have changed in the turn in which the time was over. */
static enum step poll_expire(struct want *w, struct fault *f)
{
	return poll_attempt(w, f) == STEP_FAIL ? STEP_FAIL : STEP_DONE;
}

static struct subject *poll_subject(const struct want *w) { return &pipe_of(w->obj)->ends[poll_of(w)->end].polls; }

const struct want_ops pipe_poll_ops = {
	.size = sizeof(struct poll_want),
	.what = "poll",
	.attempt = poll_attempt,
	.expire = poll_expire,
	.subject = poll_subject,
};

/* --- the journal -------------------------------------------------------------------------------------------------- */

static void save_put(struct message *m)
{
	struct part_put put = {
		.op = PART_PUT, .raw = m->payload->raw, .end = m->end, .redelivered = m->redelivered, .id = m->id};
	obj_part(&m->pipe->obj, &put, sizeof(put), payload_span(m->payload));
	m->saved = true;
}

static void save_got(struct message *m)
{
	const struct thread *t = m->hold.thread;
	struct part_got got = {.op = PART_GOT,
			       .ntag = (uint8_t)t->ntag,
			       .redelivered = m->redelivered,
			       .id = m->id,
			       .token = m->hold.token,
			       .owner = t->owner->i.id};
	obj_part(&m->pipe->obj, &got, sizeof(got), (struct span){t->tag, t->ntag});
}

static void save_free(struct message *m)
{
	struct part_free part = {.op = PART_FREE, .redelivered = m->redelivered, .id = m->id};
	obj_part(&m->pipe->obj, &part, sizeof(part), (struct span){NULL, 0});
}

static void message_save(struct part *part)
{
	struct message *m = CONTAINER_OF(part, struct message, part);
	if (!m->saved)
		save_put(m);
	else if (!m->got)
		save_free(m);
	if (m->got)
		save_got(m);
}

static void pipe_save_parts(struct obj *o)
{
	struct message *m;
	for (unsigned end = 0; end < 2; end++) {
		LIST_EACH (m, &pipe_of(o)->ends[end].messages, by_end)
			save_put(m);
		LIST_EACH (m, &pipe_of(o)->ends[end].unsure, by_end) {
			save_put(m);
			save_got(m);
		}
	}
}

static int load_put(struct pipe *p, struct span body)
{
	struct part_put put;
	struct scan_error e;
	if (body.n < sizeof(put))
		return -1;
	memcpy(&put, body.p, sizeof(put));
	struct span text = {body.p + sizeof(put), body.n - sizeof(put)};
	if (put.id == 0 || put.id > CORE_ID_MAX || put.end > 1 || put.raw > 1 || map_get(&p->loading, put.id) ||
	    (!put.raw && scan_check(text, NULL, &e)))
		return -1;
	struct payload *payload = payload_new(text, put.raw);
	must(payload);
	struct message *m = message_new(p, put.end, put.id, payload);
	must(map_put(&p->loading, put.id, m) == 0);
	m->redelivered = put.redelivered;
	m->saved = true;
	p->i.next_id = MAX(p->i.next_id, put.id + 1);
	return 0;
}

static int load_got(struct pipe *p, struct span body)
{
	struct part_got got;
	if (body.n < sizeof(got))
		return -1;
	memcpy(&got, body.p, sizeof(got));
	struct message *m = map_get(&p->loading, got.id);
	struct owner *owner = owner_by_id(got.owner);
	if (!m || !owner || got.ntag != body.n - sizeof(got) || got.ntag > OWNER_TAG_MAX || got.token == 0 ||
	    got.token >= CORE_ID_MAX)
		return -1;
	struct thread *t = owner_thread(owner, (struct span){body.p + sizeof(got), got.ntag});
	must(t);
	if (m->got)
		message_return(m, 0);
	message_got(m, t, got.token);
	m->redelivered = got.redelivered;
	core.next_token = MAX(core.next_token, got.token + 1);
	return 0;
}

static int load_free(struct pipe *p, struct span body)
{
	struct part_free part;
	if (body.n != sizeof(part))
		return -1;
	memcpy(&part, body.p, sizeof(part));
	struct message *m = map_get(&p->loading, part.id);
	if (!m)
		return -1;
	if (m->got)
		message_return(m, 0);
	list_del(&m->part.dirty);
	m->redelivered = part.redelivered;
	return 0;
}

static int load_gone(struct pipe *p, struct span body)
{
	struct part_gone gone;
	if (body.n != sizeof(gone))
		return -1;
	memcpy(&gone, body.p, sizeof(gone));
	struct message *m = map_del(&p->loading, gone.id);
	if (m) {
		m->saved = false;
		message_gone(m);
	}
	return 0;
}

static int pipe_load_part(struct obj *o, struct span body)
{
	static int (*const loaders[])(struct pipe *, struct span) = {
		[PART_PUT] = load_put, [PART_GOT] = load_got, [PART_FREE] = load_free, [PART_GONE] = load_gone};
	size_t op = body.n ? (unsigned char)body.p[0] : 0;
	return op < ARRAY_LEN(loaders) && loaders[op] ? loaders[op](pipe_of(o), body) : -1;
}

static void pipe_save(const struct obj *o, struct buf *b) { buf_put(b, &pipe_of(o)->i, sizeof(struct pipe_image)); }

static int pipe_load(struct obj *o, struct span image)
{
	struct pipe *p = pipe_of(o);
	struct pipe_image i;
	if (image.n != sizeof(i))
		return -1;
	memcpy(&i, image.p, sizeof(i));
	if (i.next_id == 0 || i.next_id > CORE_ID_MAX)
		return -1;
	i.next_id = MAX(i.next_id, p->i.next_id);
	p->i = i;
	return 0;
}

static void pipe_load_hold(struct hold *h)
{
	struct pipe *p = pipe_of(h->obj);
	h->role &= 1;
	p->ends[0].holds = p->ends[1].holds = 0;
	struct hold *each;
	LIST_EACH (each, &p->obj.holds, by_obj)
		if (!each->inside)
			p->ends[each->role].holds++;
}

static void pipe_drop_hold(struct hold *h) { pipe_of(h->obj)->ends[h->role].holds--; }

static void pipe_synced(struct obj *o) { map_done(&pipe_of(o)->loading); }

/* --- the class ---------------------------------------------------------------------------------------------------- */

static void pipe_init(struct obj *o)
{
	struct pipe *p = pipe_of(o);
	p->i.next_id = 1;
	p->i.duplex = true;
	for (unsigned end = 0; end < 2; end++) {
		struct pipe_end *e = &p->ends[end];
		list_init(&e->messages);
		list_init(&e->unsure);
		subject_init(&e->recv);
		subject_init(&e->send);
		subject_init(&e->polls);
		e->recv.fifo = e->send.fifo = true;
	}
}

static void messages_free(struct list *messages)
{
	struct list *n;
	while ((n = list_shift(messages)))
		message_free(LIST_ENTRY(n, struct message, by_end));
}

static void pipe_done(struct obj *o)
{
	struct pipe *p = pipe_of(o);
	for (unsigned end = 0; end < 2; end++) {
		struct pipe_end *e = &p->ends[end];
		messages_free(&e->messages);
		messages_free(&e->unsure);
		subject_done(&e->recv);
		subject_done(&e->send);
		subject_done(&e->polls);
	}
	map_done(&p->loading);
}

static void pipe_revoke(struct hold *h, const struct death *how)
{
	(void)how;
	if (h->inside)
		message_return(CONTAINER_OF(h, struct message, hold), 1);
	else
		hold_drop(pipe_of(h->obj), h);
}

static bool pipe_busy(const struct obj *o)
{
	const struct pipe *p = pipe_of(o);
	return p->ends[0].n + p->ends[1].n > 0 || !list_empty(&p->ends[0].unsure) || !list_empty(&p->ends[1].unsure);
}

static void pipe_describe(const struct obj *o, struct buf *b)
{
	const struct pipe *p = pipe_of(o);
	buf_printf(b, "\"duplex\":%s,\"ends\":[", p->i.duplex ? "true" : "false");
	for (unsigned end = 0; end < 2; end++)
		buf_printf(b, "%s{\"messages\":%zu,\"bytes\":%zu,\"holders\":%zu,\"closed\":%s,\"dead\":%s}",
			   end ? "," : "", p->ends[end].n, p->ends[end].bytes, p->ends[end].holds,
			   p->i.closed[end] ? "true" : "false", end_dead(p, end) ? "true" : "false");
	buf_putc(b, ']');
}

static void pipe_summary(const struct obj *o, struct buf *b)
{
	const struct pipe *p = pipe_of(o);
	for (unsigned end = 0; end < 2; end++)
		buf_printf(b, "%s%zu for :%u%s", end ? ", " : "", p->ends[end].n, end,
			   end_dead(p, end) ? " (gone)" : "");
}

const struct class pipe_class = {
	.kind = KIND_PIPE,
	.name = "pipe",
	.size = sizeof(struct pipe),
	.deleted = FAULT_EOF,
	.init = pipe_init,
	.done = pipe_done,
	.revoke = pipe_revoke,
	.busy = pipe_busy,
	.save = pipe_save,
	.load = pipe_load,
	.load_hold = pipe_load_hold,
	.drop_hold = pipe_drop_hold,
	.save_parts = pipe_save_parts,
	.load_part = pipe_load_part,
	.synced = pipe_synced,
	.describe = pipe_describe,
	.summary = pipe_summary,
};
