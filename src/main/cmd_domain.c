/* hauberk domain add|list|remove */
#include <string.h>

#include "main/command.h"

static int run(int argc, char **argv)
{
	const char *path;

	if (!command_conf_path(&argc, argv, &path))
		return command_wrong(&command_domain, "-c wants a file", NULL);
	const char *verb = argc > 1 ? argv[1] : "";
	if (strcmp(verb, "list") == 0 ? argc != 2 : argc != 3)
		return command_wrong(&command_domain, "say add NAME, list or remove NAME", NULL);
	if (strcmp(verb, "add") && strcmp(verb, "list") && strcmp(verb, "remove"))
		return command_wrong(&command_domain, "there is no such word", verb);
	return client_command(path, argc, argv, (slice){ 0 });
}

const struct command command_domain = { "domain", "add, list and remove the domains that are ours",
	"usage: hauberk domain add NAME [-c FILE]\n"
	"       hauberk domain list [-c FILE]\n"
	"       hauberk domain remove NAME [-c FILE]\n"
	"\n"
	"A domain that still has accounts or aliases is not removed.\n",
	run };
