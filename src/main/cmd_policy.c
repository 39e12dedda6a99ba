/* hauberk policy: checks policies, lays them out, plays sessions against them, explains names. */
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "main/command.h"
#include "main/open.h"
#include "main/policy_import.h"
#include "main/policy_run.h"
#include "policy/files.h"
#include "script/policy/fmt.h"
#include "policy/tables.h"

#define BODY_CHUNK_STEPS 100000

struct job {
	struct arena *arena;
	struct sources sources;
	struct policy_host host;
	struct buf out;
	bool json;
};

static void job_begin(struct job *j, bool json)
{
	*j = (struct job){
		.arena = arena_new(ARENA_POLICY), .host = policy_host_smtp(), .json = json
	};
	j->host.call = policy_play_call;
	sources_begin(&j->sources, j->arena, policy_read_file, NULL);
	buf_init(&j->out, 64 << 20);
}

static void job_end(struct job *j)
{
	fwrite(j->out.p ? j->out.p : "", 1, j->out.n, stdout);
	buf_free(&j->out);
	arena_free(j->arena);
}

/* UINT32_MAX: said why. */
static uint32_t job_read(struct job *j, const char *path)
{
	struct error error;
	slice text;

	if (!policy_read_file(NULL, path, TEXT_MAX, j->arena, &text, &error)) {
		fprintf(stderr, "hauberk policy: %s\n", error.why);
		return UINT32_MAX;
	}
	return sources_add(&j->sources, path, text, (struct range){ 0 });
}

static struct policy *job_compile(struct job *j, const char *path)
{
	struct policy_limits limits = { VM_STEPS, BODY_CHUNK_STEPS, 1u << ON_BODY_CHUNK };
	uint32_t file = job_read(j, path);

	return file == UINT32_MAX ? NULL : policy_compile(&j->host, &j->sources, file, &limits);
}

/* ---- check ---- */

static void print_bounds(struct job *j, const struct policy *p)
{
	for (unsigned e = 0; e < POLICY_EVENTS; e++) {
		const struct program_bound *b = &p->program->bounds[e];

		if (p->program->entries[e] < 0)
			continue;
		buf_addf(&j->out, "%s: at most %llu steps, %u checks, %u s\n",
		    j->host.events[e].name, (unsigned long long)b->steps, b->checks,
		    b->checks < 6 ? b->checks * 10 : 60);
	}
}

static unsigned play_tests(struct job *j, const struct policy *p)
{
	unsigned tests = 0, red = 0;

	for (const struct decl *d = p->decls; d; d = d->next) {
		if (d->kind != DECL_TEST)
			continue;
		tests++;
		if (policy_play(p, d->steps, true, &j->out)) {
			buf_addf(&j->out, "test \"%.*s\" is red\n", SLICE_ARG(d->name));
			red++;
		}
	}
	if (tests)
		buf_addf(&j->out, "%u test%s, %u red\n", tests, tests == 1 ? "" : "s", red);
	return red;
}

static bool check_file(const char *path, bool json)
{
	struct job j;

	job_begin(&j, json);
	struct policy *p = job_compile(&j, path);
	sources_print(&j.sources, json, &j.out);
	bool good = p != NULL;
	if (p && !json) {
		for (uint32_t i = 0; i < p->rule_count; i++)
			buf_addf(&j.out, "rule \"%s\": %s\n", p->rules[i].name,
			    p->rules[i].disabled
				? "disabled"
				: events_text(&j.host, p->rules[i].events, j.arena));
		print_bounds(&j, p);
		good = play_tests(&j, p) == 0;
	}
	job_end(&j);
	return good;
}

static int check(int argc, char **argv)
{
	bool good = true, json = argc > 1 && strcmp(argv[1], "--json") == 0;

	for (int i = json ? 2 : 1; i < argc; i++)
		good &= check_file(argv[i], json);
	return !good;
}

/* ---- fmt ---- */

