/* SPDX-License-Identifier: MIT */
/* mpd-engine: the engine, or with --load the loader. The keeper runs both; nobody else needs to. */
#include "daemon/engine/engine.h"
#include "daemon/loader/loader.h"

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "--load"))
		return loader_main(argc, argv);
	return engine_main(argc, argv);
}
