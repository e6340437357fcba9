/* SPDX-License-Identifier: MIT */
/*
 * A random walk through the objects: steps (objsteps.h) from dice, what must hold (objcheck.h) after each turn; and
 * through those that a model knows (objmodel.h), where everybody has to be told what the model says.
 *
 * Each walk is a process of its own, so that one that fails in any way can be walked again: with fewer and fewer steps,
 * until none can be left out. What is left is printed.
 */
#include "tests/unit/objcheck.h"
#include "tests/unit/objmodel.h"
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static bool modelled; /* by objmodel.h: then only what that knows is walked through */

/* --- dice --------------------------------------------------------------------------------------------------------- */

static uint64_t dice;

static uint32_t roll(uint32_t below)
{
	dice ^= dice << 13;
	dice ^= dice >> 7;
	dice ^= dice << 17;
	return (uint32_t)(dice >> 33) % below;
}

/* Of 256: how often each op comes. */
static const uint8_t odds[OP_COUNT] = {
	[OP_CALL] = 150, [OP_TURN] = 0,  [OP_READ] = 50,  [OP_PASS] = 12,   [OP_CANCEL] = 8, [OP_HANG_UP] = 8,
	[OP_DIE] = 6,    [OP_STUCK] = 4, [OP_DELETE] = 2, [OP_COMPACT] = 1, [OP_CRASH] = 1,
};

static uint8_t roll_op(void)
{
	uint32_t n = roll(242);
	uint8_t op = 0;
	for (; n >= odds[op]; op++)
		n -= odds[op];
	return op;
}

/* A walk keeps to few objects for a while, so that it gets somewhere with them. */
static struct move roll_move(size_t i)
{
	static uint8_t area, width;
	size_t n = modelled ? MODEL_SLOTS : SLOTS;
	if (i % 2048 == 0) {
		area = (uint8_t)roll((uint32_t)n);
		width = (uint8_t)(1 + roll(4));
	}
	return (struct move){.op = (uint8_t)(roll_op() | (roll(2) ? 128 : 0)),
			     .who = (uint8_t)roll(CLIENTS),
			     .slot = (uint8_t)((area + roll(width)) % n),
			     .verb = (uint8_t)roll(60),
			     .arg = (uint8_t)roll(256),
			     .how = (uint8_t)roll(256)};
}

/* --- a walk ------------------------------------------------------------------------------------------------------- */

static void walk_step(const struct move *m)
{
	struct move s = *m;
	s.op &= 127;
	step(&s);
	if (modelled)
		model_step(&s);
	if (m->op & 128)
		return;
	step_turn();
	if (modelled) {
		model_turn();
		model_compare();
	}
	check_all();
	if (steps.steps % 256 == 0)
		check_replay();
}

static void walk_moves(const struct move *moves, size_t n)
{
	steps_begin();
	if (modelled)
		model_begin();
	for (size_t i = 0; i < n; i++)
		walk_step(&moves[i]);
	step_turn();
	check_all();
	check_replay();
	steps.told = NULL;
	steps_end();
}

/* Where it failed: the first line that cmocka says of it, up to its end; or the signal. */
static void read_place(int fd, int status, char place[200])
{
	static char said[1 << 16];
	ssize_t n = pread(fd, said, sizeof(said) - 1, 0);
	said[n > 0 ? n : 0] = '\0';
	const char *line = strstr(said, " --- "), *sanitizer = strstr(said, "SUMMARY: ");
	line = line ? line : sanitizer ? sanitizer : "";
	snprintf(place, 200, "%d %.*s", status, (int)strcspn(line, "\n"), line);
}

/* In a process of its own. PLACE: where, "" if it did not. */
static bool walk_fails(const struct move *moves, size_t n, char place[200])
{
	int status, fd = memfd_create("said", MFD_CLOEXEC);
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		setenv("CMOCKA_TEST_ABORT", "1", 1);
		setvbuf(stdout, NULL, _IONBF, 0);
		dup2(fd, 1);
		dup2(fd, 2);
		alarm(10);
		walk_moves(moves, n);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	place[0] = '\0';
	if (status)
		read_place(fd, status, place);
	close(fd);
	return status != 0;
}

static bool fails_there(const struct move *moves, size_t n, const char *place)
{
	char now[200];
	return walk_fails(moves, n, now) && !strcmp(now, place);
}

/* Leaves out pieces, and ever smaller ones. */
static size_t shorten(struct move *moves, size_t n, const char *place)
{
	struct move *fewer = malloc(n * sizeof(*fewer));
	for (size_t piece = n / 2; piece; piece /= 2)
		for (size_t at = 0; at + piece <= n;) {
			memcpy(fewer, moves, at * sizeof(*moves));
			memcpy(fewer + at, moves + at + piece, (n - at - piece) * sizeof(*moves));
			if (fails_there(fewer, n - piece, place)) {
				n -= piece;
				memcpy(moves, fewer, n * sizeof(*moves));
			} else {
				at += piece;
			}
		}
	free(fewer);
	return n;
}

