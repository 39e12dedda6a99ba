/* The commands about versions of the policy. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "main/control_work.h"
#include "main/policy_run.h"
#include "policy/files.h"
#include "policy/tables.h"

#define LIST_MAX         (256u << 20)
#define WHY_MAX          500
#define BODY_CHUNK_STEPS 100000

void policy_tell(struct work *w)
{
	struct message m;

	message_begin(&m, MESSAGE_POLICY);
	peers_tell_all(w->peers, ROLE_SMTP, &m);
	peers_tell_all(w->peers, ROLE_DELIVER, &m);
	message_free(&m);
}

/* What came along, in the arena. */
static bool read_file(struct work *w, struct arena *arena, slice *out)
{
	struct stat st;
	size_t n = 0;

	if (w->request->file < 0 || fstat(w->request->file, &st) < 0 || !S_ISREG(st.st_mode))
		return error_input(&w->error, "no policy came with the command");
	if (st.st_size > FILES_OCTETS)
		return error_input(&w->error, "a policy and its tables may have %u MiB together",
		    FILES_OCTETS >> 20);
	char *text = arena_alloc(arena, (size_t)st.st_size + 1);
	while (n < (size_t)st.st_size) {
		ssize_t got = pread(w->request->file, text + n, (size_t)st.st_size - n, (off_t)n);

		if (got <= 0 && errno != EINTR)
			return error_local(&w->error, "the policy cannot be read: %s",
			    got < 0 ? strerror(errno) : "it has become shorter");
		n += got > 0 ? (size_t)got : 0;
	}
	*out = (slice){ text, n };
	return true;
}

/* Its tests, each red one by name. */
static bool tests_are_green(struct work *w, const struct policy *p)
{
	unsigned red = 0;

	for (const struct decl *d = p->decls; d; d = d->next)
		if (d->kind == DECL_TEST && policy_play(p, d->steps, true, w->out)) {
			buf_addf(w->out, "test \"%.*s\" is red\n", SLICE_ARG(d->name));
			red++;
		}
	return red == 0 ||
	    error_input(&w->error, "%u test%s red: the policy was not activated", red,
		red == 1 ? " is" : "s are");
}

/* Does it compile here, and are its tests green? What is wrong goes to the answer. */
static bool examine(struct work *w, struct arena *arena, slice files)
{
	struct policy_limits limits = { VM_STEPS, BODY_CHUNK_STEPS, 1u << ON_BODY_CHUNK };
	struct policy_host host = policy_host_smtp();
	struct sources sources;
	slice name, text;

	host.call = policy_play_call;
	if (!files_first(files, &name, &text))
		return error_input(&w->error, "what came with the command is no policy");
	sources_begin(&sources, arena, files_read, &files);
	uint32_t file = sources_add(&sources, arena_str(arena, name), text, (struct range){ 0 });
	struct policy *p =
	    file == UINT32_MAX ? NULL : policy_compile(&host, &sources, file, &limits);
	sources_print(&sources, false, w->out);
	return p ? tests_are_green(w, p)
		 : error_input(&w->error, "the policy has errors and was not activated");
}

static bool check_words(struct work *w, slice who, slice why)
{
	if (!why.n || why.n > WHY_MAX || !who.n || who.n > WHY_MAX)
		return error_input(&w->error, "say why, in at most %d octets: --why TEXT", WHY_MAX);
	for (size_t i = 0; i < why.n + who.n; i++)
		if ((unsigned char)(i < why.n ? why.p[i] : who.p[i - why.n]) < ' ')
			return error_input(&w->error, "a control character in the reason");
	return true;
}

static bool add(struct work *w, struct directory_policy *row, const char *what)
{
	char who[WHY_MAX + 40];

	snprintf(who, sizeof who, "%.*s (uid %u)", SLICE_ARG(row->who), w->request->uid);
	row->who = slice_of(who);
	if (!directory_policy_add(w->dir, row, &w->error))
		return false;
	buf_addf(w->out, "%s, as version %lld of the policy\n", what, (long long)row->number);
	policy_tell(w);
	return true;
}

