#include "proc/stats.h"

#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

struct table {
	_Atomic int64_t rows[ROLE_COUNT][ROLE_INSTANCES][STAT_COUNT];
};

static struct table *table;
static _Atomic int64_t *own;

int stats_create(void)
{
	int fd = memfd_create("hauberk-stats", MFD_CLOEXEC);

	if (fd >= 0 && ftruncate(fd, sizeof(struct table)) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

bool stats_open(int fd, enum role me, int instance)
{
	void *p = mmap(NULL, sizeof(struct table), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (p == MAP_FAILED)
		return false;
	table = p;
	own = table->rows[me][instance];
	/* What is "now" begins anew with each process. */
	atomic_store(&own[STAT_SESSIONS], 0);
	atomic_store(&own[STAT_WAITING], 0);
	atomic_store(&own[STAT_HELD], 0);
	return true;
}

void stats_count(enum statistic stat, int64_t by)
{
	if (own)
		atomic_fetch_add_explicit(&own[stat], by, memory_order_relaxed);
}

void stats_set(enum statistic stat, int64_t value)
{
	if (own)
		atomic_store_explicit(&own[stat], value, memory_order_relaxed);
}

int64_t stats_read(enum role role, int instance, enum statistic stat)
{
	return table
	    ? atomic_load_explicit(&table->rows[role][instance][stat], memory_order_relaxed)
	    : 0;
}

const char *stats_name(enum statistic stat)
{
	static const char *const names[STAT_COUNT] = {
		[STAT_SESSIONS] = "sessions",
		[STAT_CONNECTED] = "connected",
		[STAT_CROWDED] = "crowded",
		[STAT_DENIED] = "denied",
		[STAT_ACCEPTED] = "accepted",
		[STAT_DELIVERED] = "delivered",
		[STAT_WAITING] = "waiting",
		[STAT_HELD] = "held",
		[STAT_LOGINS] = "logins",
		[STAT_REFUSED] = "refused",
		[STAT_SCRAM] = "scram",
		[STAT_KERBEROS] = "kerberos",
	};

	return names[stat];
}
