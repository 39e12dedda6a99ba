#include "vault/sasl_policy.h"

#include <string.h>

#include "net/session.h"

/* Every name of the IANA's list that an administrator might write. */
static const struct {
	const char *name;
	unsigned type;   /* 0: not there */
	const char *why; /* then */
} names[] = {
	{ "scram-sha-256-plus", SASL_SCRAM_PLUS, NULL },
	{ "scram-sha-256", SASL_SCRAM, NULL },
	{ "plain", SASL_PLAIN, NULL },
	{ "login", SASL_LOGIN, NULL },
	{ "gssapi", SASL_GSSAPI, NULL },
	{ "external", SASL_EXTERNAL, NULL },
	{ "cram-md5", 0,
	    "the server would have to keep passwords that can be read; take scram-sha-256" },
	{ "digest-md5", 0,
	    "RFC 6331 has ended it, and the server would have to keep what is as good as "
	    "the password; take scram-sha-256" },
	{ "scram-sha-1", 0, "no account has a verifier for it; take scram-sha-256" },
	{ "scram-sha-1-plus", 0, "no account has a verifier for it; take scram-sha-256-plus" },
	{ "oauthbearer", 0, "nobody checks tokens of OAuth yet" },
	{ "xoauth2", 0, "nobody checks tokens of OAuth yet" },
};

static struct sasl_policy policies[KERBEROS_SERVICES] = {
	[KERBEROS_SMTP] = { .secure_types = SASL_ALL, .secure_login = true },
	[KERBEROS_IMAP] = { .secure_types = SASL_ALL, .secure_login = true },
	[KERBEROS_POP] = { .secure_types = SASL_ALL, .secure_login = true },
};

static bool read_type(slice name, unsigned *types, struct error *error)
{
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (!slice_eq_nocase(name, slice_of(names[i].name)))
			continue;
		*types |= names[i].type;
		return names[i].type ||
		    error_input(error, "%s is not offered: %s", names[i].name, names[i].why);
	}
	return error_input(error,
	    "there is no mechanism \"%.*s\"; there are scram-sha-256-plus, scram-sha-256, plain, login, "
	    "gssapi and external",
	    (int)(name.n < 40 ? name.n : 40), name.p);
}

bool sasl_types_read(slice text, unsigned *types_out, struct error *error)
{
	*types_out = 0;
	for (size_t at = 0, n; at < text.n; at += n) {
		n = 1;
		if (strchr(" ,\t", text.p[at]))
			continue;
		while (at + n < text.n && !strchr(" ,\t", text.p[at + n]))
			n++;
		if (!read_type(slice_head(slice_from(text, at), n), types_out, error))
			return false;
	}
	return true;
}

void sasl_policy_set(enum kerberos_service service, const struct sasl_policy *policy)
{
	policies[service] = *policy;
}

enum kerberos_service sasl_service_of(const struct session *s)
{
	const char *name = s->listener->protocol->name;

	return strcmp(name, "smtp") == 0 ? KERBEROS_SMTP
	    : strcmp(name, "imap") == 0  ? KERBEROS_IMAP
					 : KERBEROS_POP;
}

static bool counts_as_secure(const struct session *s)
{
	return session_secure(s) || s->listener->plain_login;
}

unsigned sasl_types_of(const struct session *s)
{
	const struct sasl_policy *policy = &policies[sasl_service_of(s)];

	return counts_as_secure(s) ? policy->secure_types : policy->plain_types;
}

bool sasl_login_allowed(const struct session *s)
{
	const struct sasl_policy *policy = &policies[sasl_service_of(s)];

	return counts_as_secure(s) ? policy->secure_login : policy->plain_login;
}
