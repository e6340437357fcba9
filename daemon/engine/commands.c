/* SPDX-License-Identifier: MIT */
/* Which handler serves which command: all of api.def, so that one without a handler does not link. */
#include "daemon/engine/commands.h"

rpc_handler *const rpc_handlers[CMD_COUNT] = {
#define CMD(sym, ...) [CMD_##sym] = cmd_##sym,
#define ARG(...)
#define END(sym)
#include "common/api.def"
#undef CMD
#undef ARG
#undef END
};
