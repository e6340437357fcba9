/* SPDX-License-Identifier: MIT */
/*
 * bench_objects MODE CLIENTS DEPTH MS ROUNDS REDIS_SOCKET REDIS_PIDS MPD_SOCKET MPD_PIDS: what mpd's objects cost
 * beside Redis's way to do the same, in the same run. PIDS: the server's processes, with commas between them.
 *
 *   ping     PING, twice                       mpd.ping, twice: what a request costs that does nothing
 *   putget   LPUSH, RPOP of one list           queue.put, queue.get of one queue, shared by all clients
 *   bulk     the same with 64 KiB              the same, the bytes as raw frames
 *   lock     SET NX PX, EVALSHA of the         lock.acquire, lock.release; a lock a client
 *            script that compares and deletes
 *   handoff  LPUSH to who waits in BLPOP       queue.put to who waits in queue.get
 *
 * 1. Both servers get the same client: one epoll loop, the same buffers, one send a batch of DEPTH requests, the next
 *    batch when all of it is answered. Requests are made before the clock runs; every reply is checked.
 * 2. A round measures both servers, and which comes first alternates: a machine that gets slower slows both. Ratios
 *    are mpd's figure by Redis's of the same round. A round is as many turns as take Redis MS milliseconds.
 * 3. handoff: producer and consumer are two processes that block in their reads; the producer's clock begins when the
 *    consumer waits at the server.
 *
 * Prints one JSON line. Who calls it pins servers and client.
 */
#include "common/buf.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#define ROUNDS_MAX 101
#define CLIENTS_MAX 1024
#define DEPTH_MAX 1024
#define TURNS_MAX 1000000
#define IN_SIZE ((size_t)160 << 10) /* of one client: a bulk reply, and what came of the next */
#define READ_MOST ((size_t)64 << 10)
#define EVENTS_MAX 128
#define BULK_SIZE 65536
#define BULK "65536"
#define ITEM "{\"seat\":7}"

static char bulk[BULK_SIZE];

static void die(const char *what)
{
	perror(what);
	exit(3);
}

static void must(bool good, const char *what)
{
	if (!good)
		die(what);
}

/* --- what is asked, and what must come back ----------------------------------------------------------------------- */

enum verb { PING, PUT, GET, PUT_BULK, GET_BULK, ACQUIRE, RELEASE, GIVE, TAKE, PREPARE, VERBS };

struct reply {
	const char *text; /* what it begins with (Redis), what is in its line (mpd) */
	size_t more;      /* bytes after the line */
};

struct protocol {
	/* Adds the request of a client to the buffer. */
	void (*put)(struct buf *, enum verb, size_t client, size_t id);
	/* How long the reply is that IN begins with, 0 while not all of it is there; dies when it is another. */
	size_t (*reply)(struct span in, enum verb);
};

static void die_of_reply(struct span in, const char *expected)
{
	fprintf(stderr, "bench_objects: %.*s\ninstead of %s\n", (int)MIN(in.n, 300), in.p, expected);
	exit(3);
}

/* TEXT with the client's number for each '@'. */
static void put_numbered(struct buf *out, const char *text, size_t client)
{
	for (; *text; text++) {
		if (*text == '@')
			buf_printf(out, "%zu", client);
		else
			buf_putc(out, *text);
	}
}

/* --- Redis's protocol --------------------------------------------------------------------------------------------- */

#define RESP_TOKEN "5a0c5bd1-9f2e-4f0e-8d60-1f0c2b7d0000-@"
#define RESP_SCRIPT "if redis.call('get',KEYS[1])==ARGV[1] then return redis.call('del',KEYS[1]) else return 0 end"
#define RESP_SHA "b998f9dfb154cdbea8cda65ad5177aadf0e945a2"
#define RESP_WORDS 6
static const char resp_bulk[] = "the bulk's bytes";