static void print_moves(const struct move *moves, size_t n)
{
	static const char *const ops[OP_COUNT] = {"call", "turn",  "read",   "pass",    "cancel", "hang up",
						  "die",  "stuck", "delete", "compact", "crash"};
	for (size_t i = 0; i < n; i++) {
		const struct move *m = &moves[i];
		bool call = (m->op & 127) == OP_CALL;
		print_message("\t{%3u, %u, %2u, %2u, %3u, %3u}, /* client %u: %s %s%s%s */\n", m->op, m->who, m->slot,
			      m->verb, m->arg, m->how, m->who, ops[m->op & 127], slots[m->slot].name, call ? " " : "",
			      call ? verb_of(slots[m->slot].kind, m->verb)->name : "");
	}
}

/* Of a check; what the sanitizers watch takes ten times as long. */
#ifdef __SANITIZE_ADDRESS__
#define STEPS 100000
#else
#define STEPS 1000000
#endif

/* --- what was found before ---------------------------------------------------------------------------------------- */

static void kept(void **state)
{
	static const struct move idle_pipe[] = {{0, 0, 21, 0, 37, 10}};
	static const struct move wait_again[] = {{128, 3, 11, 56, 187, 213}, {0, 0, 11, 22, 191, 217}};
	static const struct move extended[] = {{0, 0, 16, 9, 67, 58},
					       {128, 2, 16, 19, 128, 228},
					       {0, 0, 17, 55, 197, 28},
					       {0, 0, 16, 58, 196, 211},
					       {10, 0, 16, 25, 79, 180}};
	static const struct move handed_on[] = {{0, 3, 16, 27, 191, 253},
						{0, 3, 16, 46, 18, 44},
						{128, 0, 16, 46, 51, 97},
						{2, 3, 17, 16, 241, 79},
						{133, 3, 18, 27, 74, 202}};
	static const struct move cut[] = {{128, 2, 21, 18, 197, 206}, {0, 2, 21, 49, 246, 191}, {2, 2, 21, 56, 57, 16},
					  {128, 2, 21, 36, 5, 97},    {5, 2, 19, 0, 245, 242},  {0, 2, 21, 37, 74, 136},
					  {130, 2, 20, 59, 227, 79}};
	static const struct move doubted[] = {{128, 1, 19, 9, 44, 121},   {0, 2, 18, 53, 63, 152},
					      {0, 3, 19, 1, 42, 174},     {128, 5, 19, 0, 55, 1},
					      {128, 0, 19, 34, 230, 183}, {138, 1, 19, 30, 81, 81},
					      {128, 3, 19, 33, 153, 89},  {5, 3, 19, 21, 249, 251},
					      {0, 1, 19, 19, 174, 128},   {2, 1, 18, 49, 119, 188}};
	static const struct move oldest[] = {
		{0, 0, 15, 0, 181, 66},   {0, 2, 15, 27, 164, 39}, {0, 0, 15, 1, 151, 102}, {128, 1, 15, 22, 14, 68},
		{8, 5, 13, 22, 140, 148}, {10, 0, 12, 16, 37, 51}, {0, 0, 15, 59, 79, 106}};
	static const struct move set_late[] = {
		{128, 1, 10, 53, 76, 219}, {128, 3, 10, 36, 135, 34}, {3, 1, 2, 7, 95, 27}};
#define LIST(of)                                                                                                       \
	{                                                                                                              \
		of, ARRAY_LEN(of), false                                                                               \
	}
	static const struct {
		const struct move *moves;
		size_t n;
		bool modelled;
	} lists[] = {LIST(idle_pipe), LIST(wait_again), LIST(extended), LIST(handed_on),
		     LIST(cut),       LIST(doubted),    LIST(oldest),   {set_late, ARRAY_LEN(set_late), true}};
	char place[200];
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		modelled = lists[i].modelled;
		if (walk_fails(lists[i].moves, lists[i].n, place))
			fail_msg("list %zu: %s", i, place);
	}
}

/* --- all ---------------------------------------------------------------------------------------------------------- */

/* Walks are kept to a size that can be shortened in good time. */
#define MOVES 4096

static void walk_seed(uint64_t seed, size_t nmoves)
{
	struct move *moves = malloc(nmoves * sizeof(*moves));
	char place[200];
	dice = seed * 0x9e3779b97f4a7c15u + 1;
	for (size_t i = 0; i < nmoves; i++)
		moves[i] = roll_move(i);
	if (walk_fails(moves, nmoves, place)) {
		size_t n = shorten(moves, nmoves, place);
		print_message("seed %" PRIu64 ": %zu of %zu steps are enough:\n", seed, n, nmoves);
		print_moves(moves, n);
		fail_msg("seed %" PRIu64 ": %s", seed, place);
	}
	free(moves);
}

static void walk_seeds(void)
{
	uint64_t total = getenv("MPD_SOAK") ? 10000000 : STEPS;
	uint64_t first = getenv("MPD_SEED") ? strtoull(getenv("MPD_SEED"), NULL, 10) : 1,
		 end = first + total / MOVES + 1;
	for (uint64_t seed = first; seed < end; seed++)
		walk_seed(seed, MOVES);
	print_message("seeds %" PRIu64 " to %" PRIu64 ": %" PRIu64 " steps\n", first, end - 1, (end - first) * MOVES);
}

static void walk(void **state)
{
	(void)state;
	modelled = false;
	walk_seeds();
}

static void walk_model(void **state)
{
	(void)state;
	modelled = true;
	walk_seeds();
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(kept), cmocka_unit_test(walk),
					   cmocka_unit_test(walk_model)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