/* policy activate WHO WHY, with the files. */
bool policy_activate(struct work *w)
{
	struct arena *arena = arena_new(ARENA_POLICY);
	struct directory_policy row = { .who = w->request->words[2], .why = w->request->words[3] };
	slice text;
	bool ok = w->request->count == 4 && check_words(w, row.who, row.why) &&
	    read_file(w, arena, &row.bundle) && examine(w, arena, row.bundle);

	if (ok) {
		files_first(row.bundle, &row.name, &text);
		ok = add(w, &row, "activated");
	}
	arena_free(arena);
	return ok;
}

/* policy deactivate WHO WHY */
bool policy_deactivate(struct work *w)
{
	struct directory_policy row = { .who = w->request->words[2], .why = w->request->words[3] };

	return w->request->count == 4 && check_words(w, row.who, row.why) &&
	    add(w, &row, "deactivated: no policy is active");
}

static void print_time(int64_t us, struct buf *out)
{
	time_t seconds = (time_t)(us / 1000000);
	struct tm tm;
	char text[40] = "?";

	if (gmtime_r(&seconds, &tm))
		strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
	buf_adds(out, text);
}

bool policy_history(struct work *w)
{
	struct arena *arena = arena_new(LIST_MAX);
	struct directory_policy *rows;
	size_t n;
	bool ok = directory_policy_list(w->dir, arena, &rows, &n, &w->error);

	for (size_t i = 0; ok && i < n; i++) {
		buf_addf(w->out, "%lld%s ", (long long)rows[i].number, i ? "" : " active");
		print_time(rows[i].made_us, w->out);
		buf_addf(w->out, " %.*s: %.*s (%.*s)\n", SLICE_ARG(rows[i].who),
		    SLICE_ARG(rows[i].why),
		    SLICE_ARG(rows[i].name.n ? rows[i].name : SLICE("no policy")));
	}
	if (ok && n == 0)
		buf_adds(w->out, "no policy was activated yet\n");
	arena_free(arena);
	return ok;
}

/* The number of the word; or that of the version before the active one. */
static bool version_of(struct work *w, int word, struct arena *arena, int64_t *number_out)
{
	struct directory_policy *rows;
	uint64_t number;
	size_t n;

	if (w->request->count > word) {
		bool good = slice_number(w->request->words[word], INT64_MAX, &number) && number;

		*number_out = good ? (int64_t)number : 0;
		return good ||
		    error_input(&w->error, "\"%.*s\" is no number of a version",
			SLICE_ARG(slice_head(w->request->words[word], 40)));
	}
	if (!directory_policy_list(w->dir, arena, &rows, &n, &w->error))
		return false;
	*number_out = n > 1 ? rows[1].number : 0;
	return n > 1 || error_plain(&w->error, FAULT_ABSENT, "there is no version before this one");
}

/* policy rollback WHO WHY [NUMBER] */
bool policy_rollback(struct work *w)
{
	struct arena *arena = arena_new(ARENA_POLICY);
	slice who = w->request->words[2], why = w->request->words[3];
	struct directory_policy row;
	int64_t number;
	bool ok = w->request->count >= 4 && check_words(w, who, why) &&
	    version_of(w, 4, arena, &number) &&
	    directory_policy_read(w->dir, number, arena, &row, &w->error) &&
	    (!row.name.n || examine(w, arena, row.bundle));

	if (ok) {
		char what[60];

		snprintf(what, sizeof what, "version %lld is active again", (long long)number);
		row.who = who;
		row.why = why;
		ok = add(w, &row, what);
	}
	arena_free(arena);
	return ok;
}

/* policy show [NUMBER]: the text of each of its files. */
bool policy_show(struct work *w)
{
	struct arena *arena = arena_new(ARENA_POLICY);
	struct directory_policy row;
	int64_t number = 0;
	bool ok = (w->request->count < 3 || version_of(w, 2, arena, &number)) &&
	    directory_policy_read(w->dir, number, arena, &row, &w->error);

	if (ok && !row.name.n)
		ok = error_plain(
		    &w->error, FAULT_ABSENT, "version %lld is no policy", (long long)row.number);
	slice rest = ok ? row.bundle : (slice){ 0 }, name, text;
	while (files_next(&rest, &name, &text)) {
		buf_addf(w->out, "# file %.*s\n", SLICE_ARG(name));
		buf_add(w->out, text);
	}
	arena_free(arena);
	return ok;
}
