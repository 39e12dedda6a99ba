/* hauberk config check|show|manual */
#include <stdio.h>
#include <string.h>

#include "main/manual.h"

static void say(void *context, const char *text)
{
	(void)context;
	fprintf(stderr, "%s\n", text);
}

static int show(const struct conf *conf, const struct conf_origin *origin, const char *path)
{
	struct arena *arena = arena_new(8 << 20);

	for (size_t i = 0; i < conf_row_count; i++) {
		const struct conf_row *row = &conf_rows[i];

		printf("%s = %s;", row->name, conf_text(row, conf, arena));
		if (origin->lines[i])
			printf("  # %s:%d\n", path, origin->lines[i]);
		else
			printf("  # default\n");
	}
	for (int i = 0; i < conf->certificate_count; i++) {
		printf("certificate {");
		for (size_t j = 0; j < conf_certificate_row_count; j++)
			printf(" %s = %s;", conf_certificate_rows[j].name,
			    conf_text(&conf_certificate_rows[j], &conf->certificates[i], arena));
		printf(" }\n");
	}
	for (int i = 0; i < conf->listener_count; i++) {
		printf("listener {");
		for (size_t j = 0; j < conf_listener_row_count; j++)
			printf(" %s = %s;", conf_listener_rows[j].name,
			    conf_text(&conf_listener_rows[j], &conf->listeners[i], arena));
		printf(" }\n");
	}
	arena_free(arena);
	return 0;
}

static int run(int argc, char **argv)
{
	struct conf conf;
	struct conf_origin origin;
	const char *path;

	if (!command_conf_path(&argc, argv, &path))
		return command_wrong(&command_config, "-c wants a file", NULL);
	if (argc != 2)
		return command_wrong(&command_config, "say check, show or manual", NULL);
	if (strcmp(argv[1], "manual") == 0) {
		manual_write(stdout);
		return 0;
	}
	bool shows = strcmp(argv[1], "show") == 0;
	if (!shows && strcmp(argv[1], "check") != 0)
		return command_wrong(&command_config, "there is no such word", argv[1]);
	bool good = command_conf(path, &conf, &origin);
	if (!good)
		return 1;
	if (!shows) {
		conf_warn(&conf, &origin, path, say, NULL);
		printf("%s: good\n", path);
	}
	return shows ? show(&conf, &origin, path) : 0;
}

const struct command command_config = { "config",
	"check the configuration file, or show every setting",
	"usage: hauberk config check|show|manual [-c FILE]\n"
	"\n"
	"  check   say every mistake with file and line; status 1 if there is one\n"
	"  show    print every setting with its value and where that comes from\n"
	"  manual  print the manual page hauberk.conf(5), in mdoc\n"
	"\n"
	"FILE is " DEFAULT_CONF " unless -c or $HAUBERK_CONF names another.\n",
	run };
