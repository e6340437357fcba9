/* SPDX-License-Identifier: MIT */
/*
 * The hash maps of map.h.
 *
 * 1. A slot is empty when its value is NULL. From a key's home slot up to the key there is no empty slot.
 * 2. At most three quarters of the slots are used, so that every search ends.
 * 3. Ids are ours and only mixed; strings are chosen by clients and hashed with a secret (SipHash-1-3), so that nobody
 *    can make a map slow. Hence ids come out of map_each() in the same order in every run, strings do not.
 */
#include "common/map.h"
#include <endian.h>
#include <sys/auxv.h>

#define SLOTS_MIN 16

static uint64_t rotl(uint64_t v, unsigned by) { return v << by | v >> (64 - by); }

struct sip {
	uint64_t a, b, c, d;
};

static void sip_round(struct sip *s)
{
	s->a += s->b, s->b = rotl(s->b, 13) ^ s->a, s->a = rotl(s->a, 32);
	s->c += s->d, s->d = rotl(s->d, 16) ^ s->c;
	s->a += s->d, s->d = rotl(s->d, 21) ^ s->a;
	s->c += s->b, s->b = rotl(s->b, 17) ^ s->c, s->c = rotl(s->c, 32);
}

static void sip_word(struct sip *s, uint64_t word)
{
	s->d ^= word;
	sip_round(s);
	s->a ^= word;
}

/* 16 bytes that the kernel gives every program at exec (getauxval(3), AT_RANDOM). */
static const uint64_t *secret(void)
{
	static uint64_t key[2];
	static bool known;
	const void *random = known ? NULL : (const void *)getauxval(AT_RANDOM);
	if (random)
		memcpy(key, random, sizeof(key));
	known = true;
	return key;
}

static uint64_t hash_bytes(struct span bytes)
{
	const uint64_t *key = secret();
	uint64_t word;
	struct sip s = {key[0] ^ 0x736f6d6570736575, key[1] ^ 0x646f72616e646f6d, key[0] ^ 0x6c7967656e657261,
			key[1] ^ 0x7465646279746573};
	size_t at = 0;
	for (; bytes.n - at >= 8; at += 8) {
		memcpy(&word, bytes.p + at, 8);
		sip_word(&s, le64toh(word));
	}
	word = 0;
	if (bytes.n > at)
		memcpy(&word, bytes.p + at, bytes.n - at);
	sip_word(&s, le64toh(word) | (uint64_t)bytes.n << 56);
	s.c ^= 0xff;
	for (int i = 0; i < 3; i++)
		sip_round(&s);
	return s.a ^ s.b ^ s.c ^ s.d;
}

/* Every bit of the id moves the low bits, which choose the slot. */
static uint64_t hash_id(uint64_t id)
{
	id = (id ^ id >> 32) * 0x9e3779b97f4a7c15;
	return id ^ id >> 29;
}

static struct map_slot slot_of_id(uint64_t id, void *value)
{
	return (struct map_slot){.hash = hash_id(id), .id = id, .value = value};
}

static struct map_slot slot_of_str(struct span key, void *value)
{
	return (struct map_slot){.hash = hash_bytes(key), .key = key, .value = value};
}

static bool same_key(const struct map_slot *a, const struct map_slot *b)
{
	return a->hash == b->hash && a->id == b->id && span_eq(a->key, b->key);
}

/* The slot with WANTED's key, or the empty one where it would go. The map has slots. */
static struct map_slot *find(const struct map *m, const struct map_slot *wanted)
{
	size_t i = wanted->hash & m->mask;
	while (m->slots[i].value && !same_key(&m->slots[i], wanted))
		i = (i + 1) & m->mask;
	return &m->slots[i];
}

static int grow(struct map *m)
{
	size_t n = m->slots ? 2 * (m->mask + 1) : SLOTS_MIN;
	struct map bigger = {calloc(n, sizeof(struct map_slot)), n - 1, m->count};
	if (!bigger.slots)
		return -1;
	for (size_t i = 0; m->slots && i <= m->mask; i++)
		if (m->slots[i].value)
			*find(&bigger, &m->slots[i]) = m->slots[i];
	free(m->slots);
	*m = bigger;
	return 0;
}

static int put(struct map *m, struct map_slot slot)
{
	struct map_slot *to = m->slots ? find(m, &slot) : NULL;
	if (!to || !to->value) {
		if ((!m->slots || (m->count + 1) * 4 > (m->mask + 1) * 3) && grow(m) < 0)
			return -1;
		to = find(m, &slot);
		m->count++;
	}
	*to = slot; /* the key as well: the old one's bytes may go with its value */
	return 0;
}

static void *get(const struct map *m, struct map_slot wanted) { return m->slots ? find(m, &wanted)->value : NULL; }

/* Fills the hole at I from behind, so that (1) holds without tombstones: whoever lies behind it up to the next empty
 * slot moves into it, unless its home is behind the hole. */
static void close_hole(struct map *m, size_t hole)
{
	for (size_t i = (hole + 1) & m->mask; m->slots[i].value; i = (i + 1) & m->mask) {
		size_t home = m->slots[i].hash & m->mask;
		if (((i - home) & m->mask) < ((i - hole) & m->mask))
			continue;
		m->slots[hole] = m->slots[i];
		hole = i;
	}
	m->slots[hole] = (struct map_slot){0};
}

static void *del(struct map *m, struct map_slot wanted)
{
	struct map_slot *slot = m->slots ? find(m, &wanted) : NULL;
	void *value = slot ? slot->value : NULL;
	if (value) {
		close_hole(m, (size_t)(slot - m->slots));
		m->count--;
	}
	return value;
}

void map_done(struct map *m)
{
	free(m->slots);
	*m = (struct map)MAP_INIT;
}

int map_put(struct map *m, uint64_t id, void *value) { return put(m, slot_of_id(id, value)); }
void *map_get(const struct map *m, uint64_t id) { return get(m, slot_of_id(id, NULL)); }
void *map_del(struct map *m, uint64_t id) { return del(m, slot_of_id(id, NULL)); }

int map_put_str(struct map *m, struct span key, void *value) { return put(m, slot_of_str(key, value)); }
void *map_get_str(const struct map *m, struct span key) { return get(m, slot_of_str(key, NULL)); }
void *map_del_str(struct map *m, struct span key) { return del(m, slot_of_str(key, NULL)); }

void *map_each(const struct map *m, size_t *i)
{
	while (m->slots && *i <= m->mask) {
		void *value = m->slots[(*i)++].value;
		if (value)
			return value;
	}
	return NULL;
}