static const char *const resp_words[VERBS][RESP_WORDS] = {
	[PING] = {"PING"},
	[PUT] = {"LPUSH", "tickets", ITEM},
	[GET] = {"RPOP", "tickets"},
	[PUT_BULK] = {"LPUSH", "tickets", resp_bulk},
	[GET_BULK] = {"RPOP", "tickets"},
	[ACQUIRE] = {"SET", "lock-@", RESP_TOKEN, "NX", "PX", "30000"},
	[RELEASE] = {"EVALSHA", RESP_SHA, "1", "lock-@", RESP_TOKEN},
	[GIVE] = {"LPUSH", "handoff", ITEM},
	[TAKE] = {"BLPOP", "handoff", "0"},
	[PREPARE] = {"SCRIPT", "LOAD", RESP_SCRIPT},
};

/* A number without its end: any. */
static const struct reply resp_replies[VERBS] = {
	[PING] = {"+PONG\r\n", 0},
	[PUT] = {":", 0},
	[GET] = {"$10\r\n" ITEM "\r\n", 0},
	[PUT_BULK] = {":", 0},
	[GET_BULK] = {"$" BULK "\r\n", BULK_SIZE + 2},
	[ACQUIRE] = {"+OK\r\n", 0},
	[RELEASE] = {":1\r\n", 0},
	[GIVE] = {":", 0},
	[TAKE] = {"*2\r\n$7\r\nhandoff\r\n$10\r\n" ITEM "\r\n", 0},
	[PREPARE] = {"$40\r\n" RESP_SHA "\r\n", 0},
};

static void resp_put_word(struct buf *out, const char *word, size_t client)
{
	AUTO_BUF text = BUF_INIT;
	if (word == resp_bulk)
		buf_put(&text, bulk, sizeof(bulk));
	else
		put_numbered(&text, word, client);
	buf_printf(out, "$%zu\r\n", text.len);
	buf_span(out, buf_view(&text));
	buf_puts(out, "\r\n");
}

static void resp_put(struct buf *out, enum verb verb, size_t client, size_t id)
{
	const char *const *words = resp_words[verb];
	size_t n = 0;
	(void)id;
	while (n < RESP_WORDS && words[n])
		n++;
	buf_printf(out, "*%zu\r\n", n);
	for (size_t i = 0; i < n; i++)
		resp_put_word(out, words[i], client);
}

static size_t resp_reply(struct span in, enum verb verb)
{
	const struct reply *expected = &resp_replies[verb];
	size_t n = strlen(expected->text);
	if (memcmp(in.p, expected->text, MIN(in.n, n)) != 0)
		die_of_reply(in, expected->text);
	const char *end = in.n >= n ? memchr(in.p + n - 1, '\n', in.n - n + 1) : NULL;
	if (!end)
		return 0;
	n = (size_t)(end - in.p) + 1 + expected->more;
	return in.n >= n ? n : 0;
}

/* --- mpd's protocol ----------------------------------------------------------------------------------------------- */

static const char *const json_calls[VERBS] = {
	[PING] = "\"method\":\"mpd.ping\"",
	[PUT] = "\"method\":\"queue.put\",\"params\":{\"name\":\"tickets\",\"item\":" ITEM "}",
	[GET] = "\"method\":\"queue.get\",\"params\":{\"name\":\"tickets\"}",
	[PUT_BULK] = "\"method\":\"queue.put\",\"params\":{\"name\":\"tickets\"},\"raw\":" BULK,
	[GET_BULK] = "\"method\":\"queue.get\",\"params\":{\"name\":\"tickets\",\"want\":\"raw\"}",
	[ACQUIRE] = "\"method\":\"lock.acquire\",\"params\":{\"name\":\"lock-@\"}",
	[RELEASE] = "\"method\":\"lock.release\",\"params\":{\"name\":\"lock-@\"}",
	[GIVE] = "\"method\":\"queue.put\",\"params\":{\"name\":\"handoff\",\"item\":" ITEM "}",
	[TAKE] = "\"method\":\"queue.get\",\"params\":{\"name\":\"handoff\"}",
	[PREPARE] = "\"method\":\"queue.create\",\"params\":{\"name\":\"handoff\",\"exist_ok\":true}",
};

