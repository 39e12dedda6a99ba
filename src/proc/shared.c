#include "proc/shared.h"

#include <arpa/inet.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"

#define SLOTS   16384 /* a power of two */
#define PROBES  16
#define COLUMNS (ROLE_INSTANCES) /* smtp in the first half, imap in the second */
#define WATCHES 16384            /* a power of two; keys that meet only cost a needless notice */
#define STALE_S 3600             /* nothing open and nothing noted for so long: the slot is free */

struct slot {
	_Atomic uint64_t key; /* 0: free */
	_Atomic int64_t used_s;
	_Atomic int64_t window; /* number of the window that `noted` counts */
	_Atomic int32_t noted, noted_before;
	_Atomic int64_t value;
	_Atomic int32_t open[COLUMNS];
};

struct shared_table {
	struct hash_key secret;
	struct slot slots[SLOTS];
	_Atomic int watching; /* columns of imap in use: those below */
	_Atomic uint32_t watched[COLUMNS / 2][WATCHES];
};

static struct shared_table *table;
static int column;
static _Atomic uint32_t *watches; /* of this process; NULL: it has none */

int shared_create(void)
{
	int fd = memfd_create("hauberk-shared", MFD_CLOEXEC);
	struct hash_key secret;

	if (fd < 0)
		return -1;
	if (getrandom(&secret, sizeof secret, 0) != sizeof secret ||
	    ftruncate(fd, sizeof(struct shared_table)) < 0 ||
	    pwrite(fd, &secret, sizeof secret, 0) != sizeof secret) {
		close(fd);
		return -1;
	}
	return fd;
}

/* Nobody of the process that had this column before waits any more. */
static void watch_open(int mine)
{
	int columns = table->watching;

	watches = table->watched[mine];
	for (int i = 0; i < WATCHES; i++)
		if (watches[i])
			watches[i] = 0;
	while (
	    columns <= mine && !atomic_compare_exchange_weak(&table->watching, &columns, mine + 1))
		;
}

