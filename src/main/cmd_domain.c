/* hauberk domain add|list|remove|quota */
#include <string.h>

#include "main/command.h"

static int run(int argc, char **argv)
{
	const char *path;

	if (!command_conf_path(&argc, argv, &path))
		return command_wrong(&command_domain, "-c wants a file", NULL);
	const char *verb = argc > 1 ? argv[1] : "";
	int words = strcmp(verb, "list") == 0 ? 2 : strcmp(verb, "quota") == 0 ? 4 : 3;
	if (strcmp(verb, "add") && strcmp(verb, "list") && strcmp(verb, "remove") &&
	    strcmp(verb, "quota"))
		return command_wrong(&command_domain, "there is no such word", verb);
	if (argc != words)
		return command_wrong(&command_domain, "this wants other words", verb);
	return client_command(path, argc, argv, (slice){ 0 });
}

const struct command command_domain = { "domain", "add, list and remove the domains that are ours",
	"usage: hauberk domain add NAME [-c FILE]\n"
	"       hauberk domain list [-c FILE]\n"
	"       hauberk domain remove NAME [-c FILE]\n"
	"       hauberk domain quota NAME SIZE|none [-c FILE]\n"
	"\n"
	"A quota holds for each account of the domain that has none of its own; see hauberk account.\n"
	"International names may be written as people type them.\n"
	"A domain that still has accounts or aliases is not removed.\n",
	run };