static const struct reply json_replies[VERBS] = {
	[PING] = {"\"result\":", 0},
	[PUT] = {"\"result\":{\"id\":", 0},
	[GET] = {"\"item\":" ITEM, 0},
	[PUT_BULK] = {"\"result\":{\"id\":", 0},
	[GET_BULK] = {"\"raw\":" BULK, BULK_SIZE},
	[ACQUIRE] = {"\"token\":", 0},
	[RELEASE] = {"\"result\":", 0},
	[GIVE] = {"\"result\":{\"id\":", 0},
	[TAKE] = {"\"item\":" ITEM, 0},
	[PREPARE] = {"\"result\":", 0},
};

static void json_put(struct buf *out, enum verb verb, size_t client, size_t id)
{
	buf_printf(out, "{\"id\":%zu,", id);
	put_numbered(out, json_calls[verb], client);
	buf_puts(out, "}\n");
	if (verb == PUT_BULK)
		buf_put(out, bulk, sizeof(bulk));
}

static size_t json_reply(struct span in, enum verb verb)
{
	const struct reply *expected = &json_replies[verb];
	const char *end = memchr(in.p, '\n', in.n);
	if (!end)
		return 0;
	size_t n = (size_t)(end - in.p) + 1;
	if (!memmem(in.p, n, expected->text, strlen(expected->text)))
		die_of_reply((struct span){in.p, n}, expected->text);
	n += expected->more;
	return in.n >= n ? n : 0;
}

/* --- the servers -------------------------------------------------------------------------------------------------- */

struct client {
	struct buf text[2]; /* the batches, sent in turn */
	size_t at;          /* which of them is under way */
	size_t sent, got;   /* bytes of it that went out, its replies that came */
	int fd;
	bool blocked; /* the socket took no more */
	size_t in_len;
	char in[IN_SIZE];
};

static struct server {
	const struct protocol protocol;
	const char *path;
	char *pids;
	struct client *clients;
	int epoll;
} servers[2] = {
	{.protocol = {resp_put, resp_reply}},
	{.protocol = {json_put, json_reply}},
};
static struct server *const redis = &servers[0], *const mpd = &servers[1];

static int server_connect(const struct server *s)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	must(strlen(s->path) < sizeof(addr.sun_path), s->path);
	strcpy(addr.sun_path, s->path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	must(fd >= 0 && connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0, s->path);
	return fd;
}

/* The time that a thread has run. */
static nsec_t thread_cpu(const char *pid, const char *tid)
{
	char path[300];
	int64_t ns = 0;
	snprintf(path, sizeof(path), "/proc/%s/task/%s/schedstat", pid, tid);
	FILE *f = fopen(path, "re");
	must(f && fscanf(f, "%" SCNd64, &ns) == 1, path);
	fclose(f);
	return ns;
}

static nsec_t process_cpu(const char *pid)
{
	char path[64];
	nsec_t sum = 0;
	snprintf(path, sizeof(path), "/proc/%s/task", pid);
	DIR *dir = opendir(path);
	must(dir, path);
	for (struct dirent *task; (task = readdir(dir));)
		if (task->d_name[0] != '.')
			sum += thread_cpu(pid, task->d_name);
	closedir(dir);
	return sum;
}

static nsec_t server_cpu(const struct server *s)
{
	AUTO_FREE char *pids = strdup(s->pids);
	char *rest;
	nsec_t sum = 0;
	for (char *pid = strtok_r(pids, ",", &rest); pid; pid = strtok_r(NULL, ",", &rest))
		sum += process_cpu(pid);
	return sum;
}

/* A request and its reply, on a socket that blocks. */
static void ask(const struct server *s, int fd, enum verb verb)
{
	static struct buf out;
	static char in[4096];
	size_t n = 0;
	buf_clear(&out, SIZE_MAX);
	s->protocol.put(&out, verb, 0, 1);
	must(write(fd, out.p, out.len) == (ssize_t)out.len, "write");
	do {
		ssize_t got = read(fd, in + n, sizeof(in) - n);
		must(got > 0, "read");
		n += (size_t)got;
	} while (!s->protocol.reply((struct span){in, n}, verb));
}

/* --- many clients ------------------------------------------------------------------------------------------------- */

static struct {
	const enum verb *verbs; /* two, in turn */
	size_t clients, depth;
	size_t left;    /* turns that no client has begun */
	size_t working; /* clients */
} load;

