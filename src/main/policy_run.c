/* The steps of a session. */
#include "main/policy_run.h"

#include <stdio.h>

#include "main/policy_play.h"

#define TEXT(slice_) VALUE_TEXT_OF(slice_)

static struct value ip_value(slice text)
{
	struct value v = { .kind = VALUE_IP };

	if (!ip_parse(text, &v.ip))
		v.kind = VALUE_UNKNOWN;
	return v;
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
		return arena_printf(
		    p->arena, "\"%.*s\"", SLICE_ARG(text_clean(v->text, 200, p->arena)));
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
	/* Whatever is in it, a reply is one line. */
	p->text = text_clean(outcome(p, h->outcome_text), VM_TEXT_MAX, p->arena);
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

bool play_refused(const struct play *p)
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
	/* What is exported before MAIL FROM every message of the connection starts with. */
	if (event < ON_MAIL_FROM)
		play_keep(p);
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
	const struct value unknown = { .kind = VALUE_UNKNOWN };
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
	p->kept = NULL;
	p->connected = true;
	p->in_mail = false;
	play_start(p, ON_CONNECT);
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
	const struct value unknown = { .kind = VALUE_UNKNOWN };

	play_set(p, "authName", TEXT(s->text));
	play_set(p, "authUser", s->flag ? unknown : TEXT(s->text));
	play_set(p, "isAuthenticated", VALUE_YESNO_OF(!s->flag));
	fire(p, ON_AUTH);
}

static void do_mail(struct play *p, const struct step *s)
{
	play_start(p, ON_MAIL_FROM);
	play_forget(p);
	p->mail_ms = p->now_ms;
	p->attempts = 0;
	p->relayed = false;
	p->rcpt_count = p->field_count = 0;
	p->has_data = false;
	set_address(p, "mailFrom", "mailFromUser", "mailFromDomain", s->text);
	if (s->number)
		play_set(p, "declaredSize", VALUE_NUMBER_OF(s->number / 1000));
	fire(p, ON_MAIL_FROM);
	p->in_mail = !play_refused(p);
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
	if (play_refused(p))
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

static void set_header_names(struct play *p)
{
	struct value *items = ARENA_ARRAY(p->arena, struct value, p->field_count + 1);
	struct value list = { .kind = VALUE_LIST };

	for (unsigned i = 0; i < p->field_count; i++)
		items[i] = TEXT(p->fields[i].name);
	list.list.items = items;
	list.list.count = p->field_count;
	play_set(p, "headerNames", list);
}

/* What stands behind the first empty line. */
static slice body_of(slice data)
{
	while (data.n) {
		slice line = slice_head(data, slice_find(data, '\n'));

		data = slice_from(data, line.n + 1);
		if (slice_trim(line).n == 0)
			break;
	}
	return data;
}

static void do_data(struct play *p, const struct step *s)
{
	slice data = s->text;

	if (s->flag && !play_file(p, s->text, &data))
		return;
	slice body = body_of(data);
	int64_t size = s->number / 1000 > (int64_t)data.n ? s->number / 1000 : (int64_t)data.n;
	read_fields(p, data);
	set_from(p);
	set_header_names(p);
	p->has_data = true;
	fire(p, ON_HEADERS_RECEIVED);
	if (play_refused(p))
		return;
	play_set(p, "mailSize", VALUE_NUMBER_OF(size));
	play_set(p, "bodyChunk", TEXT(body));
	fire(p, ON_BODY_CHUNK);
	if (play_refused(p))
		return;
	play_set(p, "bodyText", TEXT(body));
	fire(p, ON_DATA_RECEIVED);
}

/* ---- sending ---- */

static void count_attempt(struct play *p)
{
	p->attempts++;
	play_set(p, "attemptCount", VALUE_NUMBER_OF((int64_t)p->attempts * 1000));
	play_set(p, "messageAge", VALUE_NUMBER_OF(p->now_ms - p->mail_ms));
}

static void do_relay(struct play *p, const struct step *s)
{
	count_attempt(p);
	p->relayed = true;
	play_set(p, "rcptToDomain", TEXT(s->text));
	fire(p, ON_RELAY);
}

static void do_fail(struct play *p, const struct step *s)
{
	unsigned event = s->code < 500 ? ON_TEMPORARY_DELIVERY_FAILURE : ON_DELIVERY_FAILURE;

	if (!p->relayed)
		count_attempt(p);
	p->relayed = false;
	const struct value *from = &p->vars[policy_variable_id("mailFrom")];
	const struct value *notice = &p->vars[policy_variable_id("noticeAfter")];
	bool bounce = from->kind == VALUE_TEXT && slice_eq(from->text, SLICE("<>"));
	bool now = notice->kind == VALUE_NUMBER && (int64_t)p->attempts * 1000 == notice->number;
	set_address(p, "rcptTo", "rcptToUser", "rcptToDomain", s->text);
	play_set(p, "failureCode", VALUE_NUMBER_OF((int64_t)s->code * 1000));
	play_set(p, "failureEnhancedCode", TEXT(s->text2));
	play_set(p, "failureText", TEXT(s->text3));
	play_set(p, "sendNDR", VALUE_YESNO_OF(!bounce && (event == ON_DELIVERY_FAILURE || now)));
	fire(p, event);
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
		do_relay(p, s);
		break;
	case STEP_FAIL:
		do_fail(p, s);
		break;
	case STEP_RSET:
	case STEP_QUIT:
		p->in_mail = false;
		p->connected = s->kind == STEP_RSET;
		play_forget(p);
		break;
	case STEP_WAIT:
		play_clock(p, s->number);
		break;
	case STEP_GIVEN_DNS:
	case STEP_GIVEN_FILTER:
	case STEP_GIVEN_TIME:
	case STEP_GIVEN:
	case STEP_EXPECT:
	case STEP_EXPECT_RULE:
	case STEP_EXPECT_DID:
	case STEP_EXPECT_TRUE:
		break;
	}
}

static bool is_expectation(const struct step *s)
{
	return s->kind == STEP_EXPECT || s->kind == STEP_EXPECT_RULE ||
	    s->kind == STEP_EXPECT_DID || s->kind == STEP_EXPECT_TRUE;
}

static bool is_given(const struct step *s)
{
	return s->kind == STEP_GIVEN || s->kind == STEP_GIVEN_DNS || s->kind == STEP_GIVEN_FILTER ||
	    s->kind == STEP_GIVEN_TIME;
}

static void play_step(struct play *p, const struct step *s)
{
	p->step = s;
	if (is_expectation(s)) {
		play_expect(p, s);
		return;
	}
	if (is_given(s)) {
		play_take(p, s);
		return;
	}
	p->call_count = 0;
	p->trace_count = 0;
	if (!p->quiet)
		buf_addf(p->out, "%.*s %.*s\n",
		    SLICE_ARG(source_text(p->policy->sources, s->range)),
		    SLICE_ARG(
			s->kind == STEP_DATA ? SLICE("") : text_clean(s->text, 200, p->arena)));
	if (in_place(p, s))
		do_step(p, s);
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
	play_sets(p);
	for (const struct step *s = steps; s; s = s->next) {
		play_step(p, s);
		if (arena_used(arena) > ARENA_POLICY / 2) {
			play_fail(p, "the session is too long; make two of it");
			break;
		}
	}
	if (p->failed > FAILURES_SHOWN)
		buf_addf(out, "%u failures more\n", p->failed - FAILURES_SHOWN);
	unsigned failed = p->failed;
	arena_free(arena);
	return failed;
}
