/* SPDX-License-Identifier: MIT */
/* The log: what a line looks like, that it stays one line and one write, and what is below the level is not told. */
#include "common/log.h"
#include <fcntl.h>
#include <regex.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

#include <cmocka.h>

static int pipe_fds[2];
static char line[8192];

/* What the last log_at() wrote with its one write(2): the pipe is in packet mode. */
static const char *logged(void)
{
	ssize_t n = read(pipe_fds[0], line, sizeof(line) - 1);
	line[n > 0 ? n : 0] = '\0';
	return line;
}

static int real_stderr;

static int catch_stderr(void **state)
{
	(void)state;
	real_stderr = dup(STDERR_FILENO);
	return pipe2(pipe_fds, O_DIRECT | O_NONBLOCK | O_CLOEXEC) < 0 || dup2(pipe_fds[1], STDERR_FILENO) < 0;
}

static int release_stderr(void **state)
{
	(void)state;
	dup2(real_stderr, STDERR_FILENO);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	return close(real_stderr);
}

static bool matches(const char *text, const char *pattern)
{
	regex_t re;
	assert_int_equal(regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB), 0);
	bool found = regexec(&re, text, 0, NULL, 0) == 0;
	regfree(&re);
	return found;
}

static void a_line_says_when_who_and_how_bad(void **state)
{
	(void)state;
	unsetenv("JOURNAL_STREAM");
	log_init("mpd", LOG_INFO);
	log_warning("text %d", 7);
	assert_true(matches(logged(),
			    "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\\.[0-9]{3}Z mpd\\[[0-9]+\\] warning: text 7\n$"));
	char today[32];
	time_t now = time(NULL);
	strftime(today, sizeof(today), "%Y-%m-%dT%H", gmtime(&now));
	log_error("x");
	assert_memory_equal(logged(), today, strlen(today));
}

static void what_is_less_important_is_not_told(void **state)
{
	(void)state;
	log_init("mpd", LOG_WARNING);
	log_info("no");
	log_debug("no");
	assert_string_equal(logged(), "");
	log_set_level(LOG_DEBUG);
	assert_int_equal(log_get_level(), LOG_DEBUG);
	log_debug("yes");
	assert_true(matches(logged(), "debug: yes\n$"));
}

static void a_line_is_one_line_whatever_is_told(void **state)
{
	(void)state;
	static char huge[4096];
	log_init("mpd", LOG_INFO);
	log_info("a\nb\r\x1b[31mc\x7f");
	assert_true(matches(logged(), "info: a b  \\[31mc \n$"));
	memset(huge, 'x', sizeof(huge) - 1);
	log_info("%s", huge);
	assert_true(matches(logged(), "info: x+\n$"));
	assert_string_equal(logged(), "");
}

static void errno_is_kept_and_told(void **state)
{
	(void)state;
	log_init("mpd", LOG_INFO);
	errno = ENOENT;
	log_error("cannot: %m");
	assert_int_equal(errno, ENOENT);
	assert_true(matches(logged(), "cannot: No such file or directory\n$"));
}

static void the_journal_gets_its_own_prefix(void **state)
{
	(void)state;
	struct stat st;
	char stream[64];
	assert_int_equal(fstat(STDERR_FILENO, &st), 0);
	snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	log_init("mpd", LOG_INFO);
	log_warning("text");
	assert_string_equal(logged(), "<4>text\n");
	setenv("JOURNAL_STREAM", "1:1", 1); /* inherited, but stderr has gone elsewhere since */
	log_init("mpd", LOG_INFO);
	log_warning("text");
	assert_true(matches(logged(), "^[0-9].* warning: text\n$"));
}

static void levels_have_names(void **state)
{
	(void)state;
	for (int level = LOG_ERROR; level <= LOG_DEBUG; level++)
		assert_int_equal(log_level_of(log_level_name((enum log_level)level)), level);
	assert_int_equal(log_level_of("Warning"), -1);
	assert_int_equal(log_level_of(""), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_line_says_when_who_and_how_bad, catch_stderr, release_stderr),
		cmocka_unit_test_setup_teardown(what_is_less_important_is_not_told, catch_stderr, release_stderr),
		cmocka_unit_test_setup_teardown(a_line_is_one_line_whatever_is_told, catch_stderr, release_stderr),
		cmocka_unit_test_setup_teardown(errno_is_kept_and_told, catch_stderr, release_stderr),
		cmocka_unit_test_setup_teardown(the_journal_gets_its_own_prefix, catch_stderr, release_stderr),
		cmocka_unit_test(levels_have_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
