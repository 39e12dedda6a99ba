/* The role auth: is this the account's password? */
#include "main/role.h"
#include "vault/auth.h"

static bool start_auth(struct role_start *start, struct error *error)
{
	struct sandbox sandbox = { 0 };

	if (!auth_open(role_path(start, "auth/auth.db"), error))
		return false;
	sandbox_auth(&sandbox, role_path(start, "auth"));
	if (!sandbox_lock(&sandbox, error))
		return false;
	auth_start(start->cores);
	return true;
}

const struct role_program role_auth = { .role = ROLE_AUTH,
	.services = auth_services,
	.service_count = &auth_service_count,
	.start = start_auth };
