/*
 * auth: the role that knows passwords' verifiers.
 *
 * auth.db holds one yescrypt verifier an account (crypt(5)); only this role opens it. Checks cost
 * about 29 ms each by design and run in as many threads as there are cores; a check for nobody costs
 * the same, so time does not tell which accounts exist. Tickets and SCRAM, which cost little, have as many threads of
 * their own and do not wait behind them.
 */
#ifndef VAULT_AUTH_H
#define VAULT_AUTH_H

#include "db/db.h"
#include "proc/peers.h"

/* What is kept and asked, for the test that prepares everything on every engine. */
extern const struct db_program auth_program;

/* Opens auth.db at this path, making it when it is not there. */
bool auth_open(const char *path, struct error *error);
/* Starts so many threads of each kind that answer; after the sandbox is locked. */
void auth_start(int threads);

/* What the role answers. */
extern const struct service auth_services[];
extern const size_t auth_service_count;

#endif
