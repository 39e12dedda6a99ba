/* hauberk: the one program. Each sub-command has a file of its own beside this one. */
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "main/command.h"

static int run_version(int argc, char **argv)
{
	(void)argv;
	if (argc > 1) {
		fprintf(stderr, "hauberk version takes no words\n");
		return 2;
	}
	puts("hauberk " HAUBERK_VERSION);
	return 0;
}

static const struct command command_version = { "version", "print the version",
	"usage: hauberk version\n", run_version };

static const struct command *const commands[] = { &command_serve, &command_status, &command_config,
	&command_domain, &command_account, &command_alias, &command_access, &command_policy,
	&command_kerberos, &command_tls, &command_dns, &command_spf, &command_trace,
	&command_version };

static void usage(FILE *out)
{
	fprintf(out,
	    "usage: hauberk COMMAND [WORDS]    (hauberk COMMAND --help tells more)\n\ncommands:\n");
	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
		fprintf(out, "  %-10s %s\n", commands[i]->name, commands[i]->summary);
}

bool command_help(const struct command *c, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
			fputs(c->usage, stdout);
			return true;
		}
	}
	return false;
}

int command_wrong(const struct command *c, const char *what, const char *word)
{
	fprintf(stderr, "hauberk %s: %s%s%s\n%s", c->name, what, word ? ": " : "", word ? word : "",
	    c->usage);
	return 2;
}

bool command_option(int *argc, char **argv, const char *name, const char **value_out)
{
	int kept = 1;

	for (int i = 1; i < *argc; i++) {
		if (strcmp(argv[i], name) != 0) {
			argv[kept++] = argv[i];
			continue;
		}
		if (++i == *argc)
			return false;
		*value_out = argv[i];
	}
	*argc = kept;
	return true;
}

bool command_flag(int *argc, char **argv, const char *name)
{
	int kept = 1, before = *argc;

	for (int i = 1; i < before; i++)
		if (strcmp(argv[i], name) != 0)
			argv[kept++] = argv[i];
	*argc = kept;
	return kept < before;
}

bool command_conf_path(int *argc, char **argv, const char **path_out)
{
	const char *from_environment = getenv("HAUBERK_CONF");

	*path_out = from_environment ? from_environment : DEFAULT_CONF;
	return command_option(argc, argv, "-c", path_out);
}

static void complain(void *context, const char *text)
{
	(void)context;
	fprintf(stderr, "%s\n", text);
}

bool command_conf(const char *path, struct conf *conf_out, struct conf_origin *origin_out)
{
	static struct arena *arena;

	if (!arena)
		arena = arena_new(8 << 20);
	bool read = conf_read(path, arena, conf_out, origin_out, complain, NULL);
	/* Only what was read whole can be checked further. */
	return read && conf_check(conf_out, origin_out, path, complain, NULL);
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";

	setlocale(LC_ALL, "C");
	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
		usage(stdout);
		return 0;
	}
	/* Started by `serve` for each role; not for people. */
	if (strcmp(name, "role") == 0)
		return command_role.run(argc - 1, argv + 1);
	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
		if (strcmp(name, commands[i]->name) != 0)
			continue;
		return command_help(commands[i], argc - 1, argv + 1)
		    ? 0
		    : commands[i]->run(argc - 1, argv + 1);
	}
	if (name[0])
		fprintf(stderr, "hauberk: there is no command \"%s\"\n", name);
	usage(stderr);
	return 2;
}
