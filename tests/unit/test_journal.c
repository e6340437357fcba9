/* SPDX-License-Identifier: MIT */
/* The journal: whole turns or nothing, whatever has happened to the bytes; and never a SIGBUS. */
#include "daemon/engine/journal.c"
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/resource.h>

#include <cmocka.h>

/* What a replay has told. */
static struct {
	struct record_seen {
		uint32_t type;
		char body[64];
		size_t n;
	} v[4096];
	size_t n;
	int answer; /* of `each` */
} seen;

static int each(enum journal_type type, struct span body, void *arg)
{
	assert_ptr_equal(arg, &seen);
	assert_true(seen.n < ARRAY_LEN(seen.v));
	struct record_seen *r = &seen.v[seen.n++];
	r->type = type;
	r->n = body.n;
	memcpy(r->body, body.p, MIN(body.n, sizeof(r->body)));
	return seen.answer;
}

static int fresh(void)
{
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	assert_true(fd >= 0);
	return fd;
}

/* FD stays the caller's. */
static int reopen(int fd)
{
	seen.n = 0;
	return journal_open(dup(fd), each, &seen);
}

static void add(int n)
{
	char body[32];
	int len = snprintf(body, sizeof(body), "record %d", n);
	journal_add((enum journal_type)(1 + n % 5), body, (size_t)len);
}

static bool is_record(const struct record_seen *r, int n)
{
	char body[32];
	size_t len = (size_t)snprintf(body, sizeof(body), "record %d", n);
	return r->type == (uint32_t)(1 + n % 5) && r->n == len && !memcmp(r->body, body, len);
}

static void assert_seen(int from, int to)
{
	assert_int_equal(seen.n, to - from);
	for (int n = from; n < to; n++)
		assert_true(is_record(&seen.v[n - from], n));
}

static void *map(int fd, size_t *ret_size)
{
	struct stat st;
	assert_int_equal(fstat(fd, &st), 0);
	void *p = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_true(p != MAP_FAILED);
	*ret_size = (size_t)st.st_size;
	return p;
}

/* A journal of N records in one turn; its bytes up to the tail. */
static int small_journal(int n, size_t *ret_tail)
{
	int fd = fresh();
	assert_int_equal(reopen(fd), 0);
	for (int i = 0; i < n; i++)
		add(i);
	assert_int_equal(journal_commit(), 0);
	*ret_tail = journal_stats()->bytes;
	journal_close();
	return fd;
}

static void patch(int fd, size_t at, const void *bytes, size_t n)
{
	assert_int_equal(pwrite(fd, bytes, n, (off_t)at), n);
}

/* --- what was written comes back --------------------------------------------------------------------------------- */

static void there_and_back(void **state)
{
	(void)state;
	int fd = fresh();
	assert_int_equal(reopen(fd), 0);
	assert_int_equal(seen.n, 0);
	for (int turn = 0; turn < 10; turn++) {
		add(2 * turn);
		add(2 * turn + 1);
		assert_int_equal(journal_commit(), 0);
	}
	journal_close();
	for (int again = 0; again < 2; again++) {
		assert_int_equal(reopen(fd), 0);
		assert_seen(0, 20);
		assert_int_equal(journal_stats()->dropped, 0);
		assert_int_equal(journal_stats()->records, 20);
		journal_close();
	}
	close(fd);
}

static void two_parts_and_none(void **state)
{
	(void)state;
	int fd = fresh();
	assert_int_equal(reopen(fd), 0);
	journal_add2(JOURNAL_JOB, "rec", 3, "ord 4", 5);
	journal_add2(JOURNAL_JOB, NULL, 0, NULL, 0);
	journal_add2(JOURNAL_JOB, NULL, 0, "x", 1);
	journal_add(JOURNAL_JOB, "y", 1);
	assert_int_equal(journal_commit(), 0);
	journal_close();
	assert_int_equal(reopen(fd), 0);
	assert_int_equal(seen.n, 4);
	assert_true(is_record(&seen.v[0], 4));
	assert_int_equal(seen.v[1].n, 0);
	assert_memory_equal(seen.v[2].body, "x", 1);
	assert_memory_equal(seen.v[3].body, "y", 1);
	journal_close();
	close(fd);
}

