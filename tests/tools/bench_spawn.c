/* SPDX-License-Identifier: MIT */
/*
 * bench_spawn MODE SOCKET N ROUNDS [MPCTL]: what mpd costs over what the system itself costs, in the same run.
 *
 *   serial   N times start and join /bin/true, one after the other    against N times posix_spawn and waitpid
 *   burst    N starts at once, then one join of all                   against N times posix_spawn, then N waitpid
 *   ping     N times `mpctl ping` as a whole command                  against N times /bin/true
 *
 * Rounds of both alternate, so that a machine that gets slower slows both. Prints one JSON line: the medians in
 * microseconds a turn, and the median of the rounds' ratios. Who calls it pins daemon and client to one processor.
 */
#include "common/scan.h"

#include <fcntl.h>
#include <inttypes.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#define ROUNDS_MAX 101

extern char **environ;

static const char *socket_path, *mpctl_path = "mpctl";
static size_t turns;
static posix_spawn_file_actions_t quiet; /* stdout to /dev/null */

static void die(const char *what)
{
	perror(what);
	exit(3);
}

/* --- the system --------------------------------------------------------------------------------------------------- */

static pid_t spawn(char *const argv[])
{
	pid_t pid;
	if ((errno = posix_spawnp(&pid, argv[0], &quiet, NULL, argv, environ)))
		die(argv[0]);
	return pid;
}

static void reap(pid_t pid)
{
	int status;
	if (RETRY(waitpid(pid, &status, 0)) < 0)
		die("waitpid");
	if (status != 0) {
		fprintf(stderr, "bench_spawn: a command failed (status %d)\n", status);
		exit(3);
	}
}

static void bare_serial(void)
{
	for (size_t i = 0; i < turns; i++)
		reap(spawn((char *[]){"/bin/true", NULL}));
}

static void bare_burst(void)
{
	for (size_t i = 0; i < turns; i++)
		spawn((char *[]){"/bin/true", NULL});
	for (size_t i = 0; i < turns; i++)
		reap(-1);
}

/* --- mpd ---------------------------------------------------------------------------------------------------------- */

static int wire = -1;
static struct buf in, out;
static size_t in_at;

