/* hauberk alias add|list|remove|senders */
#include <string.h>

#include "main/command.h"
#include "main/control.h"

static const struct {
	const char *verb;
	int least, most; /* words after the verb */
} verbs[] = {
	{ "add", 2, COMMAND_WORDS - 2 },
	{ "list", 0, 1 },
	{ "remove", 1, 3 },
	{ "senders", 2, 2 },
};

static int run(int argc, char **argv)
{
	const char *path;

	if (!command_conf_path(&argc, argv, &path))
		return command_wrong(&command_alias, "-c wants a file", NULL);
	for (size_t i = 0; argc > 1 && i < sizeof verbs / sizeof verbs[0]; i++) {
		if (strcmp(argv[1], verbs[i].verb) != 0)
			continue;
		if (argc - 2 < verbs[i].least || argc - 2 > verbs[i].most ||
		    (strcmp(argv[1], "remove") == 0 && argc == 5 &&
			strcmp(argv[4], "--force") != 0))
			return command_wrong(&command_alias, "this wants other words", argv[1]);
		return client_command(path, argc, argv, (slice){ 0 });
	}
	return command_wrong(&command_alias, argc > 1 ? "there is no such word" : "say what to do",
	    argc > 1 ? argv[1] : NULL);
}

const struct command command_alias = { "alias", "add, list and remove other names of accounts",
	"usage: hauberk alias add ALIAS TARGET... [-c FILE]\n"
	"       hauberk alias list [DOMAIN | ALIAS] [-c FILE]\n"
	"       hauberk alias remove ALIAS [TARGET] [--force] [-c FILE]\n"
	"       hauberk alias senders ALIAS anyone|users|members [-c FILE]\n"
	"\n"
	"An alias is an address of our domains that leads to one or more accounts or other aliases of\n"
	"ours; add on one that is there adds targets. Mail reaches each account once. An alias that leads\n"
	"to exactly one account can log in as it, with that account's password. At most 10 aliases stand\n"
	"one behind another, and one leads to at most 1000 accounts.\n"
	"The alias \"@example.org\" gets all mail for addresses of that domain that nobody has.\n"
	"senders makes a group of it: mail is taken from anyone, from users who have logged in, or from\n"
	"those whom it leads to.\n"
	"remove takes one target away, or all; an alias without targets is gone. While other aliases lead\n"
	"to it, only --force removes it: it is taken out of them, and those that then lead nowhere go too.\n",
	run };
