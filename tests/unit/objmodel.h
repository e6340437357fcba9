/* SPDX-License-Identifier: MIT */
/*
 * A slow and obvious model of locks, rlocks, semaphores and events, and of who owns what: arrays, searched from end to
 * end. It is told of the same steps as the core (objsteps.h), after the core, and says what everybody was to be told;
 * model_compare() says whether that was so. From the core it takes the tokens, and that a ring was closed (DEADLOCK).
 */
#ifndef TESTS_UNIT_OBJMODEL_H
#define TESTS_UNIT_OBJMODEL_H

#include "tests/unit/objsteps.h"

#define MODEL_SLOTS 11 /* the first ones */
#define MODEL_HOLDS 256
#define MODEL_TOLD 4096 /* answers that are remembered */

/* Who: a connection (of a client, its serial), or a process; and which tag of it. */
struct party {
	bool process;
	uint64_t id; /* a pid, or client + CLIENTS * the connection's serial */
	bool tag;
};

struct mhold {
	bool used, loan, orphan; /* orphan: nobody's any more */
	size_t slot;
	uint64_t incarnation, token;
	struct party who;
	uint32_t count, unsure;
	int client; /* that may not have read of it; -1 */
	bool sent;
};

struct mwait {
	uint64_t serial;
	size_t slot;
	int client;
	struct party who;
	uint32_t n;
	nsec_t deadline;
	bool unanswered, was_set;
};

struct mslot {
	bool there;
	uint64_t incarnation;
	uint32_t number; /* of an unowned semaphore */
	bool set;
	enum mutex_state state;
	uint64_t death; /* a pid; 0: none */
};

static struct model {
	struct mslot slots[MODEL_SLOTS];
	struct mhold holds[MODEL_HOLDS]; /* the oldest first */
	size_t nholds;
	struct mwait waits[ASKS + 1]; /* the same */
	size_t nwaits;
	uint64_t conns[CLIENTS]; /* the serial of each client's connection */
	bool open[CLIENTS];
	pid_t pids[CLIENTS];
	bool alive[CLIENTS];
	nsec_t grace[CLIENTS]; /* until then the connection's owner waits for its client; 0: it does not */
	uint64_t incarnations;
} model, committed;

/* What was told, by serial: of the core, of the model. */
struct mtold {
	uint64_t serial;
	bool real, wanted;
	struct told is, be;
};
static struct mtold mtold[MODEL_TOLD];

static struct mtold *told_of(uint64_t serial)
{
	struct mtold *t = &mtold[serial % MODEL_TOLD];
	if (t->serial != serial)
		*t = (struct mtold){.serial = serial};
	return t;
}

static void model_real(const struct ask *a)
{
	struct mtold *t = told_of(a->serial);
	assert_false(t->real); /* once */
	t->real = true;
	t->is = a->told;
}

static void model_tell(uint64_t serial, struct told told)
{
	struct mtold *t = told_of(serial);
	assert_false(t->wanted);
	t->wanted = true;
	t->be = told;
}

static void tell_code(uint64_t serial, int code) { model_tell(serial, (struct told){.code = code}); }

/* Nobody was told anything else, and nobody waits to be told. */
static void model_compare(void)
{
	for (size_t i = 0; i < MODEL_TOLD; i++) {
		struct mtold *t = &mtold[i];
		if (!t->real && !t->wanted)
			continue;
		if (t->real != t->wanted || t->is.code != t->be.code || memcmp(t->is.v, t->be.v, sizeof(t->is.v)))
			fail_msg("call %" PRIu64 ": %s %d %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64
				 ", and should be: %s %d %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64,
				 t->serial, t->real ? "told" : "not told", t->is.code, t->is.v[0], t->is.v[1],
				 t->is.v[2], t->is.v[3], t->wanted ? "told" : "not told", t->be.code, t->be.v[0],
				 t->be.v[1], t->be.v[2], t->be.v[3]);
		*t = (struct mtold){0};
	}
}

static bool same_owner(struct party a, struct party b) { return a.process == b.process && a.id == b.id; }
static bool same_party(struct party a, struct party b) { return same_owner(a, b) && a.tag == b.tag; }

/* --- holds -------------------------------------------------------------------------------------------------------- */

static bool is_mutex(size_t slot) { return slots[slot].kind == KIND_LOCK || slots[slot].kind == KIND_RLOCK; }
static bool is_unowned(size_t slot) { return slots[slot].kind == KIND_SEMAPHORE && slots[slot].b & SEM_UNOWNED; }

