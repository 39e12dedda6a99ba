/* The role keys: private keys in, signatures out. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "main/role.h"
#include "vault/keys.h"

static bool take_key(const char *name, int fd, struct error *error)
{
	struct buf pem;

	buf_init(&pem, 1 << 20);
	bool ok =
	    file_read_fd(fd, name, &pem, error) && keys_add(slice_of(name), buf_slice(&pem), error);
	if (pem.p)
		explicit_bzero(pem.p, pem.cap);
	buf_free(&pem);
	close(fd);
	return ok;
}

static bool start_keys(struct role_start *start, struct error *error)
{
	struct sandbox sandbox = { 0 };

	for (int i = 0; i < start->descriptor_count; i++)
		if (strncmp(start->descriptors[i].name, "key ", 4) == 0 &&
		    !take_key(start->descriptors[i].name + 4, start->descriptors[i].fd, error))
			return false;
	sandbox_keys(&sandbox);
	return sandbox_lock(&sandbox, error);
}

const struct role_program role_keys = { .role = ROLE_KEYS,
	.services = keys_services,
	.service_count = &keys_service_count,
	.start = start_keys };
