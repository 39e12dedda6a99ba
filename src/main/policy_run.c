/* The steps of a session. */
#include "main/policy_run.h"

#include <stdio.h>

#include "main/policy_play.h"

#define TEXT(slice_) VALUE_TEXT_OF(slice_)

static const struct value unknown = { .kind = VALUE_UNKNOWN };

void play_set(struct play *p, const char *variable, struct value value)
{
	p->vars[policy_variable_id(variable)] = value;
}

static struct value ip_value(slice text)
{
	struct value v = { .kind = VALUE_IP };

	if (!ip_parse(text, &v.ip))
		v.kind = VALUE_UNKNOWN;
	return v;
}

/* Variables known from these events on begin as their defaults and as they were given. */
static void start_variables(struct play *p, unsigned from)
{
	const struct host_info *h = p->policy->host;

	for (uint32_t i = 0; i < h->host->variable_count; i++) {
		const struct host_variable *v = &h->variables[i];
		const struct given *g = play_given(p, v->spec->name);
		struct node standard = { .text = slice_of(v->spec->standard) };
		struct given as_given = { .values = &standard };
		bool conf = strcmp(v->spec->standard, "conf") == 0;

		if (v->known && event_first(v->known) < from)
			continue;
		p->vars[i] = unknown;
		if (g || !conf)
			p->vars[i] = play_value(p, &v->type, g ? g : &as_given);
	}
}

/* ---- an event ---- */

static const char *value_shown(struct play *p, const struct value *v)
{
	char place[64] = "";

	if (v->kind == VALUE_NUMBER)
		number_write(v->number, place);
	else if (v->kind == VALUE_IP)
		ip_write(&v->ip, place);
	else if (v->kind == VALUE_TEXT)
		return arena_printf(p->arena, "\"%.*s\"", SLICE_ARG(slice_head(v->text, 200)));
	else if (v->kind == VALUE_LIST)
		return arena_printf(p->arena, "list of %zu", v->list.count);
	else
		return v->kind == VALUE_YESNO ? (v->yes ? "yes" : "no") : "unknown";
	return arena_str(p->arena, slice_of(place));
}

static void print_event(struct play *p, unsigned event, const struct vm *vm)
{
	if (p->quiet)
		return;
	buf_addf(p->out, "    %s: %llu steps, %u checks\n",
	    p->policy->host->host->events[event].name, (unsigned long long)vm->steps, vm->checks);
	for (unsigned i = 0; i < p->trace_count; i++)
		if (p->trace[i].kind == VM_TRACE_MATCHED &&
		    p->trace[i].index < p->policy->rule_count)
			buf_addf(p->out, "        rule \"%s\" matched%s\n",
			    p->policy->rules[p->trace[i].index].name,
			    p->policy->rules[p->trace[i].index].shadow ? " (shadow)" : "");
	for (unsigned i = 0; i < p->call_count; i++) {
		buf_addf(
		    p->out, "        %s(", p->policy->host->host->methods[p->calls[i].method].name);
		for (unsigned k = 0; k < p->calls[i].count; k++)
			buf_addf(
			    p->out, "%s%s", k ? ", " : "", value_shown(p, &p->calls[i].args[k]));
		buf_adds(p->out, ")\n");
	}
}

static void print_changes(struct play *p, const struct value *before)
{
	const struct host_info *h = p->policy->host;

	for (uint32_t i = 0; i < h->host->variable_count && !p->quiet; i++)
		if (memcmp(&before[i], &p->vars[i], sizeof *before) != 0 && i != h->outcome &&
		    i != h->outcome_text && i != h->outcome_code && i != h->outcome_enhanced)
			buf_addf(p->out, "        %s = %s\n", h->host->variables[i].name,
			    value_shown(p, &p->vars[i]));
}

static slice outcome(struct play *p, uint32_t var)
{
	return p->vars[var].kind == VALUE_TEXT ? p->vars[var].text : SLICE("");
}

/* The standard answers of verdicts. */
static void take_outcome(struct play *p)
{
	const struct host_info *h = p->policy->host;
	const struct value *code = &p->vars[h->outcome_code];
	bool late, now;

	p->action = outcome(p, h->outcome);
	p->text = outcome(p, h->outcome_text);
	p->enhanced = outcome(p, h->outcome_enhanced);
	now = slice_eq(p->action, SLICE("reject"));
	late = slice_eq(p->action, SLICE("tmpreject"));
	bool off = slice_eq(p->action, SLICE("disconnect"));
	p->code = code->kind == VALUE_NUMBER ? code->number / 1000
	    : now                            ? 550
	    : late                           ? 451
	    : off                            ? 421
					     : 250;
	if (!p->enhanced.n)
		p->enhanced = now ? SLICE("5.7.1")
		    : late        ? SLICE("4.7.1")
		    : off         ? SLICE("4.7.0")
				  : SLICE("");
}

