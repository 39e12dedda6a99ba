/* The active version: read from directory.db, compiled, shared by whoever began under it. */
#include "policy/internal.h"

#include <pthread.h>
#include <unistd.h>

#include "base/ip.h"
#include "base/log.h"
#include "policy/files.h"

struct policy_settings policy_settings;

static struct policy_host host;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct policy_version *active; /* NULL: there is none */

struct policy_version *version_hold(void)
{
	pthread_mutex_lock(&lock);
	if (active)
		atomic_fetch_add(&active->refs, 1);
	struct policy_version *v = active;
	pthread_mutex_unlock(&lock);
	return v;
}

void version_release(struct policy_version *v)
{
	if (v && atomic_fetch_sub(&v->refs, 1) == 1)
		arena_free(v->arena);
}

static void publish(struct policy_version *v)
{
	pthread_mutex_lock(&lock);
	struct policy_version *old = active;
	active = v;
	pthread_mutex_unlock(&lock);
	version_release(old);
}

/* ---- what the program reads and sets ---- */

static void look_at_program(struct policy_version *v)
{
	const struct policy *p = v->policy;
	const struct program *program = p->program;
	uint32_t end = p->kept_first + p->kept_count;
	bool *sets = ARENA_ARRAY(v->arena, bool, program->var_count + 1);

	v->reads = ARENA_ARRAY(v->arena, bool, program->var_count + 1);
	for (uint32_t i = 0; i < program->code_count; i++) {
		const struct instruction *in = &program->code[i];

		if (in->op == OP_VAR)
			v->reads[in->a] = true;
		else if (in->op == OP_SET || in->op == OP_CLEAR)
			sets[in->a] = true;
		if (in->op != OP_CALL)
			continue;
		/* Checks set their outputs, which stay as if the program had set them. */
		const struct vm_builtin *b = &program->builtins[in->a];
		const struct host_method *m =
		    b->id < host.method_count ? &p->host->methods[b->id] : NULL;
		for (unsigned k = 0; m && k < m->output_count; k++)
			sets[m->outputs[k]] = true;
	}
	v->travels = p->kept_count > 0;
	for (unsigned e = ON_PROCESS; e < POLICY_EVENTS; e++)
		v->travels |= program->entries[e] >= 0;
	v->kept = ARENA_ARRAY(v->arena, uint32_t, end + 1);
	for (uint32_t i = 0; i < end; i++)
		if (sets[i])
			v->kept[v->kept_count++] = i;
}

/* ---- the predefined tables ---- */

static bool add_domains(struct set_maker *m, struct directory *dir, struct error *error)
{
	struct arena *arena = arena_new(256u << 20);
	struct domain *domains;
	size_t n;
	bool ok = directory_domain_list(dir, arena, &domains, &n, error);

	for (size_t i = 0; ok && i < n; i++)
		ok = set_add(m, domains[i].name, (struct value){ 0 }, error);
	arena_free(arena);
	return ok;
}

static bool add_networks(struct set_maker *m, slice text, struct error *error)
{
	bool ok = true;

	while (ok && text.n) {
		size_t n = 0;

		while (n < text.n && text.p[n] != ' ' && text.p[n] != ',')
			n++;
		if (n)
			ok = set_add(m, slice_head(text, n), (struct value){ 0 }, error);
		text = slice_from(text, n + 1);
	}
	return ok;
}

static bool make_sets(struct policy_version *v, struct directory *dir, struct error *error)
{
	struct set_maker domains, networks;

	set_begin(&domains, SET_DOMAIN, v->arena);
	set_begin(&networks, SET_NETWORK, v->arena);
	if (!add_domains(&domains, dir, error) ||
	    !add_networks(&networks, slice_of(policy_settings.trusted), error))
		return false;
	v->sets[0] = set_end(&domains, error);
	v->sets[1] = v->sets[0] ? set_end(&networks, error) : NULL;
	return v->sets[1] != NULL;
}

/* ---- reading ---- */

static void say_broken(struct policy_version *v)
{
	struct buf text;

	buf_init(&text, 100000);
	sources_print(&v->sources, false, &text);
	log_warn("policy.unread", kv_num("policy", v->number),
	    kv_text("why", slice_head(buf_slice(&text), 2000)));
	buf_free(&text);
}

static void compile(struct policy_version *v, const struct directory_policy *row)
{
	struct policy_limits limits = { VM_STEPS, BODY_CHUNK_STEPS, 1u << ON_BODY_CHUNK };
	slice *bundle = ARENA_NEW(v->arena, slice), name, text;
	uint32_t file = UINT32_MAX;

	*bundle = row->bundle;
	sources_begin(&v->sources, v->arena, files_read, bundle);
	if (files_first(row->bundle, &name, &text))
		file =
		    sources_add(&v->sources, arena_str(v->arena, name), text, (struct range){ 0 });
	if (file != UINT32_MAX)
		v->policy = policy_compile(&host, &v->sources, file, &limits);
	if (v->policy)
		look_at_program(v);
	else
		say_broken(v);
}

/* NULL: there is no policy (error is FAULT_ABSENT), or it cannot be read now. */
static struct policy_version *version_read(struct directory *dir, struct error *error)
{
	struct arena *arena = arena_new(ARENA_POLICY);
	struct policy_version *v = ARENA_NEW(arena, struct policy_version);
	struct directory_policy row = { 0 };

	v->arena = arena;
	atomic_init(&v->refs, 1);
	bool ok = directory_policy_read(dir, 0, arena, &row, error);
	if (ok && !row.name.n)
		ok = error_plain(error, FAULT_ABSENT, "the policy was taken away");
	if (!ok || !make_sets(v, dir, error)) {
		arena_free(arena);
		return NULL;
	}
	v->number = row.number;
	compile(v, &row);
	return v;
}

bool policy_reload(void)
{
	struct directory *dir = NULL;
	struct policy_version *v = NULL;
	struct error error;

	if (directory_open(policy_settings.directory, false, &dir, &error))
		v = version_read(dir, &error);
	directory_close(dir);
	if (v) {
		log_info("policy.active", kv_num("policy", v->number));
		publish(v);
	} else if (error.fault == FAULT_ABSENT) {
		publish(NULL);
	} else { /* the version of before goes on */
		log_warn("policy.unread", kv_why(&error));
		return false;
	}
	return true;
}

/* A directory that is there but cannot be read may hold a policy: until control has us read again, events end as
 * after a mistake. */
static void start_broken(void)
{
	struct arena *arena = arena_new(1 << 16);
	struct policy_version *v = ARENA_NEW(arena, struct policy_version);

	v->arena = arena;
	atomic_init(&v->refs, 1);
	publish(v);
}

void policy_start(const struct policy_settings *settings)
{
	policy_settings = *settings;
	host = policy_host_smtp();
	host.call = policy_call;
	facts_start();
	calls_start(&host);
	if (!policy_reload() && access(policy_settings.directory, F_OK) == 0)
		start_broken();
}

void policy_stop(void)
{
	publish(NULL);
}

void policy_take(struct call *call)
{
	policy_reload();
	call_end(call);
}