/* The batches of a turn: each verb by itself, or both in one. */
static size_t load_batches(void) { return load.depth == 1 ? 2 : 1; }
static size_t load_requests(size_t turns) { return turns * load_batches() * load.depth; }
static enum verb load_verb(const struct client *c, size_t i) { return load.verbs[(c->at + i) % 2]; }

static void client_watch(const struct server *s, struct client *c, bool blocked)
{
	struct epoll_event e = {.events = blocked ? EPOLLIN | EPOLLOUT : EPOLLIN, .data.ptr = c};
	if (c->blocked != blocked)
		must(epoll_ctl(s->epoll, EPOLL_CTL_MOD, c->fd, &e) == 0, "epoll_ctl");
	c->blocked = blocked;
}

static void client_send(const struct server *s, struct client *c)
{
	const struct buf *text = &c->text[c->at];
	ssize_t n = send(c->fd, text->p + c->sent, text->len - c->sent, MSG_NOSIGNAL);
	must(n >= 0 || errno == EAGAIN, "send");
	c->sent += (size_t)MAX(n, 0);
	client_watch(s, c, c->sent < text->len);
}

/* The next batch, unless that would be a new turn and there is none left. */
static void client_go_on(const struct server *s, struct client *c)
{
	c->got = c->sent = 0;
	c->at = (c->at + 1) % load_batches();
	if (c->at == 0 && load.left == 0) {
		load.working--;
		return;
	}
	load.left -= c->at == 0;
	client_send(s, c);
}

static void client_take(const struct server *s, struct client *c)
{
	size_t at = 0, n;
	while (at < c->in_len) {
		n = s->protocol.reply((struct span){c->in + at, c->in_len - at}, load_verb(c, c->got));
		if (n == 0)
			break;
		at += n;
		c->got++;
	}
	c->in_len -= at;
	memmove(c->in, c->in + at, c->in_len);
	if (c->got == load.depth)
		client_go_on(s, c);
}

static void client_ready(const struct server *s, struct client *c, uint32_t events)
{
	if (events & EPOLLOUT)
		client_send(s, c);
	if (!(events & ~(uint32_t)EPOLLOUT))
		return;
	ssize_t n = recv(c->fd, c->in + c->in_len, MIN(READ_MOST, IN_SIZE - c->in_len), 0);
	must(n > 0, "recv");
	c->in_len += (size_t)n;
	client_take(s, c);
}

static void load_run(const struct server *s, size_t turns)
{
	struct epoll_event events[EVENTS_MAX];
	load.left = turns;
	load.working = load.clients;
	for (size_t i = 0; i < load.clients; i++) {
		s->clients[i].at = load_batches() - 1;
		client_go_on(s, &s->clients[i]);
	}
	while (load.working > 0) {
		int n = (int)RETRY(epoll_wait(s->epoll, events, EVENTS_MAX, -1));
		must(n >= 0, "epoll_wait");
		for (int i = 0; i < n; i++)
			client_ready(s, events[i].data.ptr, events[i].events);
	}
}

static void client_open(const struct server *s, struct client *c, size_t number)
{
	for (size_t i = 0; i < load_batches(); i++)
		for (size_t j = 0; j < load.depth; j++)
			s->protocol.put(&c->text[i], load.verbs[(i + j) % 2], number, j + 1);
	c->fd = server_connect(s);
	struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
	must(fcntl(c->fd, F_SETFL, O_NONBLOCK) == 0 && epoll_ctl(s->epoll, EPOLL_CTL_ADD, c->fd, &e) == 0, "epoll_ctl");
}

static void load_open(struct server *s)
{
	s->epoll = epoll_create1(EPOLL_CLOEXEC);
	s->clients = calloc(load.clients, sizeof(*s->clients));
	must(s->epoll >= 0 && s->clients, "epoll_create");
	for (size_t i = 0; i < load.clients; i++)
		client_open(s, &s->clients[i], i);
}

static void load_close(struct server *s)
{
	for (size_t i = 0; i < load.clients; i++) {
		close(s->clients[i].fd);
		buf_done(&s->clients[i].text[0]);
		buf_done(&s->clients[i].text[1]);
	}
	free(s->clients);
	close(s->epoll);
}