static bool refused(const struct play *p)
{
	return p->code >= 400;
}

static void fire(struct play *p, unsigned event)
{
	const struct program *program = p->policy->program;
	struct vm_limits limits = { VM_STEPS, VM_MEMORY, deadline_in_ms(60000), 10000 };
	struct value *before = ARENA_ARRAY(p->arena, struct value, program->var_count + 1);
	struct vm_trace trace = { p->trace, 256, 0 };
	const struct host_info *h = p->policy->host;
	struct vm vm;

	p->vars[h->outcome] = p->vars[h->outcome_text] = (struct value){ 0 };
	p->vars[h->outcome_code] = p->vars[h->outcome_enhanced] = (struct value){ 0 };
	memcpy(before, p->vars, program->var_count * sizeof *before);
	vm_begin(&vm, program, p->vars, p->arena, &limits);
	vm.host = p;
	vm.host_sets = p->sets;
	vm.trace = &trace;
	enum vm_result result = vm_run(&vm, event);
	p->trace_count = trace.count < 256 ? trace.count : 256;
	p->rule = result == VM_STOPPED ? vm.rule : UINT32_MAX;
	take_outcome(p);
	if (result == VM_FAULT) {
		play_fail(p, "%s: %s", h->host->events[event].name, vm.fault);
		p->code = 451;
		p->action = SLICE("tmpreject");
	}
	print_event(p, event, &vm);
	print_changes(p, before);
	if (!p->quiet && p->action.n)
		buf_addf(p->out, "    → %.*s %lld %.*s \"%.*s\"\n", SLICE_ARG(p->action),
		    (long long)p->code, SLICE_ARG(p->enhanced), SLICE_ARG(p->text));
}

/* ---- steps ---- */

static void set_address(
    struct play *p, const char *whole, const char *user, const char *domain, slice address)
{
	size_t at = address.n;
	bool null = address.n == 0 || slice_eq(address, SLICE("<>"));

	while (at && address.p[at - 1] != '@')
		at--;
	play_set(p, whole, null ? TEXT(SLICE("<>")) : TEXT(address));
	play_set(p, user, null || !at ? unknown : TEXT(slice_head(address, at - 1)));
	play_set(p, domain, null || !at ? unknown : TEXT(slice_from(address, at)));
}

static void do_connect(struct play *p, const struct step *s)
{
	memset(p->vars, 0, p->policy->program->var_count * sizeof *p->vars);
	p->connected = true;
	p->in_mail = false;
	start_variables(p, ON_CONNECT);
	play_set(p, "remoteSmtpIp", ip_value(s->text));
	play_set(p, "smtpPort", VALUE_NUMBER_OF(s->number ? s->number : 25000));
	play_set(p, "isSSLConnection", VALUE_YESNO_OF(false));
	fire(p, ON_CONNECT);
}

static void do_ehlo(struct play *p, const struct step *s)
{
	play_set(p, "ehloHost", TEXT(s->text));
	play_set(p, "isESMTP", VALUE_YESNO_OF(s->kind == STEP_EHLO));
	if (p->vars[policy_variable_id("isAuthenticated")].kind == VALUE_UNKNOWN)
		play_set(p, "isAuthenticated", VALUE_YESNO_OF(false));
	fire(p, ON_EHLO);
}

static void do_auth(struct play *p, const struct step *s)
{
	play_set(p, "authName", TEXT(s->text));
	play_set(p, "authUser", s->flag ? unknown : TEXT(s->text));
	play_set(p, "isAuthenticated", VALUE_YESNO_OF(!s->flag));
	fire(p, ON_AUTH);
}

static void do_mail(struct play *p, const struct step *s)
{
	struct value connection = p->vars[policy_variable_id("maxDataSize")];

	start_variables(p, ON_MAIL_FROM);
	play_set(p, "maxDataSize", connection);
	p->rcpt_count = p->field_count = 0;
	p->has_data = false;
	set_address(p, "mailFrom", "mailFromUser", "mailFromDomain", s->text);
	if (s->number)
		play_set(p, "declaredSize", VALUE_NUMBER_OF(s->number / 1000));
	fire(p, ON_MAIL_FROM);
	p->in_mail = !refused(p);
}