static struct mhold *mhold_new(size_t slot, struct party who, uint32_t count, uint64_t token)
{
	assert_true(model.nholds < MODEL_HOLDS);
	struct mhold *h = &model.holds[model.nholds++];
	*h = (struct mhold){.used = true,
			    .slot = slot,
			    .incarnation = model.slots[slot].incarnation,
			    .who = who,
			    .count = count,
			    .token = token,
			    .client = -1};
	return h;
}

static void mhold_end(struct mhold *h)
{
	size_t i = (size_t)(h - model.holds);
	memmove(h, h + 1, (--model.nholds - i) * sizeof(*h));
}

/* The hold of a mutex; NULL: it is free. */
static struct mhold *holder(size_t slot)
{
	for (size_t i = 0; i < model.nholds; i++)
		if (model.holds[i].slot == slot && !model.holds[i].loan)
			return &model.holds[i];
	return NULL;
}

static uint32_t held_of(size_t slot, const struct party *who)
{
	uint32_t n = 0;
	for (size_t i = 0; i < model.nholds; i++)
		if (model.holds[i].slot == slot && !model.holds[i].loan &&
		    (!who || same_owner(model.holds[i].who, *who)))
			n += model.holds[i].count;
	return n;
}

static int64_t mvalue(size_t slot)
{
	return is_unowned(slot) ? (int64_t)model.slots[slot].number : (int64_t)slots[slot].a - held_of(slot, NULL);
}

static void confirm_all(int client)
{
	for (size_t i = 0; i < model.nholds;) {
		struct mhold *h = &model.holds[i];
		if (h->client == client && h->sent) {
			h->client = -1;
			h->unsure = 0;
			if (h->loan) {
				mhold_end(h);
				continue;
			}
		}
		i++;
	}
}

static bool client_all_read(int client) { return clients[client].read == clients[client].channel.written; }

static void grant_to(struct mhold *h, const struct mwait *w, uint32_t count)
{
	if (w->unanswered)
		return;
	if (h->client >= 0 && h->sent && client_all_read(h->client)) {
		confirm_all(h->client);
		h->client = -1;
	}
	if (h->client != w->client)
		h->unsure = 0;
	h->unsure += count;
	h->client = w->client;
	h->sent = false;
}

static void mutex_freed(struct mhold *h, uint64_t death, bool strict)
{
	struct mslot *s = &model.slots[h->slot];
	if (death) {
		s->death = death;
		s->state = strict ? MUTEX_INCONSISTENT : s->state;
	}
	mhold_end(h);
}

static void event_left(size_t slot)
{
	if (slots[slot].kind == KIND_EVENT && !holder(slot))
		model.slots[slot].set = false;
}

/* Its owner has died. */
static void mhold_revoke(struct mhold *h)
{
	size_t slot = h->slot;
	uint64_t pid = h->who.process ? h->who.id : (uint64_t)model.pids[h->who.id % CLIENTS];
	if (is_mutex(slot) && slots[slot].a & LOCK_KEEP)
		h->orphan = true;
	else if (is_mutex(slot))
		mutex_freed(h, pid, slots[slot].a & LOCK_STRICT);
	else
		mhold_end(h);
	event_left(slot);
}

/* Its answer was never read. True: it is gone. */
static bool mhold_undo(struct mhold *h)
{
	struct mslot *s = &model.slots[h->slot];
	h->client = -1;
	if (h->loan && s->there && s->incarnation == h->incarnation)
		s->number = slots[h->slot].b & SEM_BOUNDED ? MIN(s->number + h->count, slots[h->slot].a)
							   : s->number + h->count;
	if (slots[h->slot].kind == KIND_EVENT)
		return false;
	if (is_mutex(h->slot) && h->unsure < h->count) {
		h->count -= h->unsure;
		h->unsure = 0;
		return false;
	}
	mhold_end(h);
	return true;
}

/* --- ends --------------------------------------------------------------------------------------------------------- */

static void wait_drop(size_t i)
{
	memmove(&model.waits[i], &model.waits[i + 1], (--model.nwaits - i) * sizeof(model.waits[0]));
}

