/* SPDX-License-Identifier: MIT */
/* The recorded answers: what is kept and for how long, and that a journal's records bring them back. */
#include "daemon/engine/answers.c"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
/* after setjmp.h and stdarg.h */
#include <cmocka.h>

#define SEC NSEC_PER_SEC

static const uint8_t one[16] = "session number 1", two[16] = "session number 2";

/* A journal of the test's: the records of JOURNAL_ANSWER, one after another. */
static struct {
	struct buf records;
	size_t n, ends[1024];
} journal;

void journal_add2(enum journal_type type, const void *a, size_t na, const void *b, size_t nb)
{
	assert_int_equal(type, JOURNAL_ANSWER);
	buf_put(&journal.records, a, na);
	buf_put(&journal.records, b, nb);
	journal.ends[journal.n++] = journal.records.len;
}

static struct span record(size_t i)
{
	size_t begin = i ? journal.ends[i - 1] : 0;
	return (struct span){journal.records.p + begin, journal.ends[i] - begin};
}

static int forget_all(void **state)
{
	(void)state;
	while (oldest())
		session_free(oldest());
	map_done(&answers.by_key);
	buf_done(&journal.records);
	journal.n = 0;
	assert_int_equal(answers.bytes, 0);
	return 0;
}

static const char *text(const char *format, int n)
{
	static char at[2][32];
	static int turn;
	turn = !turn;
	snprintf(at[turn], sizeof(at[turn]), format, n);
	return at[turn];
}

static void put(const uint8_t session[16], int id, nsec_t now)
{
	answers_put(7, session, span_of(text("%d", id)), span_of(text("{\"result\":%d}", id)), now);
}

static bool has(uid_t uid, const uint8_t session[16], int id)
{
	struct span reply;
	if (!answers_find(uid, session, span_of(text("%d", id)), &reply))
		return false;
	assert_true(span_is(reply, text("{\"result\":%d}", id)));
	return true;
}

static void an_answer_is_found_by_all_of_its_key(void **state)
{
	(void)state;
	put(one, 1, 0);
	assert_true(has(7, one, 1));
	assert_false(has(7, one, 2));
	assert_false(has(7, two, 1));
	assert_false(has(8, one, 1));
}

static void ids_are_compared_as_they_are_written(void **state)
{
	(void)state;
	struct span reply;
	answers_put(7, one, SPAN("\"1\""), SPAN("{}"), 0);
	assert_false(answers_find(7, one, SPAN("1"), &reply));
	assert_true(answers_find(7, one, SPAN("\"1\""), &reply));
}

static void the_newest_answer_to_an_id_counts(void **state)
{
	(void)state;
	struct span reply;
	answers_put(7, one, SPAN("1"), SPAN("{\"a\":1}"), 0);
	answers_put(7, one, SPAN("1"), SPAN("{}"), 0);
	assert_true(answers_find(7, one, SPAN("1"), &reply));
	assert_true(span_is(reply, "{}"));
	assert_int_equal(answers.bytes, 3);
}

static void a_session_keeps_its_last_ones(void **state)
{
	(void)state;
	for (int i = 0; i < ANSWERS_PER_SESSION + 10; i++)
		put(one, i, 0);
	put(two, 1, 0);
	assert_false(has(7, one, 9));
	for (int i = 10; i < ANSWERS_PER_SESSION + 10; i++)
		assert_true(has(7, one, i));
	assert_true(has(7, two, 1));
}

static void answers_are_kept_after_the_newest_of_their_session(void **state)
{
	(void)state;
	put(one, 1, 0);
	put(two, 1, 10 * SEC);
	put(one, 2, 20 * SEC);
	answers_tick(10 * SEC + ANSWERS_KEEP);
	assert_true(has(7, two, 1));
	answers_tick(20 * SEC + ANSWERS_KEEP);
	assert_false(has(7, two, 1));
	assert_true(has(7, one, 1) && has(7, one, 2));
	answers_tick(21 * SEC + ANSWERS_KEEP);
	assert_false(has(7, one, 1) || has(7, one, 2));
}