/* A turn that was not committed was never there, and the next engine writes over it. */
static void uncommitted_is_invisible(void **state)
{
	(void)state;
	int fd = fresh();
	assert_int_equal(reopen(fd), 0);
	add(0);
	assert_int_equal(journal_commit(), 0);
	for (int n = 90; n < 99; n++)
		add(n);
	journal_close();
	assert_int_equal(reopen(fd), 0);
	assert_seen(0, 1);
	add(1);
	journal_close();
	assert_int_equal(reopen(fd), 0);
	assert_seen(0, 1);
	add(1);
	add(2);
	assert_int_equal(journal_commit(), 0);
	journal_close();
	assert_int_equal(reopen(fd), 0);
	assert_seen(0, 3);
	journal_close();
	close(fd);
}

static void grows(void **state)
{
	(void)state;
	enum { N = 40, SIZE = 200000 };
	int fd = fresh();
	char *big = calloc(1, SIZE);
	assert_non_null(big);
	assert_int_equal(reopen(fd), 0);
	for (int i = 0; i < N; i++) {
		snprintf(big, 64, "big %d", i);
		journal_add(JOURNAL_TEXT, big, SIZE);
		assert_int_equal(journal_commit(), 0);
	}
	assert_in_range(journal_stats()->bytes, (size_t)N * SIZE, (size_t)N * (SIZE + 64));
	journal_close();
	assert_int_equal(reopen(fd), 0);
	assert_int_equal(seen.n, N);
	for (int i = 0; i < N; i++) {
		snprintf(big, 64, "big %d", i);
		assert_int_equal(seen.v[i].n, SIZE);
		assert_string_equal(seen.v[i].body, big);
	}
	journal_close();
	free(big);
	close(fd);
}

static void refused_bodies_count(void **state)
{
	(void)state;
	size_t tail;
	int fd = small_journal(5, &tail);
	seen.answer = -1;
	assert_int_equal(reopen(fd), 0);
	assert_seen(0, 5);
	assert_int_equal(journal_stats()->dropped, 5);
	seen.answer = 0;
	journal_close();
	close(fd);
}

/* --- strange beginnings ------------------------------------------------------------------------------------------- */

static void assert_usable(int fd)
{
	add(7);
	assert_int_equal(journal_commit(), 0);
	journal_close();
	assert_int_equal(reopen(fd), 0);
	assert_int_equal(seen.n, 1);
	assert_true(is_record(&seen.v[0], 7));
	journal_close();
	close(fd);
}

static void files_that_are_none(void **state)
{
	(void)state;
	static const size_t sizes[] = {0, 1, 8, 15, 16, 17, 100, 4095, 4096, 300000};
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		int fd = fresh();
		assert_int_equal(ftruncate(fd, (off_t)sizes[i]), 0);
		assert_int_equal(reopen(fd), 0);
		assert_int_equal(seen.n, 0);
		assert_int_equal(journal_stats()->dropped, 0);
		assert_usable(fd);
		fd = fresh();
		for (size_t at = 0; at < sizes[i]; at++)
			patch(fd, at, "#", 1);
		assert_int_equal(reopen(fd), 0);
		assert_int_equal(seen.n, 0);
		assert_int_equal(journal_stats()->dropped, sizes[i] >= 16);
		assert_usable(fd);
	}
	assert_int_equal(journal_open(-1, each, &seen), -1);
}

static void the_magic_flipped(void **state)
{
	(void)state;
	size_t tail;
	for (size_t bit = 0; bit < 64; bit++) {
		int fd = small_journal(3, &tail);
		char byte;
		assert_int_equal(pread(fd, &byte, 1, (off_t)(bit / 8)), 1);
		byte ^= (char)(1 << bit % 8);
		patch(fd, bit / 8, &byte, 1);
		assert_int_equal(reopen(fd), 0);
		assert_int_equal(seen.n, 0);
		assert_int_equal(journal_stats()->dropped, 1);
		assert_usable(fd);
	}
}

/* --- damage ------------------------------------------------------------------------------------------------------- */

/* Whatever the tail says: whole records from the beginning, and the journal goes on from there. */
static void every_tail(void **state)
{
	(void)state;
	enum { N = 6 };
	size_t tail;
	int fd = small_journal(N, &tail);
	for (uint64_t t = 0; t <= tail + 40; t++) {
		close(fd);
		fd = small_journal(N, &tail);
		patch(fd, 8, &t, sizeof(t));
		assert_int_equal(reopen(fd), 0);
		int whole = (int)seen.n;
		if (t <= tail) {
			assert_true(whole <= N);
			assert_seen(0, whole);
		}
		if (t >= tail) /* behind it lie zeros: records of no type, whose CRC is wrong */
			assert_true(whole >= N && is_record(&seen.v[N - 1], N - 1));
		add(100);
		assert_int_equal(journal_commit(), 0);
		journal_close();
		assert_int_equal(reopen(fd), 0);
		assert_int_equal(seen.n, whole + 1);
		assert_true(is_record(&seen.v[whole], 100));
		journal_close();
	}
	static const uint64_t wild[] = {UINT64_MAX, UINT64_MAX - 7, (uint64_t)1 << 63, (uint64_t)1 << 40};
	for (size_t i = 0; i < ARRAY_LEN(wild); i++) {
		patch(fd, 8, &wild[i], 8);
		assert_int_equal(reopen(fd), 0);
		journal_close();
	}
	close(fd);
}

