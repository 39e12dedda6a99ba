/* The role deliver: writes accepted mail into accounts. */
#include <stddef.h>

#include "deliver/deliver.h"
#include "main/role.h"

#define HANDLES 1000 /* open accounts in the whole process, three descriptors each */

static bool start_deliver(struct role_start *start, struct error *error)
{
	int threads = (int)start->conf.deliver_workers;
	struct deliver_config config = { .spool = role_path(start, "spool"),
		.accounts = role_path(start, "accounts"),
		.directory = role_path(start, "directory/directory.db"),
		.threads = threads,
		.handles = (size_t)(HANDLES / threads),
		.peers = start->peers };
	struct sandbox sandbox = { 0 };

	if (!deliver_open(&config, error))
		return false;
	sandbox_deliver(&sandbox, config.spool, config.accounts, role_path(start, "directory"),
	    role_path(start, "trace"));
	if (!sandbox_lock(&sandbox, error))
		return false;
	role_policy(start, NULL);
	deliver_start();
	return true;
}

static void drain_deliver(struct role_start *start)
{
	deliver_drain();
	peers_stop(start->peers, 0);
}

const struct role_program role_deliver = { .role = ROLE_DELIVER,
	.services = deliver_services,
	.service_count = &deliver_service_count,
	.start = start_deliver,
	.drain = drain_deliver };
