/* SPDX-License-Identifier: MIT */
/* A first byte that chooses the command, then params: whatever passes the strict check is decoded or refused. */
#include "common/api.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span params;
	struct scan_error error;
	struct arena arena = {0};
	struct fault fault;
	uint64_t args[64];
	if (size == 0 || scan_check((struct span){(const char *)data + 1, size - 1}, &params, &error) < 0)
		return 0;
	const struct api_cmd *cmd = api_cmd((enum api_id)(data[0] % CMD_COUNT));
	if (cmd->size > sizeof(args))
		abort();
	int code = api_decode(cmd, params, &arena, args, &fault);
	if (code && (fault.code != code || !memchr(fault.message, '\0', sizeof(fault.message))))
		abort();
	arena_done(&arena);
	return 0;
}
