/* SPDX-License-Identifier: MIT */
/* The handlers, one a command of api.def: cmd_<symbol>. Each casts its arguments to const struct args_<symbol> *. */
#ifndef MPD_COMMANDS_H
#define MPD_COMMANDS_H

#include "daemon/engine/rpc.h"

#define CMD(sym, ...) int cmd_##sym(struct req *, const void *args, struct fault *);
#define ARG(...)
#define END(sym)
#include "common/api.def"
#undef CMD
#undef ARG
#undef END

#endif
