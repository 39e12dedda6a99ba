/* The role keys: private keys in, signatures out. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "main/role.h"
#include "vault/keys.h"

/* "key tls.1" */
static bool take_key(struct role_start *start, const char *name, int fd, struct error *error)
{
	(void)start;
	if (strncmp(name, "key ", 4) != 0)
		return true;
	name += 4;
	struct buf pem;

	buf_init(&pem, 1 << 20);
	bool ok =
	    file_read_fd(fd, name, &pem, error) && keys_add(slice_of(name), buf_slice(&pem), error);
	if (pem.p)
		explicit_bzero(pem.p, pem.cap);
	buf_free(&pem);
	return ok;
}

static bool start_keys(struct role_start *start, struct error *error)
{
	struct sandbox sandbox = { 0 };

	for (int i = 0; i < start->descriptor_count; i++) {
		if (!take_key(start, start->descriptors[i].name, start->descriptors[i].fd, error))
			return false;
		if (strncmp(start->descriptors[i].name, "key ", 4) == 0)
			close(start->descriptors[i].fd);
	}
	sandbox_keys(&sandbox);
	return sandbox_lock(&sandbox, error);
}

const struct role_program role_keys = { .role = ROLE_KEYS,
	.services = keys_services,
	.service_count = &keys_service_count,
	.start = start_keys,
	.descriptor = take_key };
