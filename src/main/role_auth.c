/* The role auth: is this the account's password, is this ticket for us? */
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "main/role.h"
#include "vault/auth.h"
#include "vault/kerberos.h"

/* "keytab": the file's content; empty where there is none */
static bool take_keytab(struct role_start *start, const char *name, int fd, struct error *error)
{
	struct buf content;

	(void)start;
	if (strcmp(name, "keytab") != 0)
		return true;
	buf_init(&content, KEYTAB_MOST);
	buf_room(
	    &content, KEYTAB_MOST); /* at once: growing would leave keys in memory given back */
	bool ok =
	    file_read_fd(fd, name, &content, error) && kerberos_load(buf_slice(&content), error);
	explicit_bzero(content.p, content.n);
	buf_free(&content);
	return ok;
}

static bool open_kerberos(struct role_start *start, struct error *error)
{
	int fd = role_descriptor(start, "keytab");

	if (fd < 0)
		return error_local(error, "main sent no keytab");
	bool ok = kerberos_open(
		      role_path(start, "auth"), keytab_rc4_of(start->conf.kerberos_rc4), error) &&
	    take_keytab(start, "keytab", fd, error);
	close(fd);
	return ok;
}

static bool start_auth(struct role_start *start, struct error *error)
{
	struct sandbox sandbox = { 0 };

	if (!auth_open(role_path(start, "auth/auth.db"), error) || !open_kerberos(start, error))
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
	.start = start_auth,
	.descriptor = take_keytab };
