/* SPDX-License-Identifier: MIT */
/* mpd-engine --load: the configuration to a job table, in a process of its own. */
#ifndef MPD_LOADER_H
#define MPD_LOADER_H

/* ARGV is the program's, "--load" among it. Returns the exit status: 0; 6 for a wrong configuration, with its errors
 * on stderr; 2 for wrong options; 1 for what the system refused. */
int loader_main(int argc, char **argv);

#endif