static void the_oldest_session_makes_room(void **state)
{
	(void)state;
	uint8_t session[16] = {0};
	for (int i = 0; i <= ANSWERS_SESSIONS_MAX; i++) {
		journal.n = 0;
		memcpy(session, &i, sizeof(i));
		put(session, 1, i);
	}
	assert_true(has(7, session, 1));
	memset(session, 0, sizeof(session));
	assert_false(has(7, session, 1));
	session[0] = 1;
	assert_true(has(7, session, 1));
}

static void bytes_are_bounded(void **state)
{
	(void)state;
	AUTO_BUF large = BUF_INIT;
	struct span reply;
	size_t n = ANSWERS_BYTES_MAX / 4;
	memset(buf_room(&large, n), 'x', n);
	large.len = n;
	put(two, 1, 0);
	for (int i = 0; i < 4; i++)
		answers_put(7, one, span_of(text("%d", i)), buf_view(&large), i);
	assert_false(has(7, two, 1)); /* the oldest */
	assert_true(answers_find(7, one, SPAN("3"), &reply));
	put(two, 2, 5);
	assert_true(has(7, two, 2));
	assert_true(answers.bytes <= ANSWERS_BYTES_MAX);
}

static void the_journal_brings_them_back(void **state)
{
	(void)state;
	put(one, 1, 0);
	put(two, 2, 0);
	put(one, 3, SEC);
	struct buf kept = journal.records;
	size_t n = journal.n;
	journal.records = (struct buf)BUF_INIT;
	forget_all(NULL);
	journal.records = kept;
	for (size_t i = 0; i < n; i++)
		assert_int_equal(answers_load(record(i), SEC), 0);
	assert_true(has(7, one, 1) && has(7, two, 2) && has(7, one, 3));
	assert_false(has(8, one, 1));
	answers_save(SEC);
	assert_int_equal(journal.n, 3);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(answers_load(record(i), SEC), 0);
	assert_true(has(7, one, 1) && has(7, two, 2) && has(7, one, 3));
}

static void a_compaction_leaves_out_what_is_too_old(void **state)
{
	(void)state;
	put(one, 1, 0);
	journal.n = 0;
	answers_save(ANSWERS_KEEP + 1);
	assert_int_equal(journal.n, 0);
}

static void any_body_is_survived(void **state)
{
	(void)state;
	put(one, 1234567, 0);
	AUTO_BUF body = BUF_INIT;
	for (size_t cut = 0; cut < record(0).n; cut++) {
		bool whole = cut >= sizeof(struct head) + strlen("1234567"); /* without a reply: accepted */
		buf_done(&body);
		buf_put(&body, record(0).p, cut); /* so that a read beyond it is seen */
		assert_int_equal(answers_load(buf_view(&body), 0), whole ? 0 : -1);
	}
	for (uint32_t length = 0; length < 64; length++) {
		buf_done(&body);
		buf_span(&body, record(0));
		memcpy(body.p + offsetof(struct head, id_length), &(uint32_t){length * 0x08080809u}, sizeof(length));
		answers_load(buf_view(&body), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(an_answer_is_found_by_all_of_its_key, forget_all),
		cmocka_unit_test_teardown(ids_are_compared_as_they_are_written, forget_all),
		cmocka_unit_test_teardown(the_newest_answer_to_an_id_counts, forget_all),
		cmocka_unit_test_teardown(a_session_keeps_its_last_ones, forget_all),
		cmocka_unit_test_teardown(answers_are_kept_after_the_newest_of_their_session, forget_all),
		cmocka_unit_test_teardown(the_oldest_session_makes_room, forget_all),
		cmocka_unit_test_teardown(bytes_are_bounded, forget_all),
		cmocka_unit_test_teardown(the_journal_brings_them_back, forget_all),
		cmocka_unit_test_teardown(a_compaction_leaves_out_what_is_too_old, forget_all),
		cmocka_unit_test_teardown(any_body_is_survived, forget_all),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