/* Every bit of every byte: what comes back was written, in order; nothing that was flipped does. */
static void every_bit(void **state)
{
	(void)state;
	enum { N = 6 };
	size_t tail, size;
	int fd = small_journal(N, &tail);
	unsigned char *p = map(fd, &size);
	for (size_t bit = 16 * 8; bit < tail * 8; bit++) {
		close(fd);
		munmap(p, size);
		fd = small_journal(N, &tail);
		p = map(fd, &size);
		p[bit / 8] ^= (unsigned char)(1 << bit % 8);
		assert_int_equal(reopen(fd), 0);
		assert_true(seen.n <= N);
		int next = 0;
		for (size_t i = 0; i < seen.n; i++, next++) {
			while (next < N && !is_record(&seen.v[i], next))
				next++;
			assert_true(next < N);
		}
		assert_true(seen.n == N || journal_stats()->dropped > 0);
		add(50);
		assert_int_equal(journal_commit(), 0);
		journal_close();
		assert_int_equal(reopen(fd), 0);
		assert_true(is_record(&seen.v[seen.n - 1], 50));
		journal_close();
	}
	munmap(p, size);
	close(fd);
}

static void impossible_lengths(void **state)
{
	(void)state;
	static const uint32_t lengths[] = {UINT32_MAX, UINT32_MAX - 7, 1u << 31, (64u << 20) + 1,
					   64u << 20,  1u << 20,       200};
	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
		size_t tail;
		int fd = small_journal(3, &tail);
		patch(fd, sizeof(struct head) + 24 + 8, &lengths[i], 4); /* of the second */
		assert_int_equal(reopen(fd), 0);
		assert_true(seen.n >= 1);
		assert_true(is_record(&seen.v[0], 0));
		assert_int_equal(journal_stats()->dropped, 1);
		journal_close();
		close(fd);
	}
}

/* The file itself was cut: nothing beyond it is touched. */
static void every_size(void **state)
{
	(void)state;
	size_t tail;
	for (size_t size = 0;; size++) {
		int fd = small_journal(4, &tail);
		if (size > tail) {
			close(fd);
			break;
		}
		assert_int_equal(ftruncate(fd, (off_t)size), 0);
		assert_int_equal(reopen(fd), 0);
		assert_true(seen.n <= 4);
		int whole = (int)seen.n;
		assert_seen(0, whole);
		add(9);
		assert_int_equal(journal_commit(), 0);
		journal_close();
		assert_int_equal(reopen(fd), 0);
		assert_true(is_record(&seen.v[whole], 9));
		journal_close();
		close(fd);
	}
}

/* --- compaction --------------------------------------------------------------------------------------------------- */

static int given = -1;
static int give_answer;

static int give(int fd)
{
	if (give_answer == 0)
		given = dup(fd);
	return give_answer;
}

static void save_three(void)
{
	for (int n = 0; n < 3; n++)
		add(n);
}

static void compacted_and_given(void **state)
{
	(void)state;
	int fd = fresh();
	assert_int_equal(reopen(fd), 0);
	assert_false(journal_bloated());
	while (!journal_bloated()) {
		add(1000);
		assert_int_equal(journal_commit(), 0);
	}
	assert_in_range(journal_stats()->bytes, JOURNAL_BLOAT, JOURNAL_BLOAT + 100);
	add(1001); /* of this turn; the save knows it */
	give_answer = 0;
	assert_int_equal(journal_compact(save_three, give), 0);
	assert_int_equal(journal_stats()->compactions, 1);
	assert_false(journal_bloated());
	assert_int_equal(journal_commit(), 0);
	add(3);
	assert_int_equal(journal_commit(), 0);
	add(4); /* never committed */
	journal_close();
	assert_int_equal(reopen(given), 0);
	assert_seen(0, 4);
	journal_close();
	close(given);
	close(fd);
}