bool shared_open(int fd, enum role me, int instance)
{
	void *p =
	    mmap(NULL, sizeof(struct shared_table), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (p == MAP_FAILED)
		return false;
	table = p;
	/* Other roles have nothing open. */
	if (me != ROLE_SMTP && me != ROLE_IMAP)
		return true;
	column = instance % (COLUMNS / 2) + (me == ROLE_IMAP ? COLUMNS / 2 : 0);
	for (int i = 0; i < SLOTS; i++)
		if (table->slots[i].key)
			table->slots[i].open[column] = 0;
	if (me == ROLE_IMAP)
		watch_open(column - COLUMNS / 2);
	return true;
}

uint64_t shared_key(const char *kind, slice what)
{
	char text[200];
	int n = snprintf(text, sizeof text, "%s:%.*s", kind, SLICE_ARG(what));

	if (!table)
		return 0;
	slice whole = { text, n < (int)sizeof text ? (size_t)n : sizeof text - 1 };
	uint64_t key = hash_keyed(&table->secret, whole);
	return key ? key : 1;
}

uint64_t shared_key_number(const char *kind, int64_t number)
{
	char text[24];
	int n = snprintf(text, sizeof text, "%lld", (long long)number);

	return shared_key(kind, (slice){ text, (size_t)n });
}

slice shared_address(slice address, char out[64])
{
	char text[64];
	struct in6_addr in6;

	snprintf(text, sizeof text, "%.*s", SLICE_ARG(address));
	if (inet_pton(AF_INET6, text, &in6) != 1) {
		memcpy(out, text, sizeof text);
		return slice_of(out);
	}
	const uint8_t *a = in6.s6_addr;
	snprintf(out, 64, "%x:%x:%x:%x", a[0] << 8 | a[1], a[2] << 8 | a[3], a[4] << 8 | a[5],
	    a[6] << 8 | a[7]);
	return slice_of(out);
}

/* ---- slots ---- */

static int64_t now_s(void)
{
	return clock_us() / 1000000;
}

static int open_in(const struct slot *slot)
{
	int n = 0;

	for (int i = 0; i < COLUMNS; i++)
		n += slot->open[i];
	return n;
}

static struct slot *find(uint64_t key)
{
	if (!table || !key)
		return NULL;
	for (unsigned i = 0; i < PROBES; i++) {
		struct slot *slot = &table->slots[(key + i) & (SLOTS - 1)];

		if (slot->key == key)
			return slot;
	}
	return NULL;
}

/* Takes the slot for the key if it is free, or nobody has used it for long. */
static bool take(struct slot *slot, uint64_t key)
{
	uint64_t old = slot->key;

	if (old && (now_s() - slot->used_s < STALE_S || open_in(slot) > 0))
		return false;
	slot->used_s = now_s(); /* before the key: nobody else finds it stale */
	if (!atomic_compare_exchange_strong(&slot->key, &old, key))
		return old == key;
	slot->noted = slot->noted_before = 0;
	slot->window = slot->value = 0;
	return true;
}

static struct slot *find_or_take(uint64_t key)
{
	struct slot *slot = find(key);

	for (unsigned i = 0; !slot && table && key && i < PROBES; i++) {
		struct slot *one = &table->slots[(key + i) & (SLOTS - 1)];

		if (take(one, key))
			slot = one;
	}
	if (slot)
		slot->used_s = now_s();
	return slot;
}

/* ---- what is open ---- */

bool shared_begin(uint64_t key, int most)
{
	struct slot *slot = find_or_take(key);

	if (!slot)
		return true;
	/* Counted first: two that come at once both see each other. */
	slot->open[column]++;
	if (most == 0 || open_in(slot) <= most)
		return true;
	slot->open[column]--;
	return false;
}

void shared_end(uint64_t key)
{
	struct slot *slot = find(key);

	if (slot && slot->open[column] > 0)
		slot->open[column]--;
}

int shared_open_count(uint64_t key)
{
	struct slot *slot = find(key);

	return slot ? open_in(slot) : 0;
}

/* ---- what is known ---- */

void shared_set(uint64_t key, int64_t value)
{
	struct slot *slot = value ? find_or_take(key) : find(key);

	if (slot)
		slot->value = value;
}

int64_t shared_value(uint64_t key)
{
	struct slot *slot = find(key);

	if (!slot)
		return 0;
	slot->used_s = now_s();
	return slot->value;
}

/* ---- what happened ---- */

/* Moves the counts on to the window of now; of two that come at once one does it. */
static void turn_window(struct slot *slot, int64_t window)
{
	int64_t old = slot->window;

	if (old == window || !atomic_compare_exchange_strong(&slot->window, &old, window))
		return;
	int32_t noted = atomic_exchange(&slot->noted, 0);
	slot->noted_before = old == window - 1 ? noted : 0;
}

void shared_note(uint64_t key, int window_s)
{
	struct slot *slot = find_or_take(key);

	if (!slot)
		return;
	turn_window(slot, now_s() / window_s);
	slot->noted++;
}

int shared_noted(uint64_t key, int window_s)
{
	struct slot *slot = find(key);
	int64_t now = now_s();

	if (!slot)
		return 0;
	turn_window(slot, now / window_s);
	return slot->noted + (int)(slot->noted_before * (window_s - now % window_s) / window_s);
}

/* ---- who waits ---- */

static size_t watch_of(uint64_t key)
{
	return key * 0x9e3779b97f4a7c15u >> 32 & (WATCHES - 1);
}

void shared_watch(uint64_t key, bool on)
{
	if (watches && on)
		watches[watch_of(key)]++;
	else if (watches && watches[watch_of(key)])
		watches[watch_of(key)]--;
}

bool shared_watched(uint64_t key)
{
	bool watched = !table;

	for (int i = 0; !watched && i < table->watching; i++)
		watched = table->watched[i][watch_of(key)] > 0;
	return watched;
}