/* --- one hands on to another who waits ---------------------------------------------------------------------------- */

static nsec_t *given, *taken; /* when; shared with the consumer */

/* The consumer: says that it is about to wait, and waits. Ends with the process. */
static void consume(const struct server *s, size_t turns, int ready)
{
	int fd = server_connect(s);
	AUTO_BUF out = BUF_INIT;
	char in[4096];
	s->protocol.put(&out, TAKE, 0, 1);
	for (size_t i = 0; i < turns; i++) {
		must(write(fd, out.p, out.len) == (ssize_t)out.len && write(ready, "", 1) == 1, "write");
		ssize_t n = read(fd, in, sizeof(in));
		taken[i] = sys_clock(CLOCK_MONOTONIC);
		must(n > 0 && s->protocol.reply((struct span){in, (size_t)n}, TAKE) == (size_t)n, "read");
	}
	exit(0);
}

/* The server answers a ping only when it has read what the consumer wrote before. */
static void produce(const struct server *s, size_t turns, int ready)
{
	AUTO_FD fd = server_connect(s);
	char byte;
	for (size_t i = 0; i < turns; i++) {
		must(read(ready, &byte, 1) == 1, "the consumer");
		ask(s, fd, PING);
		given[i] = sys_clock(CLOCK_MONOTONIC);
		ask(s, fd, GIVE);
	}
}

static void handoff_run(const struct server *s, size_t turns)
{
	int ready[2], status;
	must(pipe2(ready, O_CLOEXEC) == 0, "pipe");
	pid_t consumer = fork();
	must(consumer >= 0, "fork");
	if (consumer == 0)
		consume(s, turns, ready[1]);
	close(ready[1]);
	produce(s, turns, ready[0]);
	close(ready[0]);
	must(RETRY(waitpid(consumer, &status, 0)) == consumer && status == 0, "the consumer");
}

static void handoff_open(struct server *s)
{
	(void)s;
	if (given)
		return;
	given = mmap(NULL, 2 * TURNS_MAX * sizeof(*given), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	must(given != MAP_FAILED, "mmap");
	taken = given + TURNS_MAX;
}

static void handoff_close(struct server *s) { (void)s; }

/* --- rounds ------------------------------------------------------------------------------------------------------- */

static const struct mode {
	const char *name;
	enum verb verbs[2];
	void (*open)(struct server *), (*run)(const struct server *, size_t turns), (*close)(struct server *);
} modes[] = {
	{"ping", {PING, PING}, load_open, load_run, load_close},
	{"putget", {PUT, GET}, load_open, load_run, load_close},
	{"bulk", {PUT_BULK, GET_BULK}, load_open, load_run, load_close},
	{"lock", {ACQUIRE, RELEASE}, load_open, load_run, load_close},
	{"handoff", {GIVE, TAKE}, handoff_open, handoff_run, handoff_close},
};

/* What a round tells of a server. */
enum figure { RATE, CPU, P50, P99, FIGURES };

static const char *const figure_names[FIGURES] = {"rate", "cpu_us", "p50_us", "p99_us"};
static double found[FIGURES][2][ROUNDS_MAX];

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

/* The value that the share Q of them is not above. */
static double quantile(const double *values, size_t n, double q)
{
	AUTO_FREE double *sorted = malloc(n * sizeof(*sorted));
	must(sorted, "malloc");
	memcpy(sorted, values, n * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), by_size);
	return sorted[(size_t)((double)(n - 1) * q + 0.5)];
}

static void handoff_figures(size_t side, size_t turns, size_t round)
{
	AUTO_FREE double *took = malloc(turns * sizeof(*took));
	must(took, "malloc");
	for (size_t i = 0; i < turns; i++)
		took[i] = (double)(taken[i] - given[i]) / 1e3;
	found[P50][side][round] = quantile(took, turns, 0.5);
	found[P99][side][round] = quantile(took, turns, 0.99);
}

static nsec_t timed(const struct mode *mode, const struct server *s, size_t turns)
{
	nsec_t begin = sys_clock(CLOCK_MONOTONIC);
	mode->run(s, turns);
	return sys_clock(CLOCK_MONOTONIC) - begin;
}