/* The keeper did not get it: the old one goes on, with this turn in it. */
static void compacted_in_vain(void **state)
{
	(void)state;
	int fd = fresh();
	assert_int_equal(reopen(fd), 0);
	add(0);
	assert_int_equal(journal_commit(), 0);
	add(1);
	give_answer = -1;
	assert_int_equal(journal_compact(save_three, give), -1);
	assert_int_equal(journal_stats()->compactions, 0);
	assert_int_equal(journal_commit(), 0);
	add(2);
	assert_int_equal(journal_commit(), 0);
	journal_close();
	assert_int_equal(reopen(fd), 0);
	assert_seen(0, 3);
	journal_close();
	close(fd);
}

static size_t descriptors(void)
{
	size_t n = 0;
	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void no_descriptor_stays(void **state)
{
	(void)state;
	int fd = fresh();
	size_t before = descriptors();
	assert_int_equal(reopen(fd), 0);
	for (int i = 0; i < 20; i++) {
		give_answer = i % 2 ? -1 : 0;
		journal_compact(save_three, give);
		if (give_answer == 0)
			close(given);
		assert_int_equal(descriptors(), before + (give_answer ? 1 : 2)); /* the journal, and the spare */
	}
	journal_close();
	assert_int_equal(descriptors(), before);
	close(fd);
}

static ino_t inode(int fd)
{
	struct stat st;
	assert_int_equal(fstat(fd, &st), 0);
	return st.st_ino;
}

static off_t file_bytes(int fd)
{
	struct stat st;
	assert_int_equal(fstat(fd, &st), 0);
	return st.st_size;
}

/* Compacts, and closes what was given before; what an engine would find is the three. */
static ino_t compact_three(int *fd)
{
	give_answer = 0;
	assert_int_equal(journal_compact(save_three, give), 0);
	close(*fd);
	*fd = given;
	return inode(given);
}

/* Each other compaction writes where the last but one had: over what is longer, and out of date. */
static void two_files_take_turns(void **state)
{
	(void)state;
	int fd = fresh();
	ino_t inodes[2] = {inode(fd)};
	assert_int_equal(reopen(fd), 0);
	for (int i = 1; i < 10; i++) {
		for (int n = 0; n < 100; n++)
			add(500 + n);
		assert_int_equal(journal_commit(), 0);
		ino_t at = compact_three(&fd);
		if (i == 1)
			inodes[1] = at;
		assert_int_equal(at, inodes[i % 2]);
		assert_int_equal(journal_commit(), 0);
	}
	journal_close();
	assert_int_equal(reopen(fd), 0);
	assert_seen(0, 3);
	journal_close();
	close(fd);
}

/* The one that the keeper has is whole while the other is written. */
static void died_while_compacting(void **state)
{
	(void)state;
	int fd = fresh();
	assert_int_equal(reopen(fd), 0);
	compact_three(&fd);
	compact_three(&fd);
	add(3);
	assert_int_equal(journal_commit(), 0);
	give_answer = -1;
	assert_int_equal(journal_compact(save_three, give), -1);
	journal_close();
	assert_int_equal(reopen(fd), 0);
	assert_seen(0, 4);
	journal_close();
	close(fd);
}

static void what_was_large_is_not_kept(void **state)
{
	(void)state;
	enum { SIZE = 1 << 20 };
	AUTO_FREE char *big = calloc(1, SIZE);
	int fd = fresh();
	assert_int_equal(reopen(fd), 0);
	for (int i = 0; i < 20; i++)
		journal_add(JOURNAL_TEXT, big, SIZE);
	assert_int_equal(journal_commit(), 0);
	assert_true(file_bytes(fd) > 20 * SIZE);
	for (int i = 0; i < 4; i++) {
		compact_three(&fd);
		assert_true(file_bytes(fd) < 2 * SIZE);
	}
	journal_close();
	close(fd);
}

/* --- no memory ---------------------------------------------------------------------------------------------------- */

static void fill(void)
{
	char body[4096] = {0};
	for (int i = 0; i < 100; i++)
		journal_add(JOURNAL_TEXT, body, sizeof(body));
}

/* The turn that did not fit is not committed, not even the part of it that did; a compaction saves it. */
static void no_memory_to_grow(void **state)
{
	(void)state;
	int fd = fresh();
	assert_int_equal(reopen(fd), 0);
	add(0);
	assert_int_equal(journal_commit(), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW), 0);
	fill();
	add(1);
	assert_int_equal(journal_commit(), -1);
	assert_int_equal(journal_stats()->failed, 1);
	assert_true(journal_bloated());
	add(2);
	assert_int_equal(journal_commit(), -1); /* not healed by a later record that fits */
	give_answer = -1;
	assert_int_equal(journal_compact(save_three, give), -1);
	assert_int_equal(journal_commit(), -1);
	give_answer = 0;
	assert_int_equal(journal_compact(save_three, give), 0);
	assert_int_equal(journal_commit(), 0);
	journal_close();
	assert_int_equal(reopen(given), 0);
	assert_seen(0, 3);
	journal_close();
	close(given);
	assert_int_equal(reopen(fd), 0); /* an engine that could not: the last whole turn */
	assert_seen(0, 1);
	journal_close();
	close(fd);
}

