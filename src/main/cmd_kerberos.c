/* hauberk kerberos check|guide */
#include <stdio.h>
#include <string.h>

#include "base/octet.h"
#include "main/command.h"
#include "main/kerberos_check.h"
#include "main/kerberos_guide.h"

static int check(const struct conf *conf, const char *keytab, const char *ldap, bool json)
{
	struct check c = { .report = { .json = json },
		.conf = conf,
		.keytab_path = keytab,
		.ldap = ldap,
		.arena = arena_new(64 << 20) };

	if (krb5_init_context(&c.library)) {
		c.library = NULL;
		report_problem(&c.report, "cat /etc/krb5.conf", "config",
		    "the Kerberos library does not start: krb5.conf has a mistake");
	}
	check_keytab(&c);
	check_dns(&c);
	check_clock(&c);
	check_tickets(&c);
	check_spns(&c);
	check_logins(&c);
	int status = report_end(&c.report);
	if (c.library)
		krb5_free_context(c.library);
	arena_free(c.arena);
	return status;
}

static int run_check(int argc, char **argv)
{
	struct conf conf;
	struct conf_origin origin;
	const char *path, *keytab = NULL, *ldap = NULL;

	if (!command_option(&argc, argv, "--keytab", &keytab) ||
	    !command_option(&argc, argv, "--ldap", &ldap))
		return command_wrong(&command_kerberos, "this wants a value", argv[argc - 1]);
	bool json = command_flag(&argc, argv, "--json");
	if (!command_conf_path(&argc, argv, &path))
		return command_wrong(&command_kerberos, "-c wants a file", NULL);
	if (argc != 2)
		return command_wrong(&command_kerberos, "check does not know", argv[2]);
	return command_conf(path, &conf, &origin) ? check(&conf, keytab, ldap, json) : 1;
}

static bool is_name(const char *text)
{
	slice s = slice_of(text);

	for (size_t i = 0; i < s.n; i++)
		if (!octet_is(s.p[i], OCTET_ALPHA | OCTET_DIGIT) && s.p[i] != '-' && s.p[i] != '.')
			return false;
	return s.n > 0 && s.n <= 253;
}

static int run_guide(int argc, char **argv)
{
	const char *host = NULL, *realm = NULL, *path;

	if (!command_conf_path(&argc, argv, &path) ||
	    !command_option(&argc, argv, "--host", &host) ||
	    !command_option(&argc, argv, "--realm", &realm))
		return command_wrong(&command_kerberos, "this wants a value", argv[argc - 1]);
	if (argc != 2)
		return command_wrong(&command_kerberos, "guide does not know", argv[2]);
	if (!host || !realm || !is_name(host) || !is_name(realm))
		return command_wrong(&command_kerberos,
		    "guide wants --host mail.example.org --realm EXAMPLE.ORG", NULL);
	kerberos_guide(host, realm);
	return 0;
}

static int run(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "check") == 0)
		return run_check(argc, argv);
	if (argc > 1 && strcmp(argv[1], "guide") == 0)
		return run_guide(argc, argv);
	return command_wrong(&command_kerberos, "say check or guide", argc > 1 ? argv[1] : NULL);
}

const struct command command_kerberos = { "kerberos", "check and explain logins with tickets",
	"usage: hauberk kerberos check [--keytab FILE] [--ldap URI] [--json] [-c FILE]\n"
	"       hauberk kerberos guide --host HOST --realm REALM\n"
	"\n"
	"check looks at the configuration, the keytab (of the configuration, or FILE), the host's name in DNS,\n"
	"the clock of the KDC, and, with your ticket (kinit), at the tickets for the services, their names in\n"
	"Active Directory (by LDAP, at the domain's name or URI), and logs in at each service. It says of each\n"
	"problem what mends it. What cannot be tested is told so. Status 1 if there is a problem.\n"
	"guide prints the whole set-up of Active Directory, this server and mail programs for a host.\n",
	run };