static void wire_open(void)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	if (strlen(socket_path) >= sizeof(addr.sun_path)) {
		errno = ENAMETOOLONG;
		die(socket_path);
	}
	strcpy(addr.sun_path, socket_path);
	wire = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (wire < 0 || connect(wire, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		die(socket_path);
}

static void wire_send(void)
{
	for (size_t at = 0; at < out.len;) {
		ssize_t n = RETRY(write(wire, out.p + at, out.len - at));
		if (n < 0)
			die("write");
		at += (size_t)n;
	}
	buf_clear(&out, SIZE_MAX);
}

/* The result of the next reply; valid until the next call. */
static struct span wire_reply(void)
{
	char *end;
	while (!(end = in.len > in_at ? memchr(in.p + in_at, '\n', in.len - in_at) : NULL)) {
		buf_eat(&in, in_at);
		in_at = 0;
		char *room = buf_room(&in, 1 << 16);
		ssize_t n = room ? RETRY(read(wire, room, 1 << 16)) : -1;
		if (n <= 0)
			die("read");
		in.len += (size_t)n;
	}
	struct span line = {in.p + in_at, (size_t)(end - in.p) - in_at};
	in_at += line.n + 1;
	struct span result = scan_get(line, "result");
	if (!result.p) {
		fprintf(stderr, "bench_spawn: %.*s\n", (int)line.n, line.p);
		exit(3);
	}
	return result;
}

static uint64_t started(void)
{
	uint64_t id;
	if (scan_u64(scan_get(wire_reply(), "id"), &id) < 0)
		die("no id");
	return id;
}

static void ask_start(void)
{
	buf_puts(&out, "{\"id\":1,\"method\":\"process.start\",\"params\":{\"argv\":[\"/bin/true\"]}}\n");
}

static void check_joined(size_t n)
{
	struct span result = wire_reply(), done = scan_get(result, "done");
	if (!span_is(done, "true")) {
		fprintf(stderr, "bench_spawn: a join of %zu: %.*s\n", n, (int)MIN(result.n, 300), result.p);
		exit(3);
	}
}

static void mpd_serial(void)
{
	for (size_t i = 0; i < turns; i++) {
		ask_start();
		wire_send();
		buf_printf(&out, "{\"id\":2,\"method\":\"process.join\",\"params\":{\"targets\":\"#%" PRIu64 "\"}}\n",
			   started());
		wire_send();
		check_joined(1);
	}
}

static void mpd_burst(void)
{
	for (size_t i = 0; i < turns; i++)
		buf_printf(&out, "{\"id\":%zu,\"method\":\"process.start\",\"params\":{\"argv\":[\"/bin/true\"]}}\n",
			   i);
	wire_send();
	buf_puts(&out, "{\"id\":-1,\"method\":\"process.join\",\"params\":{\"targets\":[");
	for (size_t i = 0; i < turns; i++)
		buf_printf(&out, "%s\"#%" PRIu64 "\"", i ? "," : "", started());
	buf_puts(&out, "]}}\n");
	wire_send();
	check_joined(turns);
}

static void mpd_ping(void)
{
	for (size_t i = 0; i < turns; i++)
		reap(spawn((char *[]){(char *)mpctl_path, "-s", (char *)socket_path, "ping", NULL}));
}

/* --- both --------------------------------------------------------------------------------------------------------- */

static const struct mode {
	const char *name;
	void (*bare)(void), (*mpd)(void);
} modes[] = {
	{"serial", bare_serial, mpd_serial},
	{"burst", bare_burst, mpd_burst},
	{"ping", bare_serial, mpd_ping},
};

static double timed(void (*run)(void))
{
	nsec_t begin = sys_clock(CLOCK_MONOTONIC);
	run();
	return (double)(sys_clock(CLOCK_MONOTONIC) - begin) / 1e3 / (double)turns;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static double median(double *v, size_t n)
{
	qsort(v, n, sizeof(*v), by_size);
	return v[n / 2];
}

static void measure(const struct mode *mode, size_t rounds)
{
	double bare[ROUNDS_MAX], mpd[ROUNDS_MAX], ratio[ROUNDS_MAX];
	for (size_t i = 0; i < rounds; i++) {
		bare[i] = timed(mode->bare);
		mpd[i] = timed(mode->mpd);
		ratio[i] = mpd[i] / bare[i];
	}
	printf("{\"mode\":\"%s\",\"turns\":%zu,\"rounds\":%zu,\"bare_us\":%.1f,\"mpd_us\":%.1f,\"ratio\":%.3f}\n",
	       mode->name, turns, rounds, median(bare, rounds), median(mpd, rounds), median(ratio, rounds));
}

int main(int argc, char **argv)
{
	size_t rounds = argc > 4 ? strtoul(argv[4], NULL, 10) : 0;
	const struct mode *mode = NULL;
	for (size_t i = 0; argc > 4 && i < ARRAY_LEN(modes); i++)
		if (!strcmp(modes[i].name, argv[1]))
			mode = &modes[i];
	if (!mode || rounds < 1 || rounds > ROUNDS_MAX || (turns = strtoul(argv[3], NULL, 10)) < 1) {
		fprintf(stderr, "usage: bench_spawn serial|burst|ping SOCKET N ROUNDS [MPCTL]\n");
		return 2;
	}
	socket_path = argv[2];
	if (argc > 5)
		mpctl_path = argv[5];
	posix_spawn_file_actions_init(&quiet);
	posix_spawn_file_actions_addopen(&quiet, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	wire_open();
	measure(mode, rounds);
	posix_spawn_file_actions_destroy(&quiet);
	return 0;
}