static void set_rcpts(struct play *p)
{
	struct value list = { .kind = VALUE_LIST };

	list.list.items = p->rcpts;
	list.list.count = p->rcpt_count;
	play_set(p, "rcpts", list);
}

static void do_rcpt(struct play *p, const struct step *s)
{
	if (p->rcpt_count == RCPTS_MAX) {
		play_fail(p, "a session has at most %d recipients", RCPTS_MAX);
		return;
	}
	p->rcpts[p->rcpt_count++] = TEXT(s->text);
	set_rcpts(p);
	set_address(p, "rcptTo", "rcptToUser", "rcptToDomain", s->text);
	fire(p, ON_RCPT_TO);
	if (refused(p))
		p->rcpt_count--;
	set_rcpts(p);
}

/* Fields of the lines before the first empty one, unfolded; below what the policy added before. */
static void read_fields(struct play *p, slice data)
{
	while (data.n && data.p[0] != '\r' && p->field_count < FIELDS_MAX) {
		slice line = slice_head(data, slice_find(data, '\n'));
		size_t colon = slice_find(line, ':');

		data = slice_from(data, line.n + 1);
		line = slice_trim(line);
		if (colon >= line.n) {
			struct field *last = p->field_count ? &p->fields[p->field_count - 1] : NULL;

			if (last)
				last->value = slice_of(arena_printf(p->arena, "%.*s %.*s",
				    SLICE_ARG(last->value), SLICE_ARG(line)));
			continue;
		}
		p->fields[p->field_count++] = (struct field){ slice_trim(slice_head(line, colon)),
			slice_trim(slice_from(line, colon + 1)) };
	}
}

static void set_from(struct play *p)
{
	slice from = { 0 };
	unsigned count = 0;

	for (unsigned i = 0; i < p->field_count; i++)
		if (slice_eq_nocase(p->fields[i].name, SLICE("From"))) {
			from = p->fields[i].value;
			count++;
		}
	size_t open = slice_find(from, '<');
	if (open < from.n)
		from = slice_head(
		    slice_from(from, open + 1), slice_find(slice_from(from, open + 1), '>'));
	size_t at = slice_find(from, '@');
	if (count != 1 || at == from.n)
		return;
	play_set(p, "fromAddress", TEXT(from));
	play_set(p, "fromDomain", TEXT(slice_from(from, at + 1)));
}

static void do_data(struct play *p, const struct step *s)
{
	int64_t size = s->number ? s->number / 1000 : (int64_t)s->text.n;

	if (s->flag) {
		play_fail(p, "data from a file is not built yet; write its lines in the session");
		return;
	}
	read_fields(p, s->text);
	set_from(p);
	p->has_data = true;
	fire(p, ON_HEADERS_RECEIVED);
	if (refused(p))
		return;
	play_set(p, "mailSize", VALUE_NUMBER_OF(size));
	play_set(p, "bodyChunk", TEXT(text_cut(s->text, 65536)));
	fire(p, ON_BODY_CHUNK);
	if (refused(p))
		return;
	play_set(p, "bodyText", TEXT(text_cut(s->text, 65536)));
	fire(p, ON_DATA_RECEIVED);
}

static void do_fail(struct play *p, const struct step *s)
{
	unsigned event = s->code < 500 ? ON_TEMPORARY_DELIVERY_FAILURE : ON_DELIVERY_FAILURE;

	set_address(p, "rcptTo", "rcptToUser", "rcptToDomain", s->text);
	play_set(p, "failureCode", VALUE_NUMBER_OF((int64_t)s->code * 1000));
	play_set(p, "failureEnhancedCode", TEXT(s->text2));
	play_set(p, "failureText", TEXT(s->text3));
	play_set(p, "sendNDR", VALUE_YESNO_OF(event == ON_DELIVERY_FAILURE));
	fire(p, event);
}

/* ---- expectations ---- */

static bool rule_matched(const struct play *p, slice name)
{
	for (unsigned i = 0; i < p->trace_count; i++)
		if (p->trace[i].kind == VM_TRACE_MATCHED &&
		    p->trace[i].index < p->policy->rule_count &&
		    slice_eq(slice_of(p->policy->rules[p->trace[i].index].name), name))
			return true;
	return false;
}