static void owner_dies(struct party who)
{
	for (size_t i = 0; i < model.nwaits;)
		if (same_owner(model.waits[i].who, who)) {
			tell_code(model.waits[i].serial, FAULT_LOST);
			wait_drop(i);
		} else {
			i++;
		}
	for (size_t i = 0; i < model.nholds; i++) {
		struct mhold *h = &model.holds[i];
		if (!h->loan && !h->orphan && same_owner(h->who, who) && h->client >= 0 && client_all_read(h->client))
			confirm_all(h->client);
	}
	for (size_t i = model.nholds; i-- > 0;) {
		struct mhold *h = &model.holds[i];
		if (h->loan || h->orphan || !same_owner(h->who, who))
			continue;
		if (h->client < 0 || !mhold_undo(h))
			mhold_revoke(h);
	}
}

static struct party conn_of(int client)
{
	return (struct party){false, (uint64_t)client + CLIENTS * model.conns[client], false};
}

static void model_gone(int client, bool all)
{
	for (size_t i = 0; i < model.nwaits;)
		if (model.waits[i].client == client)
			wait_drop(i);
		else
			i++;
	for (size_t i = model.nholds; i-- > 0;)
		if (model.holds[i].client == client && (!model.holds[i].sent || !all))
			mhold_undo(&model.holds[i]);
	confirm_all(client);
	owner_dies(conn_of(client));
	model.open[client] = false;
}

/* What another engine has granted it, it may have read of or not. */
static void doubt_all(int client)
{
	for (size_t i = 0; i < model.nholds; i++) {
		struct mhold *h = &model.holds[i];
		if (!h->loan && !h->orphan && h->client < 0 && same_owner(h->who, conn_of(client))) {
			h->client = client;
			h->sent = false;
		}
	}
}

/* What the driver has done to the clients' connections and processes. */
static void model_clients(void)
{
	for (int i = 0; i < CLIENTS; i++) {
		const struct client *c = &clients[i];
		if (c->open && !model.open[i]) {
			if (model.grace[i] && model.pids[i] == c->pid)
				doubt_all(i);
			else
				model.conns[i] = ++model.incarnations;
			model.grace[i] = 0;
			model.pids[i] = c->pid;
			model.open[i] = true;
			model.alive[i] = true;
		}
	}
}

static void model_dies(int client)
{
	struct party process = {true, (uint64_t)model.pids[client], false};
	if (!model.alive[client])
		return;
	model.alive[client] = false;
	owner_dies(conn_of(client));
	owner_dies(process);
	model.grace[client] = 0;
}

/* --- attempts ----------------------------------------------------------------------------------------------------- */

/* What W would get now: true, and it was told. */
static bool mutex_try(const struct mwait *w)
{
	struct mslot *s = &model.slots[w->slot];
	struct mhold *h = holder(w->slot);
	bool again = h && slots[w->slot].kind == KIND_RLOCK && !h->orphan && same_party(h->who, w->who);
	struct told told = {.v = {[2] = s->state == MUTEX_INCONSISTENT}};
	if (s->state == MUTEX_NOT_RECOVERABLE) {
		tell_code(w->serial, FAULT_NOT_RECOVERABLE);
		return true;
	}
	if (h && !again)
		return false;
	if (!h)
		h = mhold_new(w->slot, w->who, 0, told_of(w->serial)->is.v[0]);
	h->count++;
	told.v[0] = h->token;
	told.v[1] = h->count;
	told.v[3] = again ? 0 : s->death;
	grant_to(h, w, 1);
	model_tell(w->serial, told);
	return true;
}

static bool sem_try(const struct mwait *w)
{
	struct told told = {0};
	struct mhold *h = NULL;
	if (mvalue(w->slot) < w->n)
		return false;
	if (!is_unowned(w->slot) || !w->unanswered)
		h = mhold_new(w->slot, w->who, w->n, told_of(w->serial)->is.v[0]);
	if (is_unowned(w->slot)) {
		model.slots[w->slot].number -= w->n;
		if (h)
			h->loan = true;
	}
	if (h)
		grant_to(h, w, w->n);
	told.v[0] = is_unowned(w->slot) ? 0 : h->token;
	told.v[1] = (uint64_t)mvalue(w->slot);
	model_tell(w->serial, told);
	return true;
}

static bool event_try(const struct mwait *w)
{
	if (!model.slots[w->slot].set && !w->was_set)
		return false;
	model_tell(w->serial, (struct told){.v = {1}});
	return true;
}

static bool wait_try(const struct mwait *w)
{
	if (is_mutex(w->slot))
		return mutex_try(w);
	return slots[w->slot].kind == KIND_EVENT ? event_try(w) : sem_try(w);
}

