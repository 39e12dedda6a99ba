#include "vault/login.h"

#include "net/ask.h"

bool login_find(
    struct directory *directory, slice name, struct login_account *account_out, struct error *error)
{
	struct account account;

	*account_out = (struct login_account){ 0 };
	if (name.n > LOGIN_NAME_MAX)
		return true;
	switch (directory_find_login(directory, name, &account, error)) {
	case DIRECTORY_FOUND:
		account_out->id = account.enabled ? account.id : 0;
		account_out->disabled = !account.enabled;
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
	struct login_account account;
	bool right = false;

	if (name.n > LOGIN_NAME_MAX || password.n > LOGIN_PASSWORD_MAX)
		return LOGIN_WRONG;
	/* Nobody's password is asked about too: it costs auth the same time. */
	if (!login_find(directory, name, &account, error))
		return LOGIN_FAILED;
	*account_out = account.id;
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