static void measure(const struct mode *mode, size_t side, size_t turns, size_t round)
{
	double requests = mode->run == handoff_run ? (double)turns : (double)load_requests(turns);
	nsec_t cpu = server_cpu(&servers[side]), took = timed(mode, &servers[side], turns);
	found[RATE][side][round] = requests / (double)took * 1e9;
	found[CPU][side][round] = (double)(server_cpu(&servers[side]) - cpu) / requests / 1e3;
	if (mode->run == handoff_run)
		handoff_figures(side, turns, round);
}

/* How many turns take Redis so long. Both servers are warm after it. */
static size_t turns_in(const struct mode *mode, nsec_t wanted)
{
	size_t turns = 2 * load.clients;
	nsec_t took;
	while ((took = timed(mode, redis, turns)) < wanted / 4 && turns < TURNS_MAX / 8)
		turns *= 2;
	timed(mode, mpd, turns);
	return MIN(MAX((size_t)((double)turns * (double)wanted / (double)took), load.clients), TURNS_MAX);
}

static void put_figure(enum figure f, size_t rounds)
{
	double ratio[ROUNDS_MAX];
	for (size_t i = 0; i < rounds; i++)
		ratio[i] = found[f][1][i] / found[f][0][i];
	printf(",\"%s\":{\"redis\":%.3f,\"mpd\":%.3f,\"ratio\":%.3f,\"low\":%.3f,\"high\":%.3f}", figure_names[f],
	       quantile(found[f][0], rounds, 0.5), quantile(found[f][1], rounds, 0.5), quantile(ratio, rounds, 0.5),
	       quantile(ratio, rounds, 0.25), quantile(ratio, rounds, 0.75));
}

static void bench(const struct mode *mode, size_t ms, size_t rounds)
{
	for (size_t i = 0; i < 2; i++)
		mode->open(&servers[i]);
	size_t turns = turns_in(mode, (nsec_t)ms * NSEC_PER_MS);
	for (size_t i = 0; i < 2 * rounds; i++)
		measure(mode, (i + 1) / 2 % 2, turns, i / 2);
	for (size_t i = 0; i < 2; i++)
		mode->close(&servers[i]);
	printf("{\"mode\":\"%s\",\"clients\":%zu,\"depth\":%zu,\"rounds\":%zu,\"turns\":%zu", mode->name, load.clients,
	       load.depth, rounds, turns);
	for (enum figure f = 0; f < (mode->run == handoff_run ? FIGURES : P50); f++)
		put_figure(f, rounds);
	printf("}\n");
}

/* --- the command line --------------------------------------------------------------------------------------------- */

static bool number(const char *word, size_t most, size_t *ret)
{
	*ret = strtoul(word, NULL, 10);
	return *ret >= 1 && *ret <= most;
}

static const struct mode *mode_named(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(modes); i++)
		if (!strcmp(modes[i].name, name))
			return &modes[i];
	return NULL;
}

static void server_init(struct server *s, char **words)
{
	s->path = words[0];
	s->pids = words[1];
	AUTO_FD fd = server_connect(s);
	ask(s, fd, PREPARE);
}

int main(int argc, char **argv)
{
	size_t ms, rounds;
	const struct mode *mode = argc == 10 ? mode_named(argv[1]) : NULL;
	if (!mode || !number(argv[2], CLIENTS_MAX, &load.clients) || !number(argv[3], DEPTH_MAX, &load.depth) ||
	    !number(argv[4], 60000, &ms) || !number(argv[5], ROUNDS_MAX, &rounds)) {
		fprintf(stderr, "usage: bench_objects ping|putget|bulk|lock|handoff CLIENTS DEPTH MS ROUNDS"
				" REDIS_SOCKET REDIS_PIDS MPD_SOCKET MPD_PIDS\n");
		return 2;
	}
	load.verbs = mode->verbs;
	memset(bulk, 'x', sizeof(bulk));
	server_init(redis, argv + 6);
	server_init(mpd, argv + 8);
	bench(mode, ms, rounds);
	return 0;
}