/* With operators for the functions of scripts brought along; UINT32_MAX: said why. */
static uint32_t read_modern(struct job *j, const char *path, slice *as_it_is)
{
	struct buf modern;
	uint32_t file = job_read(j, path);

	if (file == UINT32_MAX)
		return file;
	*as_it_is = j->sources.files[file].text;
	buf_init(&modern, 2 * TEXT_MAX);
	if (policy_import_operators(&j->host, path, *as_it_is, j->arena, &modern) &&
	    modern.n <= TEXT_MAX)
		j->sources.files[file].text = arena_copy(j->arena, buf_slice(&modern));
	buf_free(&modern);
	return file;
}

static int fmt_file(const char *path)
{
	struct job j;
	struct buf laid;
	struct error error;
	slice before;

	job_begin(&j, false);
	buf_init(&laid, 2 * TEXT_MAX);
	uint32_t file = read_modern(&j, path, &before);
	bool good = file != UINT32_MAX && policy_fmt(&j.sources, file, &laid);
	sources_print(&j.sources, false, &j.out);
	if (good && !slice_eq(buf_slice(&laid), before) &&
	    !file_replace(path, buf_slice(&laid), 0644, &error)) {
		fprintf(stderr, "hauberk policy fmt: %s\n", error.why);
		good = false;
	}
	buf_free(&laid);
	job_end(&j);
	return !good;
}

/* ---- run ---- */

static int run_session(const char *path, const char *session)
{
	struct job j;

	job_begin(&j, false);
	struct policy *p = job_compile(&j, path);
	uint32_t file = p ? job_read(&j, session) : UINT32_MAX;
	struct step *steps = file != UINT32_MAX ? session_parse(&j.sources, file) : NULL;
	sources_print(&j.sources, false, &j.out);
	unsigned failed = steps ? policy_play(p, steps, false, &j.out) : 1;
	if (steps && failed)
		buf_addf(&j.out, "%u failed\n", failed);
	job_end(&j);
	return failed != 0;
}

/* ---- import ---- */

static int import(const char *path)
{
	struct job j;
	struct buf lost;
	struct error error;
	slice text;

	job_begin(&j, false);
	buf_init(&lost, 16 << 20);
	bool good = policy_read_file(NULL, path, TEXT_MAX, j.arena, &text, &error);
	unsigned count = good ? policy_import(&j.host, path, text, j.arena, &j.out, &lost) : 1;
	if (!good)
		fprintf(stderr, "hauberk policy import: %s\n", error.why);
	fwrite(lost.p ? lost.p : "", 1, lost.n, stderr);
	if (count && good && count != UINT_MAX)
		fprintf(stderr, "%u part%s not imported\n", count, count == 1 ? "" : "s");
	buf_free(&lost);
	job_end(&j);
	return count != 0;
}

/* ---- explain ---- */

static void explain_variable(struct job *j, const struct policy_variable *v)
{
	printf("%s: variable, %s\n  %s\n", v->name, v->type, v->meaning);
	struct host_info *info = host_read(&j->host, j->arena);
	const struct host_variable *read = &info->variables[policy_variable_id(v->name)];
	printf("  known in: %s\n", events_text(&j->host, read->known, j->arena));
	printf("  set in: %s\n", events_text(&j->host, read->settable, j->arena));
	if (*v->standard)
		printf("  default: %s\n",
		    strcmp(v->standard, "conf") == 0 ? "the basic setting" : v->standard);
	if (read->peer)
		printf("  a client, a message or another server says it\n");
	if (read->no_peer)
		printf("  it takes nothing that a client, a message or another server says\n");
	printf("  example: %s\n",
	    read->settable        ? arena_printf(j->arena, "set(%s, ...);", v->name)
		: read->type.list ? arena_printf(j->arena, "foreach x in %s { ... }", v->name)
				  : arena_printf(j->arena, "if (%s == ...) { ... }", v->name));
}

