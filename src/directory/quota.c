#include "directory/quota.h"

#include <stdio.h>

#include "proc/shared.h"

/* Nearer to the quota than this, an account is kept in the table. */
#define NEAR (256LL << 20)

static uint64_t key_of(int64_t account)
{
	char id[24];
	int n = snprintf(id, sizeof id, "%lld", (long long)account);

	return shared_key("used", (slice){ id, (size_t)n });
}

void quota_tell(const struct account *account, int64_t used)
{
	bool near = account->quota && used + NEAR > account->quota;

	shared_set(key_of(account->id), near ? used : 0);
}

int64_t quota_used(int64_t account)
{
	return shared_value(key_of(account));
}

enum quota_answer quota_ask(const struct account *account, uint64_t octets)
{
	if (!account->quota)
		return QUOTA_ROOM;
	if (octets > (uint64_t)account->quota)
		return QUOTA_LARGE;
	int64_t used = quota_used(account->id);
	return used && used + (int64_t)octets >= account->quota ? QUOTA_FULL : QUOTA_ROOM;
}