static void file_size(rlim_t max)
{
	struct rlimit r;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &r), 0);
	r.rlim_cur = max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &r), 0);
}

static void no_memory_for_a_new_one(void **state)
{
	(void)state;
	int fd = fresh();
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(reopen(fd), 0);
	add(0);
	assert_int_equal(journal_commit(), 0);
	file_size(1000);
	give_answer = 0;
	assert_int_equal(journal_compact(save_three, give), -1);
	assert_int_equal(journal_commit(), 0);
	fill();
	assert_int_equal(journal_commit(), -1);
	assert_int_equal(journal_compact(save_three, give), -1);
	journal_close();
	int none = fresh();
	assert_int_equal(reopen(none), -1); /* not even a beginning */
	journal_close();
	file_size(RLIM_INFINITY);
	assert_int_equal(reopen(none), 0);
	assert_usable(none);
	assert_int_equal(reopen(fd), 0);
	assert_seen(0, 1);
	add(1);
	assert_int_equal(journal_commit(), 0);
	journal_close();
	close(fd);
}

static void too_long_a_record(void **state)
{
	(void)state;
	int fd = fresh();
	assert_int_equal(reopen(fd), 0);
	char *p = mmap(NULL, JOURNAL_RECORD_MAX + 1, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	assert_true(p != MAP_FAILED);
	journal_add(JOURNAL_TEXT, p, JOURNAL_RECORD_MAX + 1);
	assert_int_equal(journal_commit(), -1);
	munmap(p, JOURNAL_RECORD_MAX + 1);
	journal_close();
	close(fd);
}

/* --- a walk ------------------------------------------------------------------------------------------------------- */

static int model_first, model_committed, model_next; /* records [first, committed) are there */

static void save_model(void)
{
	for (int n = model_first; n < model_next; n++)
		add(n);
}

/* Turns, deaths in the middle of turns, compactions that arrive and that do not. */
static void walk(void **state)
{
	(void)state;
	uint64_t x = 42;
	int fd = fresh();
	assert_int_equal(reopen(fd), 0);
	for (int step = 0; step < 20000; step++) {
		x = x * 6364136223846793005u + 1442695040888963407u;
		unsigned r = (unsigned)(x >> 40);
		switch (r % 16) {
		case 0: /* dies */
			journal_close();
			assert_int_equal(reopen(fd), 0);
			assert_seen(model_first, model_committed);
			model_next = model_committed;
			break;
		case 1:
			give_answer = r >> 8 & 1 ? -1 : 0;
			model_first = give_answer ? model_first : MAX(model_first, model_next - 100);
			assert_int_equal(journal_compact(save_model, give), give_answer);
			if (give_answer == 0) {
				close(fd);
				fd = given;
				model_committed = model_next;
			}
			break;
		case 2:
		case 3:
		case 4:
			assert_int_equal(journal_commit(), 0);
			model_committed = model_next;
			break;
		default:
			if (model_next - model_first < 4000)
				add(model_next++);
		}
	}
	journal_close();
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(there_and_back),
		cmocka_unit_test(two_parts_and_none),
		cmocka_unit_test(uncommitted_is_invisible),
		cmocka_unit_test(grows),
		cmocka_unit_test(refused_bodies_count),
		cmocka_unit_test(files_that_are_none),
		cmocka_unit_test(the_magic_flipped),
		cmocka_unit_test(every_tail),
		cmocka_unit_test(every_bit),
		cmocka_unit_test(impossible_lengths),
		cmocka_unit_test(every_size),
		cmocka_unit_test(compacted_and_given),
		cmocka_unit_test(compacted_in_vain),
		cmocka_unit_test(no_descriptor_stays),
		cmocka_unit_test(two_files_take_turns),
		cmocka_unit_test(died_while_compacting),
		cmocka_unit_test(what_was_large_is_not_kept),
		cmocka_unit_test(no_memory_to_grow),
		cmocka_unit_test(no_memory_for_a_new_one),
		cmocka_unit_test(too_long_a_record),
		cmocka_unit_test(walk),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
