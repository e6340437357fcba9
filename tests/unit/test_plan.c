/* SPDX-License-Identifier: MIT */
/*
 * plan_check() takes what a maker makes and refuses each single thing that is wrong with it. Plans lie at the end of a
 * page whose next one cannot be read: one byte too far and the test is dead.
 */
#include "common/planmake.h"
#include <setjmp.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <cmocka.h>

#define ARGC 3
#define ENVC 2
#define GROUPS 4
#define LIMITS 2

static const char strings[] = "/bin/echo\0hello\0\0A=1\0B=\0/tmp\0/dev/full";
enum { ARG0 = 0, ARG1 = 10, ARG2 = 16, ENV0 = 17, ENV1 = 21, CWD = 24, PATH = 29 };

/* A whole plan as a maker may lay it out. */
struct made {
	struct plan head;
	uint32_t argv[ARGC], envp[ENVC], groups[GROUPS];
	struct plan_limit limits[LIMITS] __attribute__((aligned(8)));
	char text[(sizeof(strings) + 7) / 8 * 8];
	char room[PLAN_ROOM(ARGC, ENVC)] __attribute__((aligned(8)));
};

#define TEXT(at) ((uint32_t)(offsetof(struct made, text) + (at)))

static struct made make(void)
{
	struct made m = {
		.head = {.magic = PLAN_MAGIC,
			 .size = sizeof(m),
			 .flags = PLAN_CREDS,
			 .argc = ARGC,
			 .envc = ENVC,
			 .argv = offsetof(struct made, argv),
			 .envp = offsetof(struct made, envp),
			 .cwd = TEXT(CWD),
			 .path = {0, 0, TEXT(PATH)},
			 .stdio = {PLAN_NULL, PLAN_PIPE, PLAN_FILE},
			 .umask = 022,
			 .ngroups = GROUPS,
			 .groups = offsetof(struct made, groups),
			 .limits = offsetof(struct made, limits),
			 .nlimits = LIMITS,
			 .room = offsetof(struct made, room)},
		.argv = {TEXT(ARG0), TEXT(ARG1), TEXT(ARG2)},
		.envp = {TEXT(ENV0), TEXT(ENV1)},
		.limits = {{RLIMIT_NOFILE, 0, 64, 128}, {RLIMIT_CORE, 0, 0, PLAN_UNLIMITED}},
	};
	memcpy(m.text, strings, sizeof(strings));
	return m;
}

static char *guarded; /* two pages, and one behind them that nobody may touch */
#define GUARDED_SIZE 8192u

