#include "main/tickets.h"

#include <string.h>
#include <unistd.h>

#include <openssl/rand.h>

#include "base/clock.h"
#include "base/log.h"
#include "main/open.h"

static bool make(struct tickets *t, struct error *error)
{
	unsigned char key[TLS_TICKET_KEY];

	if (RAND_bytes(key, sizeof key) != 1)
		return error_local(error, "no random octets for the keys of session tickets");
	memmove(t->keys + TLS_TICKET_KEY, t->keys, TLS_TICKET_KEY);
	memcpy(t->keys, key, sizeof key);
	explicit_bzero(key, sizeof key);
	t->count = t->count ? 2 : 1;
	int fd = open_sealed(
	    (slice){ (const char *)t->keys, (size_t)t->count * TLS_TICKET_KEY }, "tickets", error);
	if (fd < 0)
		return false;
	if (t->fd >= 0)
		close(t->fd);
	t->fd = fd;
	t->made_us = clock_us();
	return true;
}

bool tickets_open(struct tickets *t, struct error *error)
{
	*t = (struct tickets){ .fd = -1 };
	return make(t, error);
}

bool tickets_turn(struct tickets *t, int64_t lifetime_ms)
{
	struct error error;

	if (clock_us() - t->made_us < lifetime_ms * 1000)
		return false;
	if (make(t, &error))
		return true;
	log_warn("tickets.kept", kv_why(&error));
	t->made_us = clock_us(); /* not again at once */
	return false;
}