static bool waited_for(size_t slot)
{
	for (size_t i = 0; i < model.nwaits; i++)
		if (model.waits[i].slot == slot)
			return true;
	return false;
}

/* Who waits is served in the order of arrival; who cannot go on keeps those behind it waiting. */
static void model_pump(void)
{
	for (size_t slot = 0; slot < MODEL_SLOTS; slot++)
		for (size_t i = 0; i < model.nwaits;) {
			struct mwait w = model.waits[i];
			if (w.slot != slot) {
				i++;
			} else if (wait_try(&w)) {
				wait_drop(i);
			} else if (slots[slot].kind == KIND_EVENT) {
				i++;
			} else {
				break;
			}
		}
}

static void wait_over(const struct mwait *w)
{
	if (slots[w->slot].kind != KIND_EVENT)
		tell_code(w->serial, w->deadline ? FAULT_TIMEOUT : FAULT_WOULD_BLOCK);
	else if (!event_try(w))
		tell_code(w->serial, 0);
}

static void model_wait(struct mwait w, nsec_t timeout)
{
	const struct mtold *real = told_of(w.serial);
	struct mhold *h = holder(w.slot);
	bool overtakes = slots[w.slot].kind == KIND_EVENT ||
			 (slots[w.slot].kind == KIND_RLOCK && h && !h->orphan && same_party(h->who, w.who));
	if ((overtakes || !waited_for(w.slot)) && wait_try(&w))
		return;
	w.deadline = timeout == 0 ? 0 : timeout == NSEC_NEVER ? NSEC_NEVER : core.now + timeout;
	if (timeout == 0) {
		wait_over(&w);
	} else if (real->real && real->is.code == FAULT_DEADLOCK && timeout == NSEC_NEVER) {
		tell_code(w.serial, FAULT_DEADLOCK);
	} else {
		model.waits[model.nwaits++] = w;
	}
}

/* --- verbs -------------------------------------------------------------------------------------------------------- */

static int release_code(size_t slot, struct party who, uint8_t arg)
{
	const struct mhold *h = holder(slot);
	if (arg % 8 == 1)
		return h && h->token == steps.seen[slot] ? 0 : FAULT_STALE_TOKEN;
	if (!h)
		return FAULT_NOT_HELD;
	if (arg % 8 == 2 || slots[slot].a & LOCK_ANY)
		return 0;
	bool is = slots[slot].kind == KIND_RLOCK ? same_party(h->who, who) : same_owner(h->who, who);
	return is && !h->orphan ? 0 : FAULT_NOT_OWNER;
}

static void model_release(uint64_t serial, size_t slot, struct party who, uint8_t arg)
{
	struct mslot *s = &model.slots[slot];
	struct told told = {.code = release_code(slot, who, arg)};
	struct mhold *h = holder(slot);
	if (!told.code && h->count > 1 && arg % 8 != 2) {
		told.v[0] = --h->count;
		h->unsure = MIN(h->unsure, h->count);
	} else if (!told.code) {
		s->death = 0;
		if (s->state == MUTEX_INCONSISTENT)
			s->state = MUTEX_NOT_RECOVERABLE;
		mhold_end(h);
	}
	model_tell(serial, told);
}

static void model_repair(uint64_t serial, size_t slot, struct party who)
{
	int code = release_code(slot, who, 0);
	if (!code && model.slots[slot].state == MUTEX_INCONSISTENT)
		model.slots[slot].state = MUTEX_GOOD;
	tell_code(serial, code);
}

static void take_back(struct mhold *h, uint32_t n)
{
	h->count -= n;
	h->unsure = MIN(h->unsure, h->count);
	if (!h->count)
		mhold_end(h);
}

static int release_sem_token(size_t slot, uint32_t n)
{
	for (size_t i = 0; i < model.nholds; i++) {
		struct mhold *h = &model.holds[i];
		if (h->slot != slot || h->loan || h->token != steps.seen[slot])
			continue;
		if (n > h->count)
			return slots[slot].b & SEM_BOUNDED ? FAULT_OVER_RELEASE : FAULT_NOT_HELD;
		take_back(h, n);
		return 0;
	}
	return FAULT_STALE_TOKEN;
}

