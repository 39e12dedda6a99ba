/* The role keys: private keys in, signatures out. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "main/bundle.h"
#include "main/role.h"
#include "vault/keys.h"

#define KEYS_MOST (16u << 20)

static bool add_all(slice rest, struct error *error)
{
	slice name, pem;

	while (rest.n) {
		if (!bundle_get(&rest, &name) || !bundle_get(&rest, &pem))
			return error_local(error, "malformed keys from main");
		if (!keys_add(name, pem, error))
			return false;
	}
	return true;
}

/* "keys" (open_tls.h) */
static bool take_keys(struct role_start *start, const char *name, int fd, struct error *error)
{
	struct buf all;

	(void)start;
	if (strcmp(name, "keys") != 0)
		return true;
	buf_init(&all, KEYS_MOST);
	buf_room(&all, KEYS_MOST); /* at once: growing would leave keys in memory given back */
	bool ok = file_read_fd(fd, name, &all, error) && add_all(buf_slice(&all), error);
	explicit_bzero(all.p, all.n);
	buf_free(&all);
	return ok;
}

static bool start_keys(struct role_start *start, struct error *error)
{
	struct sandbox sandbox = { 0 };

	int fd = role_descriptor(start, "keys");

	if (fd < 0)
		return error_local(error, "main sent no keys");
	if (!take_keys(start, "keys", fd, error))
		return false;
	close(fd);
	sandbox_keys(&sandbox);
	return sandbox_lock(&sandbox, error);
}

const struct role_program role_keys = { .role = ROLE_KEYS,
	.services = keys_services,
	.service_count = &keys_service_count,
	.start = start_keys,
	.descriptor = take_keys };
