#include "main/users.h"

#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define MEND                                                                                       \
	"make it with: systemd-sysusers hauberk.conf (packaging/sysusers.conf), or start with --as-user"

static bool find_user(struct users *users, enum role role, struct error *error)
{
	char *name = users->roles[role].name;

	snprintf(name, sizeof users->roles[role].name, "hauberk-%s", role_name(role));
	const struct passwd *user = getpwnam(name);
	if (!user)
		return error_local(error, "there is no user %s; " MEND, name);
	if (user->pw_uid == 0)
		return error_local(error, "the user %s is root; no role may be", name);
	users->roles[role].uid = user->pw_uid;
	users->roles[role].gid = user->pw_gid;
	return true;
}

static bool find_group(const char *name, gid_t *out, struct error *error)
{
	const struct group *group = getgrnam(name);

	if (!group)
		return error_local(error, "there is no group %s; " MEND, name);
	*out = group->gr_gid;
	return true;
}

bool users_find(bool separate, struct users *out, struct error *error)
{
	*out = (struct users){ .separate = separate };
	for (int role = ROLE_CONTROL; separate && role < ROLE_COUNT; role++)
		if (!find_user(out, (enum role)role, error))
			return false;
	return !separate ||
	    (find_group("hauberk-directory", &out->directory, error) &&
		find_group("hauberk-spool", &out->spool, error) &&
		find_group("hauberk-mail", &out->mail, error) &&
		find_group("hauberk-trace", &out->trace, error) &&
		find_group("hauberk-admin", &out->admin, error));
}

/* What no program that this process may ever become shall get. An administrator who gave main less than
 * this needs has given it a bounding set of his own: then that holds. */
static void drop_bounds(void)
{
	for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
}

bool users_become(const struct users *users, enum role role)
{
	/* What one role makes for another, their common group may use; nobody else. */
	umask(0007);
	if (!users->separate)
		return true;
	uid_t uid = users->roles[role].uid;
	gid_t gid = users->roles[role].gid;
	drop_bounds();
	return initgroups(users->roles[role].name, gid) == 0 && setresgid(gid, gid, gid) == 0 &&
	    setresuid(uid, uid, uid) == 0 && setuid(0) < 0;
}
