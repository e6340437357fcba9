/* SPDX-License-Identifier: MIT */
/*
 * The loader's outside: options, the file to read where none is named, the sealed memfd.
 *
 *	mpd-engine --load --out FD --socket S --state DIR --generation N [--config FILE]
 *	mpd-engine --load --check [--config FILE]
 *
 * Nothing is written to FD unless all of the configuration is good; what was written is sealed before the exit.
 */
#include "daemon/loader/loader.h"
#include "daemon/loader/table.h"
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>

enum { EXIT_USAGE = 2, EXIT_CONFIG = 6 };

#define NO_FD UINT64_MAX

struct options {
	const char *config, *socket;
	bool check;
	uint64_t out; /* a descriptor, or NO_FD */
	uint64_t generation;
};

static bool number_of(const char *text, uint64_t max, uint64_t *ret)
{
	char *end;
	errno = 0;
	*ret = strtoull(text, &end, 10);
	return *text >= '0' && *text <= '9' && !*end && !errno && *ret <= max;
}

static bool parse_options(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {
		{"load", no_argument, NULL, 'l'},         {"check", no_argument, NULL, 'k'},
		{"config", required_argument, NULL, 'c'}, {"socket", required_argument, NULL, 's'},
		{"state", required_argument, NULL, 'd'},  {"generation", required_argument, NULL, 'g'},
		{"out", required_argument, NULL, 'o'},    {NULL, 0, NULL, 0},
	};
	bool good = true;
	for (int c; good && (c = getopt_long(argc, argv, "", longs, NULL)) >= 0;) {
		if (c == 'k')
			o->check = true;
		else if (c == 'c')
			o->config = optarg;
		else if (c == 's')
			o->socket = optarg;
		else if (c == 'g')
			good = number_of(optarg, UINT64_MAX, &o->generation);
		else if (c == 'o')
			good = number_of(optarg, INT32_MAX, &o->out);
		else
			good = c != '?';
	}
	return good && optind == argc && o->check == (o->out == NO_FD);
}

/* Where the configuration is when nobody says so. */
static void default_path(struct buf *out)
{
	const char *xdg = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
	struct arena arena = {0};
	struct user self;
	if (geteuid() == 0) {
		buf_puts(out, "/etc/mpctl/mpd.conf");
	} else if (xdg && *xdg == '/') {
		buf_printf(out, "%s/mpctl/mpd.conf", xdg);
	} else {
		users_self(&arena, &self);
		buf_printf(out, "%s/.config/mpctl/mpd.conf", home && *home == '/' ? home : self.home);
	}
	arena_done(&arena);
}

static int failed(const char *what)
{
	fprintf(stderr, "mpd-engine: the job table: %s: %s\n", what, strerror(errno));
	return EXIT_FAILURE;
}

static int write_table(int fd, const struct buf *table)
{
	const int seals = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
	for (size_t at = 0; at < table->len;) {
		long n = RETRY(pwrite(fd, table->p + at, table->len - at, (off_t)at));
		if (n < 0)
			return failed("cannot be written");
		at += (size_t)n;
	}
	return fcntl(fd, F_ADD_SEALS, seals) < 0 ? failed("cannot be sealed") : EXIT_SUCCESS;
}

static int load(struct conf *c, const struct options *o, const char *path, bool may_miss)
{
	AUTO_BUF table = BUF_INIT;
	const struct job_host host = {o->socket, geteuid() == 0 || o->check};
	conf_read(c, path, may_miss);
	table_make(c, &host, o->generation, &table);
	conf_report(c, STDERR_FILENO, o->check);
	if (c->errors)
		return EXIT_CONFIG;
	if (table.failed) {
		errno = ENOMEM;
		return failed("cannot be made");
	}
	if (!o->check)
		return write_table((int)o->out, &table);
	printf("%s: ok, %zu jobs", path, c->jobs.by_title.count);
	if (c->objects.by_title.count)
		printf(", %zu objects", c->objects.by_title.count);
	putchar('\n');
	return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int loader_main(int argc, char **argv)
{
	struct options o = {.out = NO_FD};
	AUTO_BUF path = BUF_INIT;
	struct conf conf;
	if (!parse_options(argc, argv, &o)) {
		fprintf(stderr, "usage: mpd-engine --load {--check | --out FD [--socket SOCKET] [--state DIR] "
				"[--generation N]} [--config FILE]\n");
		return EXIT_USAGE;
	}
	if (!o.config || !*o.config)
		o.config = getenv("MPCTL_CONFIG");
	bool named = o.config && *o.config;
	if (named)
		buf_puts(&path, o.config);
	else
		default_path(&path);
	conf_init(&conf);
	int status = load(&conf, &o, buf_str(&path), !named);
	conf_done(&conf);
	return status;
}
