#include "directory/quota.h"

#include "proc/shared.h"

/* Nearer to the quota than this, an account is kept in the table. */
#define NEAR (256LL << 20)

static uint64_t key_of(int64_t account)
{
	return shared_key_number("used", account);
}

void quota_tell(int64_t account, int64_t quota, int64_t used)
{
	bool near = quota && used + NEAR > quota;

	shared_set(key_of(account), near ? used : 0);
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
