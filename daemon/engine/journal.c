/* SPDX-License-Identifier: MIT */
/*
 * The journal of journal.h. Layout: a head with the committed tail, then records of {length, crc, type, body},
 * each 8-aligned. Invariants:
 * 1. Bytes beyond the tail mean nothing; the tail moves once a turn, after its records are in place.
 * 2. The mapping never reaches past what is allocated, so that no store raises SIGBUS.
 * 3. Two files take turns: the next compaction writes into the one that was the journal before this, whose memory is
 *    there already. A message that was sent has arrived, so the keeper no longer goes by it.
 */
#include "daemon/engine/journal.h"
#include "common/crc32c.h"
#include "common/log.h"
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define JOURNAL_MAGIC 0x314c4e4a44504dull /* "MPDJNL1" */
#define JOURNAL_STEP ((size_t)256 << 10)
#define JOURNAL_RECORD_MAX ((size_t)64 << 20)
#define JOURNAL_BLOAT ((size_t)1 << 20)

struct head {
	uint64_t magic;
	_Atomic uint64_t tail;
};

struct record {
	uint32_t length; /* of the body */
	uint32_t crc;    /* of type and body */
	uint32_t type;
	uint32_t pad;
};

struct map_of {
	int fd;
	char *p;
	size_t size; /* mapped and allocated */
	size_t end;  /* where the next record goes; what lies behind the tail is not committed */
};

static struct map_of journal = {.fd = -1}, spare = {.fd = -1};
static struct journal_stats stats;
static size_t live_bytes; /* of the journal after its last compaction; 0: not known */
static bool turn_failed;

static size_t align8(size_t n) { return (n + 7) & ~(size_t)7; }
static struct head *head_of(struct map_of *m) { return (struct head *)m->p; }

static int map_grow(struct map_of *m, size_t need)
{
	if (need <= m->size)
		return 0;
	size_t size = (need + JOURNAL_STEP - 1) / JOURNAL_STEP * JOURNAL_STEP;
	int error;
	while ((error = posix_fallocate(m->fd, 0, (off_t)size)) == EINTR)
		;
	if (error) {
		errno = error;
		return -1;
	}
	char *p = m->p ? mremap(m->p, m->size, size, MREMAP_MAYMOVE)
		       : mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, m->fd, 0);
	if (p == MAP_FAILED)
		return -1;
	m->p = p;
	m->size = size;
	return 0;
}

static int map_begin(struct map_of *m)
{
	if (map_grow(m, sizeof(struct head)) < 0)
		return -1;
	head_of(m)->magic = JOURNAL_MAGIC;
	m->end = sizeof(struct head);
	atomic_store(&head_of(m)->tail, m->end);
	return 0;
}

static void map_end(struct map_of *m)
{
	if (m->p)
		munmap(m->p, m->size);
	if (m->fd >= 0)
		close(m->fd);
	*m = (struct map_of){.fd = -1};
}

static uint32_t record_crc(uint32_t type, struct span a, struct span b)
{
	uint32_t crc = crc32c(0, &type, sizeof(type));
	crc = crc32c(crc, a.p, a.n);
	return b.n ? crc32c(crc, b.p, b.n) : crc;
}

/* --- replay ------------------------------------------------------------------------------------------------------- */

static void replay(struct map_of *m, uint64_t tail, int (*each)(enum journal_type, struct span, void *), void *arg)
{
	size_t at = sizeof(struct head);
	while (at + sizeof(struct record) <= tail) {
		struct record r;
		memcpy(&r, m->p + at, sizeof(r));
		if (r.length > JOURNAL_RECORD_MAX || align8(sizeof(r) + r.length) > tail - at) {
			stats.dropped++;
			break;
		}
		struct span body = {m->p + at + sizeof(r), r.length};
		if (r.crc != record_crc(r.type, body, (struct span){0}) || each(r.type, body, arg) < 0)
			stats.dropped++;
		stats.records++;
		at += align8(sizeof(r) + r.length);
	}
	m->end = at;
}

int journal_open(int fd, int (*each)(enum journal_type, struct span, void *), void *arg)
{
	struct stat st;
	stats = (struct journal_stats){0};
	turn_failed = false;
	live_bytes = 0; /* not known; what is long is compacted soon: while it is replayed, nobody is served */
	journal = (struct map_of){.fd = fd};
	if (fstat(fd, &st) < 0)
		return -1;
	if ((size_t)st.st_size < sizeof(struct head))
		return map_begin(&journal);
	journal.size = (size_t)st.st_size;
	journal.p = mmap(NULL, journal.size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (journal.p == MAP_FAILED) {
		journal.p = NULL;
		return -1;
	}
	if (head_of(&journal)->magic == 0)
		return map_begin(&journal); /* its first engine died before it had begun */
	if (head_of(&journal)->magic != JOURNAL_MAGIC) {
		stats.dropped++;
		return map_begin(&journal);
	}
	uint64_t tail = atomic_load(&head_of(&journal)->tail);
	replay(&journal, MIN(tail, journal.size), each, arg);
	atomic_store(&head_of(&journal)->tail, journal.end);
	return 0;
}

void journal_close(void)
{
	map_end(&journal);
	map_end(&spare);
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

void journal_add2(enum journal_type type, const void *a, size_t na, const void *b, size_t nb)
{
	struct map_of *m = &journal;
	size_t room = align8(sizeof(struct record) + na + nb);
	if (na + nb > JOURNAL_RECORD_MAX || map_grow(m, m->end + room) < 0) {
		turn_failed = true;
		return;
	}
	struct record r = {.length = (uint32_t)(na + nb),
			   .crc = record_crc(type, (struct span){a, na}, (struct span){b, nb}),
			   .type = type};
	char *to = m->p + m->end;
	memcpy(to, &r, sizeof(r));
	if (na)
		memcpy(to + sizeof(r), a, na);
	if (nb)
		memcpy(to + sizeof(r) + na, b, nb);
	m->end += room;
	stats.records++;
}

void journal_add(enum journal_type type, const void *body, size_t n) { journal_add2(type, body, n, NULL, 0); }

int journal_commit(void)
{
	if (turn_failed) {
		stats.failed++;
		return -1;
	}
	atomic_store_explicit(&head_of(&journal)->tail, journal.end, memory_order_release);
	return 0;
}

bool journal_bloated(void) { return turn_failed || journal.end > JOURNAL_BLOAT + 2 * live_bytes; }

static struct map_of spare_take(void)
{
	struct map_of m = spare;
	spare = (struct map_of){.fd = -1};
	if (m.fd < 0)
		m.fd = memfd_create("mpd-journal", MFD_CLOEXEC);
	return m;
}

/* What was large once goes back to the system. */
static void spare_put(struct map_of *m)
{
	if (m->size > 2 * (JOURNAL_BLOAT + 2 * live_bytes))
		map_end(m);
	else
		spare = *m;
}

int journal_compact(void (*save)(void), int (*give)(int fd))
{
	struct map_of old = journal;
	bool was_failed = turn_failed;
	turn_failed = false;
	journal = spare_take();
	if (journal.fd < 0 || map_begin(&journal) < 0)
		goto fail;
	save();
	if (journal_commit() < 0 || give(journal.fd) < 0)
		goto fail;
	live_bytes = journal.end;
	spare_put(&old);
	stats.compactions++;
	return 0;
fail:
	map_end(&journal);
	journal = old;
	turn_failed = was_failed;
	return -1;
}

const struct journal_stats *journal_stats(void)
{
	stats.bytes = journal.end;
	return &stats;
}