static void expect_verdict(struct play *p, const struct step *s)
{
	slice action = p->action.n ? p->action : refused(p) ? SLICE("reject") : SLICE("accept");
	const char *rule =
	    p->rule < p->policy->rule_count ? p->policy->rules[p->rule].name : "(none)";

	if (!slice_eq(action, s->text))
		play_fail(p, "expected %.*s, got %.*s", SLICE_ARG(s->text), SLICE_ARG(action));
	else if (s->code && s->code != p->code)
		play_fail(p, "expected code %u, got %lld", s->code, (long long)p->code);
	else if (s->text2.n && !slice_eq(s->text2, p->enhanced))
		play_fail(
		    p, "expected %.*s, got %.*s", SLICE_ARG(s->text2), SLICE_ARG(p->enhanced));
	else if (s->flag && !text_glob(p->text, s->text3, false))
		play_fail(p, "expected the text \"%.*s\", got \"%.*s\"", SLICE_ARG(s->text3),
		    SLICE_ARG(p->text));
	else if (s->given && !slice_eq(s->given->name, slice_of(rule)))
		play_fail(p, "expected rule \"%.*s\", it was %s", SLICE_ARG(s->given->name), rule);
}

static bool did(const struct play *p, const struct node *want)
{
	for (unsigned i = 0; i < p->call_count; i++) {
		const struct played_call *call = &p->calls[i];
		unsigned k = 0;
		bool same = slice_eq(
		    want->text, slice_of(p->policy->host->host->methods[call->method].name));

		for (const struct node *a = want->kids; same && a; a = a->next, k++)
			same = k < call->count && call->args[k].kind == VALUE_TEXT &&
			    slice_eq(call->args[k].text, a->text);
		if (same)
			return true;
	}
	return false;
}

/* What is wrong with a condition of a session is said where it stands, once. */
static void condition_errors(struct play *p, struct remark *before)
{
	struct sources *src = p->policy->sources;
	struct remark *m = src->messages, *last = m;

	play_fail(p, "the condition has errors");
	if (m == before)
		return;
	while (last->next != before)
		last = last->next;
	last->next = NULL;
	sources_print(src, false, p->out);
	last->next = before;
	src->messages = before;
}

static void run_condition(struct play *p, const struct step *s, struct arena *arena)
{
	uint32_t result, kept = p->policy->kept_first + p->policy->kept_count;
	struct remark *before = p->policy->sources->messages;
	struct program *program = policy_condition(p->policy, s->expr, arena, &result);
	struct vm_limits limits = { VM_STEPS, VM_MEMORY, deadline_in_ms(60000), 10000 };
	struct vm vm;

	if (!program) {
		condition_errors(p, before);
		return;
	}
	struct value *vars = ARENA_ARRAY(arena, struct value, program->var_count + 1);
	memcpy(vars, p->vars, kept * sizeof *vars);
	vm_begin(&vm, program, vars, arena, &limits);
	vm.host = p;
	vm.host_sets = p->sets;
	if (vm_run(&vm, 0) == VM_FAULT)
		play_fail(p, "%s", vm.fault);
	else if (!value_true(&vars[result]))
		play_fail(p, "it is not so: %.*s",
		    SLICE_ARG(source_text(p->policy->sources, s->expr->range)));
}

static void expect_condition(struct play *p, const struct step *s)
{
	struct arena *arena = arena_new(ARENA_POLICY);

	run_condition(p, s, arena);
	arena_free(arena);
}

/* ---- all of it ---- */

static bool in_place(struct play *p, const struct step *s)
{
	bool mail = s->kind == STEP_RCPT || s->kind == STEP_DATA;
	bool connection = mail || s->kind == STEP_EHLO || s->kind == STEP_HELO ||
	    s->kind == STEP_STARTTLS || s->kind == STEP_AUTH || s->kind == STEP_MAIL ||
	    s->kind == STEP_RSET;

	if (connection && !p->connected)
		play_fail(p, "there is no connection; connect comes first");
	else if (mail && !p->in_mail)
		play_fail(p, "there is no transaction; mail comes first");
	else if (s->kind == STEP_DATA && !p->rcpt_count)
		play_fail(p, "there is no recipient; rcpt comes first");
	else
		return true;
	return false;
}

