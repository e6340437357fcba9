/* SPDX-License-Identifier: MIT */
/* The daemon's own log: one line, one write(2) to stderr, no allocation. Library code never logs what it returns. */
#ifndef MPD_LOG_H
#define MPD_LOG_H

#include "common/sys.h"

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

/* WHO is a static string, "mpd" or "mpd-engine". */
void log_init(const char *who, enum log_level);
void log_set_level(enum log_level);
enum log_level log_get_level(void);
/* "error" ... "debug" to the level, or -1. */
int log_level_of(const char *name);
const char *log_level_name(enum log_level);
/* 2026-01-31T12:00:00.123Z mpd[4711] warning: text. Keeps errno. Under systemd (JOURNAL_STREAM set) "<4>text". */
void log_at(enum log_level, const char *fmt, ...) PRINTF(2, 3);
#define log_error(...) log_at(LOG_ERROR, __VA_ARGS__)
#define log_warning(...) log_at(LOG_WARNING, __VA_ARGS__)
#define log_info(...) log_at(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_at(LOG_DEBUG, __VA_ARGS__)

#endif
