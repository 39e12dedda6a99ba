#include "vault/login.h"

#include <ctype.h>

#include "net/ask.h"

bool login_find(struct directory *directory, slice name, int64_t *account_out, struct error *error)
{
	struct account account;

	*account_out = 0;
	if (name.n > LOGIN_NAME_MAX)
		return true;
	switch (directory_find_login(directory, name, &account, error)) {
	case DIRECTORY_FOUND:
		*account_out = account.enabled ? account.id : 0;
		return true;
	case DIRECTORY_NO_ACCOUNT:
	case DIRECTORY_NO_DOMAIN:
		return true;
	case DIRECTORY_FAILED:
		break;
	}
	return false;
}

enum login_answer login_check(struct directory *directory, slice name, slice password,
    struct deadline deadline, int64_t *account_out, struct error *error)
{
	bool right = false;

	if (name.n > LOGIN_NAME_MAX || password.n > LOGIN_PASSWORD_MAX)
		return LOGIN_WRONG;
	/* Nobody's password is asked about too: it costs auth the same time. */
	if (!login_find(directory, name, account_out, error))
		return LOGIN_FAILED;
	if (!ask_password((uint64_t)*account_out, password, deadline, &right, error))
		return LOGIN_FAILED;
	return right && *account_out ? LOGIN_RIGHT : LOGIN_WRONG;
}

/* message = [authzid] UTF8NUL authcid UTF8NUL passwd */
bool login_plain_parse(slice message, slice *name_out, slice *password_out)
{
	size_t first = slice_find(message, '\0');
	slice rest = slice_from(message, first + 1);
	size_t second = slice_find(rest, '\0');
	slice other = slice_head(message, first);

	if (first == message.n || second == rest.n)
		return false;
	*name_out = slice_head(rest, second);
	*password_out = slice_from(rest, second + 1);
	if (name_out->n == 0 || password_out->n == 0)
		return false;
	if (slice_find(*password_out, '\0') < password_out->n)
		return false;
	return other.n == 0 || slice_eq(other, *name_out);
}

/* principal = name "@" realm, where the library writes \ before / @ and \ of the name. One that has parts
 * (host/mx.example.org) is no user. An enterprise name (alice\@example.test@EXAMPLE.TEST) has the domain
 * in it, which must be the realm's. -> "alice@example.test" */
bool login_principal_name(slice principal, struct arena *arena, slice *name_out)
{
	char *p = arena_alloc(arena, principal.n + 1);
	size_t n = 0, i = 0;

	for (; i < principal.n && principal.p[i] != '@'; i++) {
		bool escaped = principal.p[i] == '\\';

		if (escaped && ++i == principal.n)
			return false;
		/* Controls are written as \n, \0 and so on. */
		bool special = principal.p[i] && strchr("/@\\", principal.p[i]);
		if (special != escaped || (unsigned char)principal.p[i] < ' ')
			return false;
		p[n++] = principal.p[i];
	}
	slice realm = slice_from(principal, i + 1), name = { p, n };
	size_t at = slice_find(name, '@');
	if (n == 0 || realm.n == 0 || slice_find(realm, '\\') < realm.n)
		return false;
	if (at < n && !slice_eq_nocase(slice_from(name, at + 1), realm))
		return false;
	char *whole =
	    arena_printf(arena, "%.*s@%.*s", SLICE_ARG(slice_head(name, at)), SLICE_ARG(realm));
	*name_out = slice_of(whole);
	for (char *c = whole + slice_find(*name_out, '@'); *c; c++)
		*c = (char)tolower((unsigned char)*c);
	return at > 0;
}