static void explain_method(struct job *j, const struct policy_method *m)
{
	static const char *const kinds[] = { "function", "check", "action" };
	struct host_info *info = host_read(&j->host, j->arena);

	for (unsigned i = 0; i < j->host.method_count; i++)
		if (&j->host.methods[i] == m)
			printf("%s: %s(%s)\n  %s\n  in: %s\n", m->name, kinds[m->kind], m->params,
			    m->meaning, events_text(&j->host, info->methods[i].events, j->arena));
	if (*m->outputs)
		printf("  sets: %s\n", m->outputs);
	printf("  example: %s\n", m->example);
	if (m->engine)
		printf("  not built yet: it waits for %s\n", m->engine);
}

static bool explain_name(struct job *j, const char *name)
{
	for (unsigned i = 0; i < j->host.variable_count; i++)
		if (strcmp(j->host.variables[i].name, name) == 0) {
			explain_variable(j, &j->host.variables[i]);
			return true;
		}
	for (unsigned i = 0; i < j->host.method_count; i++)
		if (strcmp(j->host.methods[i].name, name) == 0) {
			explain_method(j, &j->host.methods[i]);
			return true;
		}
	for (unsigned i = 0; i < j->host.event_count; i++)
		if (strcmp(j->host.events[i].name, name) == 0) {
			const struct policy_event *e = &j->host.events[i];

			printf(
			    "%s: event of %s\n  %s\n  verdicts: %s\n  example: event %s { ... }\n",
			    e->name, e->context, e->fires, e->verdicts, e->name);
			return true;
		}
	return false;
}

/* The name that was perhaps meant; NULL: none is near. */
static const char *nearest(const struct policy_host *h, const char *name)
{
	const char *found = NULL;
	unsigned best = 3;

	for (unsigned i = 0; i < h->variable_count + h->method_count + h->event_count; i++) {
		const char *other = i < h->variable_count ? h->variables[i].name
		    : i < h->variable_count + h->method_count
		    ? h->methods[i - h->variable_count].name
		    : h->events[i - h->variable_count - h->method_count].name;
		unsigned d = word_distance(slice_of(name), slice_of(other), 2);

		if (d < best) {
			best = d;
			found = other;
		}
	}
	return found;
}

