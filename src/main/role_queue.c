/* The role queue: knows every accepted message until it is delivered. */
#include "main/role.h"
#include "queue/schedule.h"

static void added(void *context, enum role role, int instance)
{
	(void)context;
	schedule_added(role, instance);
}

static void tick(void *context)
{
	(void)context;
	schedule_tick();
}

static bool start_queue(struct role_start *start, struct error *error)
{
	const char *spool = role_path(start, "spool");
	struct sandbox sandbox = { 0 };

	sandbox_queue(&sandbox, spool);
	return sandbox_lock(&sandbox, error) && schedule_open(spool, start->peers, error);
}

const struct role_program role_queue = { .role = ROLE_QUEUE,
	.services = schedule_services,
	.service_count = &schedule_service_count,
	.start = start_queue,
	.added = added,
	.tick = tick };