static int release_sem(size_t slot, struct party who, uint8_t arg)
{
	uint32_t n = 1 + arg % 4;
	bool bounded = slots[slot].b & SEM_BOUNDED;
	if (arg & 4 && steps.seen[slot])
		return release_sem_token(slot, n);
	if (is_unowned(slot)) {
		if (bounded && model.slots[slot].number + n > slots[slot].a)
			return FAULT_OVER_RELEASE;
		model.slots[slot].number += n;
		return 0;
	}
	if (held_of(slot, &who) < n)
		return bounded && held_of(slot, NULL) < n ? FAULT_OVER_RELEASE : FAULT_NOT_HELD;
	for (int other = 0; other < 2; other++) /* its own, then its owner's other ones; the newest first */
		for (size_t i = model.nholds; i-- > 0 && n;) {
			struct mhold *h = &model.holds[i];
			if (h->slot != slot || !same_owner(h->who, who) || (h->who.tag != who.tag) != other)
				continue;
			uint32_t part = MIN(n, h->count);
			n -= part;
			take_back(h, part);
		}
	return 0;
}

static void model_event_set(size_t slot, struct party who)
{
	bool has = false;
	for (size_t i = 0; i < model.nholds; i++)
		has |= model.holds[i].slot == slot && same_party(model.holds[i].who, who);
	if (slots[slot].a && !has)
		mhold_new(slot, who, 1, 0);
	model.slots[slot].set = true;
	for (size_t i = 0; i < model.nwaits; i++)
		if (model.waits[i].slot == slot)
			model.waits[i].was_set = true;
}

static void holds_forget(size_t slot)
{
	for (size_t i = model.nholds; i-- > 0;)
		if (model.holds[i].slot == slot)
			mhold_end(&model.holds[i]);
}

static void model_verb(uint64_t serial, const struct verb *verb, struct mwait w, uint8_t arg, nsec_t timeout)
{
	size_t slot = w.slot;
	if (verb->run == do_acquire) {
		model_wait(w, timeout);
	} else if (verb->run == do_release) {
		model_release(serial, slot, w.who, arg);
	} else if (verb->run == do_repair) {
		model_repair(serial, slot, w.who);
	} else if (verb->run == do_sem_acquire) {
		w.n = 1 + arg % 4;
		if (w.n > slots[slot].a && slots[slot].b != SEM_UNOWNED)
			tell_code(serial, FAULT_RANGE);
		else
			model_wait(w, timeout);
	} else if (verb->run == do_sem_release) {
		tell_code(serial, release_sem(slot, w.who, arg));
	} else if (verb->run == do_event_wait) {
		model_wait(w, timeout);
	} else if (verb->run == do_event_set) {
		model_event_set(slot, w.who);
		tell_code(serial, 0);
	} else {
		holds_forget(slot);
		model.slots[slot].set = false;
		tell_code(serial, 0);
	}
}

static void model_call(const struct move *m)
{
	int client = m->who % CLIENTS;
	size_t slot = m->slot % SLOTS;
	const struct client *other = &clients[m->arg % CLIENTS];
	struct party who = conn_of(client);
	if (!model.slots[slot].there)
		model.slots[slot] =
			(struct mslot){.there = true, .incarnation = ++model.incarnations, .number = slots[slot].a};
	if ((m->how & 3) >= HOW_PROCESS)
		who = (struct party){true, (uint64_t)clients[client].pid, false};
	if ((m->how & 3) == HOW_OTHER && other->uid == clients[client].uid)
		who.id = (uint64_t)other->pid;
	who.tag = m->how & HOW_TAG;
	struct mwait w = {.serial = steps.serial,
			  .slot = slot,
			  .client = client,
			  .who = who,
			  .unanswered = m->how & HOW_UNANSWERED && m->how & 128};
	if (clients[client].uid != 1000 && slots[slot].mode == 0700)
		tell_code(steps.serial, FAULT_NOT_FOUND);
	else if (told_of(steps.serial)->is.code == FAULT_OVERLOADED)
		tell_code(steps.serial, FAULT_OVERLOADED);
	else if (!pid_alive(who.process ? (pid_t)who.id : clients[client].pid))
		tell_code(steps.serial, FAULT_LOST);
	else
		model_verb(steps.serial, verb_of(slots[slot].kind, m->verb), w, m->arg, step_timeout(m->how));
}

/* --- the other steps ---------------------------------------------------------------------------------------------- */

static void model_turn(void)
{
	model_pump();
	for (size_t i = 0; i < model.nholds; i++) {
		struct mhold *h = &model.holds[i];
		if (h->client >= 0 && clients[h->client].open && !clients[h->client].stuck)
			h->sent = true;
	}
	committed = model;
}