static void do_step(struct play *p, const struct step *s)
{
	switch (s->kind) {
	case STEP_CONNECT:
		do_connect(p, s);
		break;
	case STEP_EHLO:
	case STEP_HELO:
		do_ehlo(p, s);
		break;
	case STEP_STARTTLS:
		play_set(p, "isSSLConnection", VALUE_YESNO_OF(true));
		play_set(p, "tlsVersion", TEXT(SLICE("TLSv1.3")));
		play_set(p, "tlsClientSubject", TEXT(s->text));
		break;
	case STEP_AUTH:
		do_auth(p, s);
		break;
	case STEP_MAIL:
		do_mail(p, s);
		break;
	case STEP_RCPT:
		do_rcpt(p, s);
		break;
	case STEP_DATA:
		do_data(p, s);
		break;
	case STEP_PROCESS:
		fire(p, ON_PROCESS);
		break;
	case STEP_RELAY:
		play_set(p, "rcptToDomain", TEXT(s->text));
		fire(p, ON_RELAY);
		break;
	case STEP_FAIL:
		do_fail(p, s);
		break;
	case STEP_RSET:
	case STEP_QUIT:
		p->in_mail = false;
		p->connected = s->kind == STEP_RSET;
		break;
	case STEP_WAIT:
	case STEP_GIVEN_DNS:
	case STEP_GIVEN_FILTER:
	case STEP_GIVEN_TIME:
		play_fail(p, "this line of a session is not built yet");
		break;
	case STEP_GIVEN:
	case STEP_EXPECT:
	case STEP_EXPECT_RULE:
	case STEP_EXPECT_DID:
	case STEP_EXPECT_TRUE:
		break;
	}
}

static void do_expect(struct play *p, const struct step *s)
{
	bool found = s->kind == STEP_EXPECT_RULE ? rule_matched(p, s->text)
	    : s->kind == STEP_EXPECT_DID         ? did(p, s->expr)
						 : true;

	if (s->kind == STEP_EXPECT)
		expect_verdict(p, s);
	else if (s->kind == STEP_EXPECT_TRUE)
		expect_condition(p, s);
	else if (found == s->negative)
		play_fail(p, "%s",
		    s->kind == STEP_EXPECT_RULE
			? (found ? "the rule matched" : "the rule did not match")
			: (found ? "it was done" : "it was not done"));
}

/* given NAME = ...: also at once, for what is known already. */
static void do_given(struct play *p, const struct step *s)
{
	const struct host_info *h = p->policy->host;

	if (s->is_call)
		return;
	for (uint32_t i = 0; i < h->host->variable_count; i++)
		if (slice_eq(s->given->name, slice_of(h->host->variables[i].name))) {
			p->vars[i] = play_value(p, &h->variables[i].type, s->given);
			return;
		}
	play_fail(p, "there is no variable '%.*s'", SLICE_ARG(s->given->name));
}

static void make_sets(struct play *p)
{
	static const char *const domains[] = { "example.org", "example.net" };
	static const char *const networks[] = { "127.0.0.0/8", "::1" };
	struct set_maker m;
	struct error error;

	for (int i = 0; i < 2; i++) {
		set_begin(&m, i ? SET_NETWORK : SET_DOMAIN, p->arena);
		for (int k = 0; k < 2; k++)
			set_add(&m, slice_of(i ? networks[k] : domains[k]), (struct value){ 0 },
			    &error);
		p->sets[i] = set_end(&m, &error);
	}
}

unsigned policy_play(
    const struct policy *policy, const struct step *steps, bool quiet, struct buf *out)
{
	struct arena *arena = arena_new(ARENA_POLICY);
	struct play *p = ARENA_NEW(arena, struct play);

	p->policy = policy;
	p->arena = arena;
	p->out = out;
	p->quiet = quiet;
	p->given = steps;
	p->rule = UINT32_MAX;
	p->vars = ARENA_ARRAY(arena, struct value, policy->program->var_count + 1);
	make_sets(p);
	for (const struct step *s = steps; s && arena_used(arena) < ARENA_POLICY / 2; s = s->next) {
		bool asks = s->kind == STEP_EXPECT || s->kind == STEP_EXPECT_RULE ||
		    s->kind == STEP_EXPECT_DID || s->kind == STEP_EXPECT_TRUE;

		p->step = s;
		if (asks) {
			do_expect(p, s);
			continue;
		}
		if (s->kind == STEP_GIVEN) {
			do_given(p, s);
			continue;
		}
		p->call_count = 0;
		p->trace_count = 0;
		if (!quiet)
			buf_addf(out, "%.*s %.*s\n",
			    SLICE_ARG(source_text(policy->sources, s->range)),
			    SLICE_ARG(s->kind == STEP_DATA ? SLICE("") : s->text));
		if (in_place(p, s))
			do_step(p, s);
	}
	unsigned failed = p->failed;
	arena_free(arena);
	return failed;
}