static int make_guard(void **state)
{
	(void)state;
	guarded = mmap(NULL, GUARDED_SIZE + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return guarded == MAP_FAILED ? -1 : mprotect(guarded + GUARDED_SIZE, 4096, PROT_NONE);
}

static int drop_guard(void **state)
{
	(void)state;
	return munmap(guarded, GUARDED_SIZE + 4096);
}

/* Checks SIZE bytes that end where the memory ends, or up to seven bytes before it: plans are aligned. */
static int check(const void *bytes, size_t size)
{
	return plan_check(memcpy(guarded + GUARDED_SIZE - (size + 7) / 8 * 8, bytes, size), size);
}

static int check_made(const struct made *m) { return check(m, sizeof(*m)); }

static void a_good_plan_passes(void **state)
{
	(void)state;
	struct made m = make();
	assert_int_equal(check_made(&m), 0);
	m.head.size = sizeof(m);
	char longer[sizeof(m) + 64] = {0};
	memcpy(longer, &m, sizeof(m));
	assert_int_equal(check(longer, sizeof(longer)), 0); /* what is behind a plan is not its own */
}

static void the_least_plan_passes(void **state)
{
	(void)state;
	struct made m = make();
	m.head.envc = m.head.envp = m.head.ngroups = m.head.groups = m.head.cwd = m.head.path[2] = 0;
	m.head.nlimits = m.head.limits = 0;
	m.head.argc = 1;
	m.head.stdio[2] = PLAN_STDOUT;
	m.head.umask = -1;
	m.head.flags = 0;
	assert_int_equal(check_made(&m), 0);
}

/* Each line makes one thing wrong; `m` is a good plan before it. */
#define REFUSED(change)                                                                                                \
	do {                                                                                                           \
		struct made m = make();                                                                                \
		change;                                                                                                \
		if (check_made(&m) == 0)                                                                               \
			fail_msg("taken: %s", #change);                                                                \
	} while (0)

static void wrong_headers_are_refused(void **state)
{
	(void)state;
	REFUSED(m.head.magic++);
	REFUSED(m.head.size++);
	REFUSED(m.head.size = sizeof(struct plan) - 1);
	REFUSED(m.head.size = UINT32_MAX);
	REFUSED(m.head.flags |= 8);
	REFUSED(m.head.argc = 0);
	REFUSED(m.head.argc = PLAN_ARGS_MAX + 1);
	REFUSED(m.head.argc = UINT32_MAX);
	REFUSED(m.head.envc = UINT32_MAX);
	REFUSED(m.head.ngroups = 65537);
	REFUSED(m.head.nlimits = PLAN_LIMITS_MAX + 1);
	REFUSED(m.head.umask = -2);
	REFUSED(m.head.umask = 01000);
	REFUSED(m.head.nice = 20);
	REFUSED(m.head.nice = -21);
}

static void wrong_offsets_are_refused(void **state)
{
	(void)state;
	const uint32_t room = offsetof(struct made, room);
	REFUSED(m.head.argv = 0);
	REFUSED(m.head.argv += 2);
	REFUSED(m.head.argv = sizeof(m) - 8);
	REFUSED(m.head.argv = UINT32_MAX - 3);
	REFUSED(m.head.envp = 4);
	REFUSED(m.head.envp = room);
	REFUSED(m.head.groups = sizeof(m) - 4);
	REFUSED(m.head.groups++);
	REFUSED(m.head.ngroups = 65536);
	REFUSED(m.head.groups = room + 8);
	REFUSED(m.head.groups = room - 8);
	REFUSED(m.head.limits = 0);
	REFUSED(m.head.limits += 4);
	REFUSED(m.head.limits = sizeof(m) - 24);
	REFUSED(m.head.limits = room - 24);
	REFUSED(m.head.limits = UINT32_MAX - 7);
	REFUSED(m.limits[1].resource = RLIM_NLIMITS);
	REFUSED(m.limits[0].resource = UINT32_MAX);
	REFUSED(m.head.room = 0);
	REFUSED(m.head.room += 4);
	REFUSED(m.head.room += 8);
	REFUSED(m.head.room = offsetof(struct made, argv));
	REFUSED(m.head.room = UINT32_MAX - 7);
}

static void wrong_strings_are_refused(void **state)
{
	(void)state;
	const uint32_t room = offsetof(struct made, room);
	REFUSED(m.argv[0] = 0);
	REFUSED(m.argv[1] = sizeof(struct plan) - 1);
	REFUSED(m.argv[2] = sizeof(m));
	REFUSED(m.argv[2] = UINT32_MAX);
	REFUSED(m.envp[1] = room);
	REFUSED(m.envp[0] = room + sizeof(m.room) - 1);
	REFUSED(m.head.cwd = sizeof(m));
	REFUSED(m.head.cwd = 8);
	REFUSED(m.head.path[2] = room + 3);
	REFUSED(m.head.path[0] = sizeof(m));
	REFUSED(memset(m.text + PATH, 'x', sizeof(m.text) - PATH)); /* it would end in the room, which is written */
}

static void wrong_stdio_is_refused(void **state)
{
	(void)state;
	REFUSED(m.head.stdio[0] = PLAN_PIPE);
	REFUSED(m.head.stdio[0] = PLAN_STDOUT);
	REFUSED(m.head.stdio[1] = PLAN_STDOUT);
	REFUSED(m.head.stdio[1] = PLAN_FILE);
	REFUSED(m.head.stdio[2] = PLAN_STDOUT + 1);
	REFUSED(m.head.stdio[2] = 255);
	REFUSED(m.head.path[2] = 0);
}

static void strings_may_lie_behind_the_room(void **state)
{
	(void)state;
	struct {
		struct plan head;
		uint32_t argv[1];
		char room[PLAN_ROOM(1, 0)] __attribute__((aligned(8)));
		char text[8];
	} p = {.head = make().head, .text = "true"};
	p.head.size = sizeof(p);
	p.head.argc = 1;
	p.head.envc = p.head.ngroups = p.head.nlimits = p.head.cwd = p.head.path[2] = 0;
	p.head.stdio[2] = PLAN_PIPE;
	p.head.argv = (uint32_t)((char *)p.argv - (char *)&p);
	p.head.room = (uint32_t)(p.room - (char *)&p);
	p.argv[0] = (uint32_t)(p.text - (char *)&p);
	assert_int_equal(check(&p, sizeof(p)), 0);
	memset(p.text, 'x', sizeof(p.text));
	assert_int_equal(check(&p, sizeof(p)), -1);
}

static void every_shorter_piece_is_refused(void **state)
{
	(void)state;
	struct made m = make();
	for (size_t size = 0; size < sizeof(m); size++)
		assert_int_equal(check(&m, size), -1);
	assert_int_equal(plan_check(guarded + 4, sizeof(m)), -1); /* its numbers would not be aligned */
}

/* Whatever has been changed: what passes holds what the keeper relies on. */
static void assert_safe(const char *p, size_t size)
{
	struct plan h;
	memcpy(&h, p, sizeof(h));
	size_t room_end = h.room + PLAN_ROOM(h.argc, h.envc);
	assert_true(h.size <= size && room_end <= h.size && h.argc >= 1);
	size_t limits_end = h.limits + h.nlimits * sizeof(struct plan_limit);
	assert_true(h.nlimits == 0 || (limits_end <= h.size && (limits_end <= h.room || h.limits >= room_end)));
	for (uint32_t i = 0; i < h.nlimits; i++)
		assert_true(((const struct plan_limit *)(const void *)(p + h.limits))[i].resource < RLIM_NLIMITS);
	for (uint32_t i = 0; i < h.argc + h.envc; i++) {
		uint32_t from = i < h.argc ? h.argv + 4 * i : h.envp + 4 * (i - h.argc), string;
		memcpy(&string, p + from, sizeof(string));
		size_t end = string + strnlen(p + string, h.size - string);
		assert_true(end < h.size && (end < h.room || string >= room_end));
	}
}

static void changed_bytes_never_pass_unsafely(void **state)
{
	(void)state;
	uint64_t random = 42;
	size_t passed = 0;
	for (int round = 0; round < 200000; round++) {
		struct made m = make();
		for (int change = 0; change < 1 + round % 3; change++) {
			random = random * 6364136223846793005u + 1442695040888963407u;
			((unsigned char *)&m)[(random >> 33) % sizeof(m)] = (unsigned char)(random >> 25);
		}
		if (check_made(&m) == 0) {
			passed++;
			assert_safe((const char *)&m, sizeof(m));
		}
	}
	assert_true(passed > 0);
}

/* As many strings as may be, all of them the same long one: the work must not be their product. */
static void many_long_strings_take_no_time(void **state)
{
	(void)state;
	const uint32_t n = PLAN_ARGS_MAX;
	char *p = calloc(1, PLAN_MAX);
	struct plan h = make().head;
	h.size = PLAN_MAX;
	h.argc = h.envc = n;
	h.argv = h.envp = sizeof(h);
	h.ngroups = h.nlimits = h.cwd = h.path[2] = 0;
	h.stdio[2] = PLAN_NULL;
	uint32_t text = (uint32_t)sizeof(h) + 4 * n;
	h.room = (uint32_t)(PLAN_MAX - PLAN_ROOM(n, n)) & ~7u;
	memcpy(p, &h, sizeof(h));
	for (uint32_t i = 0; i < n; i++)
		memcpy(p + sizeof(h) + 4 * i, &text, sizeof(text));
	memset(p + text, 'x', h.room - text - 1);
	nsec_t begin = sys_now();
	assert_int_equal(plan_check(p, PLAN_MAX), 0);
	assert_true(sys_now() - begin < NSEC_PER_SEC);
	free(p);
}

static void what_is_made_passes(void **state)
{
	(void)state;
	const struct span argv[] = {SPAN("true")};
	const uint32_t groups[] = {7, 8, 9};
	const struct plan_limit limits[] = {{RLIMIT_NOFILE, 0, 64, 128}, {RLIMIT_CPU, 0, 1, PLAN_UNLIMITED}};
	struct plan_spec spec = {.argv = argv,
				 .argc = 1,
				 .umask = -1,
				 .flags = PLAN_CREDS,
				 .uid = 1,
				 .gid = 2,
				 .ngroups = 3,
				 .groups = groups,
				 .nlimits = 2,
				 .limits = limits};
	AUTO_BUF out = BUF_INIT;
	size_t at;
	buf_putc(&out, 'x');
	assert_int_equal(plan_make(&spec, &out, &at), 0);
	assert_int_equal(plan_check(out.p + at, out.len - at), 0);
	const struct plan *plan = (const void *)(out.p + at);
	assert_memory_equal(out.p + at + plan->groups, groups, sizeof(groups));
	assert_memory_equal(out.p + at + plan->limits, limits, sizeof(limits));
	spec.nlimits = spec.ngroups = 0;
	assert_int_equal(plan_make(&spec, &out, &at), 0);
	assert_int_equal(plan_check(out.p + at, out.len - at), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_plan_passes),
		cmocka_unit_test(what_is_made_passes),
		cmocka_unit_test(the_least_plan_passes),
		cmocka_unit_test(wrong_headers_are_refused),
		cmocka_unit_test(wrong_offsets_are_refused),
		cmocka_unit_test(wrong_strings_are_refused),
		cmocka_unit_test(wrong_stdio_is_refused),
		cmocka_unit_test(strings_may_lie_behind_the_room),
		cmocka_unit_test(every_shorter_piece_is_refused),
		cmocka_unit_test(changed_bytes_never_pass_unsafely),
		cmocka_unit_test(many_long_strings_take_no_time),
	};
	return cmocka_run_group_tests(tests, make_guard, drop_guard);
}
