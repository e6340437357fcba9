/* SPDX-License-Identifier: MIT */
/*
 * The daemon's own log.
 *
 * 1. One call, one line, one write(2): lines of keeper and engine, which share stderr, never mix.
 * 2. Nothing allocates: not even gmtime_r(), which reads the time zone's file on its first call.
 * 3. A line is one line: control characters of whoever's text is told become spaces.
 */
#include "common/log.h"
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

static const struct {
	const char *name;
	int journal; /* sd-daemon(3) */
} levels[] = {
	[LOG_ERROR] = {"error", 3},
	[LOG_WARNING] = {"warning", 4},
	[LOG_INFO] = {"info", 6},
	[LOG_DEBUG] = {"debug", 7},
};

static struct {
	const char *who;
	enum log_level level;
	bool journal; /* stderr is systemd's journal, which knows time and pid itself */
} logger = {.who = "mpd", .level = LOG_INFO};

/* $JOURNAL_STREAM names the device and inode of the journal's socket; it is inherited by those whose stderr was
 * redirected since (systemd.exec(5)). */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	struct stat st;
	char ours[64];
	if (!stream || fstat(STDERR_FILENO, &st) < 0)
		return false;
	snprintf(ours, sizeof(ours), "%llu:%llu", (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
	return !strcmp(stream, ours);
}

void log_init(const char *who, enum log_level level)
{
	logger.who = who;
	logger.level = level;
	logger.journal = stderr_is_journal();
}

void log_set_level(enum log_level level) { logger.level = level; }
enum log_level log_get_level(void) { return logger.level; }
const char *log_level_name(enum log_level level) { return levels[level].name; }

int log_level_of(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(levels); i++)
		if (!strcmp(name, levels[i].name))
			return (int)i;
	return -1;
}

struct date {
	int year, month, day;
};

/* The proleptic Gregorian date of a day since 1970-01-01, by counting years from a March: a leap day is then the last
 * day of its year. */
static struct date date_of(int64_t day)
{
	int64_t since = day + 719468; /* 0000-03-01 */
	int64_t era = since / 146097, day_of_era = since % 146097;
	int64_t year = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	int64_t day_of_year = day_of_era - (365 * year + year / 4 - year / 100);
	int64_t month = (5 * day_of_year + 2) / 153; /* 0: March */
	return (struct date){
		.year = (int)(year + era * 400 + (month >= 10)),
		.month = (int)(month < 10 ? month + 3 : month - 9),
		.day = (int)(day_of_year - (153 * month + 2) / 5 + 1),
	};
}

static int put_head(char *to, size_t room, enum log_level level)
{
	if (logger.journal)
		return snprintf(to, room, "<%d>", levels[level].journal);
	nsec_t now = sys_clock(CLOCK_REALTIME);
	int64_t seconds = now / NSEC_PER_SEC;
	struct date d = date_of(seconds / 86400);
	return snprintf(to, room, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ %s[%d] %s: ", d.year, d.month, d.day,
			(int)(seconds / 3600 % 24), (int)(seconds / 60 % 60), (int)(seconds % 60),
			(int)(now / NSEC_PER_MS % 1000), logger.who, (int)getpid(), levels[level].name);
}

void log_at(enum log_level level, const char *fmt, ...)
{
	char line[2048];
	va_list ap;
	if (level > logger.level)
		return;
	int saved = errno;
	size_t head = (size_t)put_head(line, sizeof(line), level);
	va_start(ap, fmt);
	errno = saved; /* for %m */
	int text = vsnprintf(line + head, sizeof(line) - head, fmt, ap);
	va_end(ap);
	size_t end = MIN(head + (size_t)MAX(text, 0), sizeof(line) - 1);
	for (size_t i = head; i < end; i++)
		if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
			line[i] = ' ';
	line[end] = '\n';
	(void)!RETRY(write(STDERR_FILENO, line, end + 1));
	errno = saved;
}
