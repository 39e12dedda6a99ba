/* The configuration and the keytab, without asking anybody. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "main/kerberos_check.h"
#include "main/open_keytab.h"

const char *check_account(struct check *c, enum kerberos_service service)
{
	return arena_printf(c->arena, "hauberk_%s", kerberos_service_name(service));
}

const char *check_export(struct check *c, enum kerberos_service service)
{
	const char *name = kerberos_service_name(service), *host = c->conf->hostname;
	const char *realm = c->realm ? c->realm : "REALM";
	const char *account = check_account(c, service);

	return arena_printf(c->arena,
	    "ktpass -princ %s/%s@%s -mapuser %s -pass * -crypto AES256-SHA1 -ptype KRB5_NT_PRINCIPAL "
	    "-out %s.keytab   (on Windows)\n"
	    "samba-tool domain exportkeytab %s.keytab --principal=%s/%s   (on Samba)\n"
	    "printf 'rkt %s.keytab\\nwkt %s\\nq\\n' | ktutil",
	    name, host, realm, account, name, name, name, host, name,
	    c->keytab_path                    ? c->keytab_path
		: c->conf->kerberos_keytab[0] ? open_keytab_path(c->conf, 0, c->arena)
					      : "/etc/krb5.keytab");
}

/* ---- the files ---- */

static bool read_file(struct check *c, const char *path, struct buf *content)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct error error;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		report_problem(&c->report, arena_printf(c->arena, "ls -l %s", path), "keytab",
		    "cannot read %s: %s", path, fd < 0 ? strerror(errno) : "it is no file");
		if (fd >= 0)
			close(fd);
		return false;
	}
	if (st.st_mode & 077)
		report_problem(&c->report, arena_printf(c->arena, "chmod 600 %s", path), "keytab",
		    "others than its owner can read %s, and so pose as this server", path);
	bool ok = file_read_fd(fd, path, content, &error);
	close(fd);
	if (!ok)
		report_problem(&c->report, "ktutil", "keytab", "%s", error.why);
	return ok;
}

/* Adds the keys of one file. */
static void take_file(struct check *c, const char *path)
{
	struct keytab one;
	struct error error;
	struct buf content;

	buf_init(&content, KEYTAB_MOST);
	if (read_file(c, path, &content)) {
		if (!keytab_read(arena_copy(c->arena, buf_slice(&content)), c->arena, &one, &error))
			report_problem(&c->report, arena_printf(c->arena, "klist -k -e %s", path),
			    "keytab", "%s: %s", path, error.why);
		else
			for (size_t i = 0; i < one.count && c->keytab.count < KEYTAB_ENTRIES; i++)
				c->keytab.entries[c->keytab.count++] = one.entries[i];
	}
	if (content.p)
		explicit_bzero(content.p, content.cap);
	buf_free(&content);
}

static void take_files(struct check *c)
{
	const char *path;

	c->keytab.entries = ARENA_ARRAY(c->arena, struct keytab_entry, KEYTAB_ENTRIES);
	if (c->keytab_path) {
		take_file(c, c->keytab_path);
		return;
	}
	for (int i = 0; i < KEYTAB_FILES && (path = open_keytab_path(c->conf, i, c->arena)); i++)
		take_file(c, path);
}

/* ---- the keys ---- */

static void tell_key(struct check *c, const struct keytab_entry *e)
{
	struct buf name;
	char type[20];

	buf_init(&name, 1000);
	keytab_principal(e, &name);
	report_ok(&c->report, "keytab", "%.*s kvno %u %s", SLICE_ARG(buf_slice(&name)), e->kvno,
	    keytab_enctype_name(e->enctype, type));
	buf_free(&name);
}

static bool is_for_host(const struct check *c, const struct keytab_entry *e)
{
	return e->component_count > 1 &&
	    slice_eq_nocase(e->components[1], slice_of(c->conf->hostname));
}

static void look_at_service(struct check *c, enum kerberos_service service)
{
	const char *name = kerberos_service_name(service), *host = c->conf->hostname;
	bool any = false, ours = false, strong = false;

	for (size_t i = 0; i < c->keytab.count; i++) {
		const struct keytab_entry *e = &c->keytab.entries[i];

		if (!keytab_serves(e, service))
			continue;
		any = true;
		if (!c->realm)
			c->realm = arena_str(c->arena, e->realm);
		ours |= is_for_host(c, e);
		strong |= is_for_host(c, e) && keytab_enctype_allowed(e->enctype, KEYTAB_RC4_NO);
		tell_key(c, e);
	}
	if (!any)
		report_problem(&c->report, check_export(c, service), "keytab",
		    "no key of %s/%s: no tickets are taken there", name, host);
	else if (!ours)
		report_problem(&c->report, check_export(c, service), "keytab",
		    "the keys of %s are of other hosts than hostname = \"%s\", which clients ask for",
		    name, host);
	else if (!strong)
		report_problem(&c->report,
		    arena_printf(c->arena,
			"Set-ADUser %s -KerberosEncryptionType AES128,AES256   (on Windows)\n"
			"samba-tool domain exportkeytab after msDS-SupportedEncryptionTypes: 24 was set by "
			"ldbmodify   (on Samba)\n%s",
			check_account(c, service), check_export(c, service)),
		    "keytab",
		    "%s has RC4 keys only, which kerberos.allowRC4 = \"%s\" %s: its account's "
		    "msDS-SupportedEncryptionTypes must be 24 (AES) before the key is exported",
		    name, c->conf->kerberos_rc4,
		    strcmp(c->conf->kerberos_rc4, "no") == 0 ? "refuses" : "still takes");
}

void check_keytab(struct check *c)
{
	const char *host = c->conf->hostname;

	if (!c->keytab_path && !c->conf->kerberos_keytab[0]) {
		report_problem(&c->report,
		    "kerberos: { keytab = \"/etc/krb5.keytab\"; };   (in hauberk.conf)", "config",
		    "kerberos.keytab is not set: no tickets are taken");
		return;
	}
	if (!strchr(host, '.'))
		report_problem(&c->report,
		    "hostname = \"mail.example.org\";   (in hauberk.conf, the whole name)",
		    "config", "hostname = \"%s\" is no whole host name, as tickets have it", host);
	else
		report_ok(&c->report, "config", "the server is %s", host);
	take_files(c);
	for (int i = 0; c->keytab.count && i < KERBEROS_SERVICES; i++)
		look_at_service(c, (enum kerberos_service)i);
}