static int explain(const char *name)
{
	struct job j;

	job_begin(&j, false);
	bool found = explain_name(&j, name);
	const char *near = found ? NULL : nearest(&j.host, name);
	if (!found)
		fprintf(stderr,
		    "hauberk policy explain: there is no variable, method or event '%s'%s%s%s\n",
		    name, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
	job_end(&j);
	return !found;
}

/* ---- versions ---- */

/* Who says it, for the history; the server adds the uid that it knows by itself. */
static char *who(void)
{
	static char name[100];
	const char *sudo = getenv("SUDO_USER");
	const struct passwd *user = getpwuid(getuid());

	snprintf(name, sizeof name, "%s", sudo && *sudo ? sudo : user ? user->pw_name : "somebody");
	return name;
}

/* All files that the policy reads, in a memory file; -1: it was said why not. */
static int gather(const char *path)
{
	struct job j;
	struct policy_files files;
	struct error error;
	int fd = -1;

	job_begin(&j, false);
	files_begin(&files);
	uint32_t file = job_read(&j, path);
	bool ok = file != UINT32_MAX &&
	    files_add(&files, slice_of(path), j.sources.files[file].text, &error);
	j.sources.read = files_record;
	j.sources.context = &files;
	struct policy_limits limits = { VM_STEPS, BODY_CHUNK_STEPS, 1u << ON_BODY_CHUNK };
	if (ok && !policy_compile(&j.host, &j.sources, file, &limits)) {
		sources_print(&j.sources, false, &j.out);
		ok = false;
	}
	if (ok && (fd = open_sealed(buf_slice(&files.text), "policy", &error)) < 0)
		fprintf(stderr, "hauberk policy: %s\n", error.why);
	files_free(&files);
	job_end(&j);
	return fd;
}

static int activate(const char *conf, const char *path, const char *why)
{
	char *words[] = { "policy", "activate", who(), (char *)why };
	int fd = gather(path);

	if (fd < 0)
		return 1;
	int status = client_command_file(conf, 4, words, fd);
	close(fd);
	return status;
}

/* What needs the running server; -1: it is none of these words. */
static int run_version(int argc, char **argv, const char *conf)
{
	const char *why = NULL, *verb = argc > 1 ? argv[1] : "";
	static const char *const verbs[] = { "activate", "deactivate", "history", "rollback",
		"show" };
	size_t i = 0;

	while (i < 5 && strcmp(verb, verbs[i]) != 0)
		i++;
	if (i == 5)
		return -1;
	if (!command_option(&argc, argv, "--why", &why))
		return command_wrong(&command_policy, "--why wants a text", NULL);
	bool reads = i == 2 || i == 4;
	if (reads == (why != NULL))
		return command_wrong(
		    &command_policy, reads ? "this wants no reason" : "say why: --why TEXT", verb);
	if (i == 0 && argc == 3)
		return activate(conf, argv[2], why);
	if (i == 2 ? argc != 2 : i == 1 ? argc != 2 : i == 0 || argc > 3)
		return command_wrong(&command_policy, "this wants other words", verb);
	if (reads)
		return client_command(conf, argc, argv, (slice){ 0 });
	char *words[] = { "policy", argv[1], who(), (char *)why, argc > 2 ? argv[2] : NULL };
	return client_command(conf, argc > 2 ? 5 : 4, words, (slice){ 0 });
}

static int run(int argc, char **argv)
{
	const char *conf;

	if (!command_conf_path(&argc, argv, &conf))
		return command_wrong(&command_policy, "-c wants a file", NULL);
	const char *verb = argc > 1 ? argv[1] : "";
	int status = run_version(argc, argv, conf);

	if (status >= 0)
		return status;

	if (strcmp(verb, "check") == 0 && argc > 2)
		return check(argc - 1, argv + 1);
	if (strcmp(verb, "fmt") == 0 && argc == 3)
		return fmt_file(argv[2]);
	if (strcmp(verb, "run") == 0 && argc == 5 && strcmp(argv[3], "--session") == 0)
		return run_session(argv[2], argv[4]);
	if (strcmp(verb, "explain") == 0 && argc == 3)
		return explain(argv[2]);
	if (strcmp(verb, "import") == 0 && argc == 3)
		return import(argv[2]);
	return command_wrong(&command_policy, "say what to do with a policy", *verb ? verb : NULL);
}

const struct command command_policy = { "policy",
	"check, lay out and try policies, explain their names",
	"usage: hauberk policy check [--json] FILE...\n"
	"       hauberk policy fmt FILE\n"
	"       hauberk policy run FILE --session FILE\n"
	"       hauberk policy explain NAME\n"
	"       hauberk policy import FILE\n"
	"       hauberk policy activate FILE --why TEXT [-c FILE]\n"
	"       hauberk policy deactivate --why TEXT [-c FILE]\n"
	"       hauberk policy history [-c FILE]\n"
	"       hauberk policy show [VERSION] [-c FILE]\n"
	"       hauberk policy rollback [VERSION] --why TEXT [-c FILE]\n"
	"\n"
	"check says every mistake with file, line and column, where each rule is placed, the most steps of\n"
	"every event, and plays the tests of the policy. fmt lays the file out anew; comments stay. run plays\n"
	"a session and prints what each step did. Nothing is asked of the network. import prints an AXIGEN\n"
	"script as a policy; what it does not understand becomes a comment and is listed. Status 1: mistakes, a\n"
	"test or session that failed, or something not imported. activate checks the file, plays its tests, and makes it the next version,\n"
	"with who, when and why: the running server takes it whole, or keeps what it had. Its imports and the\n"
	"files of its tables go along. rollback makes an older version (the one before, unless VERSION is said)\n"
	"the next one; deactivate leaves none.\n",
	run };