static void model_pass(void)
{
	for (size_t i = 0; i < model.nwaits;)
		if (model.waits[i].deadline <= core.now) {
			wait_over(&model.waits[i]);
			wait_drop(i);
		} else {
			i++;
		}
	for (int i = 0; i < CLIENTS; i++)
		if (model.grace[i] && model.grace[i] <= core.now) {
			model.grace[i] = 0;
			owner_dies(conn_of(i));
		}
}

/* What those who hold it have read by now is asked first. */
static void model_settle(size_t slot)
{
	for (size_t i = 0; i < model.nholds; i++) {
		const struct mhold *h = &model.holds[i];
		if (h->slot == slot && !h->loan && h->client >= 0 && client_all_read(h->client))
			confirm_all(h->client);
	}
}

static void model_delete(size_t slot, bool force)
{
	if (!force)
		model_settle(slot);
	for (size_t i = 0; !force && i < model.nholds; i++)
		if (model.holds[i].slot == slot && !model.holds[i].loan)
			return;
	for (size_t i = 0; i < model.nwaits;)
		if (model.waits[i].slot == slot) {
			tell_code(model.waits[i].serial, FAULT_DELETED);
			wait_drop(i);
		} else {
			i++;
		}
	for (size_t i = model.nholds; i-- > 0;)
		if (model.holds[i].slot == slot && !model.holds[i].loan)
			mhold_end(&model.holds[i]);
	model.slots[slot].there = false;
}

/* What was committed is there; of the connections those whose clients have a session and live are waited for. */
static void model_crash(void)
{
	model = committed;
	model.nwaits = 0;
	memset(mtold, 0, sizeof(mtold));
	for (size_t i = model.nholds; i-- > 0;) {
		model.holds[i].client = -1;
		model.holds[i].unsure = 0;
		if (model.holds[i].loan)
			mhold_end(&model.holds[i]);
	}
	for (int i = 0; i < CLIENTS; i++) {
		bool had = model.open[i] || model.grace[i];
		model.alive[i] = pid_alive(model.pids[i]);
		model.grace[i] = had && i % 2 && model.alive[i] ? core.now + OWNER_GRACE : 0;
		model.open[i] = false;
		if (!model.grace[i])
			owner_dies(conn_of(i));
	}
	for (size_t i = model.nholds; i-- > 0;) {
		struct mhold *h = &model.holds[i];
		if (h->who.process && !h->orphan && !pid_alive((pid_t)h->who.id))
			mhold_revoke(h);
	}
	committed = model;
}

static void model_cancel(uint64_t serial)
{
	for (size_t i = 0; i < model.nwaits; i++)
		if (model.waits[i].serial == serial) {
			tell_code(serial, FAULT_CANCELLED);
			wait_drop(i);
			return;
		}
}

static void model_read(const struct move *m)
{
	int client = m->who % CLIENTS;
	if (model.open[client] && client_all_read(client) && m->arg & 2)
		confirm_all(client);
}

static void model_hangs_up(const struct move *m)
{
	int client = m->who % CLIENTS;
	const struct channel *ch = &clients[client].channel;
	bool cut = m->arg & 1 && ch->written < ch->lines;
	if (model.open[client])
		model_gone(client, !cut && client_all_read(client));
}

/* After the same step of the core's. */
static void model_step(const struct move *m)
{
	if (m->op == OP_CRASH)
		model_crash();
	model_clients();
	switch (m->op) {
	case OP_CALL:
		model_call(m);
		break;
	case OP_READ:
		model_read(m);
		break;
	case OP_PASS:
		model_pass();
		break;
	case OP_CANCEL:
		model_cancel(asks[m->arg % ASKS].serial);
		break;
	case OP_HANG_UP:
		model_hangs_up(m);
		break;
	case OP_DIE:
		model_dies(m->who % CLIENTS);
		break;
	case OP_DELETE:
		if (model.slots[m->slot].there)
			model_delete(m->slot, m->arg & 1);
		break;
	case OP_TURN:
	case OP_COMPACT:
		model_turn();
		break;
	}
}

static void model_begin(void)
{
	model = (struct model){0};
	memset(mtold, 0, sizeof(mtold));
	steps.told = model_real;
	steps.immortal = true;
	model_clients();
	committed = model;
}

#endif
