/* Functions that need no host: pure, within the run's memory. */
#include "base/octet.h"
#include "mail/address.h"
#include "mail/idna.h"
#include "script/policy/host.h"

static bool run_count(struct vm *vm, const struct vm_builtin *self, const struct value *args,
    unsigned count, struct value *out)
{
	*out = VALUE_NUMBER_OF(args[0].kind == VALUE_LIST ? (int64_t)args[0].list.count * 1000 : 0);
	return true;
}

static bool run_length(struct vm *vm, const struct vm_builtin *self, const struct value *args,
    unsigned count, struct value *out)
{
	int64_t n = 0;

	for (size_t i = 0; args[0].kind == VALUE_TEXT && i < args[0].text.n; i++)
		n += ((unsigned char)args[0].text.p[i] & 0xC0) != 0x80;
	*out = VALUE_NUMBER_OF(n * 1000);
	return true;
}

static bool run_lower(struct vm *vm, const struct vm_builtin *self, const struct value *args,
    unsigned count, struct value *out)
{
	if (args[0].kind != VALUE_TEXT)
		return true;
	/* A letter may need an octet more when it is folded. */
	size_t room = 2 * args[0].text.n + 1;
	struct buf folded = { .p = vm_take(vm, room), .cap = room, .max = room - 1 };
	if (!folded.p)
		return false;
	text_fold(args[0].text, &folded);
	*out = VALUE_TEXT_OF(text_cut((slice){ folded.p, folded.n }, VM_TEXT_MAX));
	return true;
}

/* Offset of the last '@'; n: there is none. */
static size_t last_at(slice text)
{
	size_t at = text.n;

	while (at && text.p[at - 1] != '@')
		at--;
	return at ? at - 1 : text.n;
}

static bool run_domain_of(struct vm *vm, const struct vm_builtin *self, const struct value *args,
    unsigned count, struct value *out)
{
	slice domain = args[0].kind == VALUE_TEXT
	    ? slice_from(args[0].text, last_at(args[0].text) + 1)
	    : SLICE("");

	if (domain.n && domain.p[0] != '[')
		*out = VALUE_TEXT_OF(domain);
	return true;
}

static bool run_local_part(struct vm *vm, const struct vm_builtin *self, const struct value *args,
    unsigned count, struct value *out)
{
	size_t at = args[0].kind == VALUE_TEXT ? last_at(args[0].text) : 0;

	if (at && at < args[0].text.n)
		*out = VALUE_TEXT_OF(slice_head(args[0].text, at));
	return true;
}

/* The parser of addresses takes from the arena: room for one is set aside here. */
static bool parse_address(struct vm *vm, slice text, struct value *out, bool *memory)
{
	struct address address;
	size_t need = 8 * text.n + 2048;
	slice domain = slice_from(text, last_at(text));

	*memory = true;
	/* A-labels only: the library for the others would allocate. */
	if (text.n > 320 || idna_needed(domain))
		return false;
	if (vm->memory < need)
		return *memory = vm_fault(vm, "its memory is used up");
	size_t before = arena_used(vm->arena);
	bool good = address_parse(text, vm->arena, &address);
	if (good) {
		struct buf whole = { .p = arena_alloc(vm->arena, 1024), .cap = 1024, .max = 1023 };

		address_write(&address, &whole);
		good = !whole.full;
		*out = VALUE_TEXT_OF(((slice){ whole.p, good ? whole.n : 0 }));
	}
	size_t used = arena_used(vm->arena) - before;
	vm->memory -= used < vm->memory ? used : vm->memory;
	return good;
}

static bool run_address(struct vm *vm, const struct vm_builtin *self, const struct value *args,
    unsigned count, struct value *out)
{
	bool memory = true;

	if (args[0].kind == VALUE_TEXT && slice_eq(args[0].text, SLICE("<>")))
		*out = args[0];
	else if (args[0].kind == VALUE_TEXT)
		parse_address(vm, slice_trim(args[0].text), out, &memory);
	return memory;
}

static bool run_domain(struct vm *vm, const struct vm_builtin *self, const struct value *args,
    unsigned count, struct value *out)
{
	slice text = args[0].kind == VALUE_TEXT ? slice_trim(args[0].text) : SLICE("");
	size_t label = 0;

	if (text.n && text.p[text.n - 1] == '.')
		text.n--;
	if (text.n == 0 || text.n > 255)
		return true;
	for (size_t i = 0; i <= text.n; i++) {
		if (i == text.n || text.p[i] == '.') {
			if (label == 0 || label > 63 || text.p[i - 1] == '-')
				return true;
			label = 0;
		} else {
			if (!octet_is(text.p[i], OCTET_ALPHA | OCTET_DIGIT) &&
			    (text.p[i] != '-' || label == 0) && text.p[i] != '_')
				return true;
			label++;
		}
	}
	if (!vm_text(vm, text, 255, out))
		return false;
	for (size_t i = 0; i < out->text.n; i++)
		((char *)out->text.p)[i] = octet_lower(out->text.p[i]);
	return true;
}

static bool run_ip(struct vm *vm, const struct vm_builtin *self, const struct value *args,
    unsigned count, struct value *out)
{
	struct ip ip;

	if (args[0].kind == VALUE_TEXT && ip_parse(slice_trim(args[0].text), &ip))
		*out = (struct value){ .kind = VALUE_IP, .ip = ip };
	return true;
}

static bool run_number(struct vm *vm, const struct vm_builtin *self, const struct value *args,
    unsigned count, struct value *out)
{
	int64_t n;

	if (args[0].kind == VALUE_TEXT && number_read(slice_trim(args[0].text), &n))
		*out = VALUE_NUMBER_OF(n);
	return true;
}

static bool run_is_case(struct vm *vm, const struct vm_builtin *self, const struct value *args,
    unsigned count, struct value *out)
{
	*out = VALUE_YESNO_OF(args[0].kind == VALUE_TEXT && args[1].kind == VALUE_TEXT &&
	    args[0].text.n && text_equal(args[0].text, args[1].text, true));
	return true;
}

/* Words with an '@' between blanks, commas and angle brackets, outside quotes, that are addresses. */
static bool run_addresses(struct vm *vm, const struct vm_builtin *self, const struct value *args,
    unsigned count, struct value *out)
{
	slice text = args[0].kind == VALUE_TEXT ? args[0].text : SLICE("");
	struct value *items = vm_take(vm, 200 * sizeof *items);
	size_t n = 0;
	bool memory = items != NULL;

	for (size_t i = 0; memory && i < text.n && n < 200;) {
		size_t start = i;

		while (i < text.n && !strchr(" \t\r\n,;<>()\"", text.p[i]))
			i++;
		slice word = { text.p + start, i - start };
		if (slice_find(word, '@') < word.n && parse_address(vm, word, &items[n], &memory))
			n++;
		if (i < text.n && text.p[i] == '"')
			for (i++; i < text.n && text.p[i] != '"'; i++)
				i += text.p[i] == '\\';
		i++;
	}
	out->kind = VALUE_LIST;
	out->list.items = items;
	out->list.count = n;
	return memory;
}

#define FUNCTION(name, params, result, meaning, example, run, cost)                                \
	{                                                                                          \
		name, METHOD_FUNCTION, params, "", "all", result, meaning, example, NULL, run,     \
		    cost                                                                           \
	}

const struct policy_method policy_functions[] = {
	FUNCTION("lookup", "table table, key any", "string",
	    "value of a table with 'to', else unknown", "lookup(routes, rcptToDomain)", run_count,
	    0),
	FUNCTION("count", "list list", "number =", "elements of a list", "count(rcpts) > 20",
	    run_count, 0),
	FUNCTION("length", "text any", "number =", "characters of a string or body",
	    "length(mailFromUser) > 40", run_length, 0),
	FUNCTION("lower", "text any", "string =", "in lower case", "lower(ehloHost)", run_lower, 0),
	FUNCTION("domainOf", "address address", "domain =", "what stands behind the @",
	    "domainOf(mailFrom)", run_domain_of, 0),
	FUNCTION("localPartOf", "address address", "string =", "what stands before the @",
	    "localPartOf(rcptTo)", run_local_part, 0),
	FUNCTION("addresses", "text string", "list of address =",
	    "the addresses in a header's value", "addresses(header(\"To\"))", run_addresses, 200),
	FUNCTION("extract", "text any, expression regex",
	    "string =", "first group of the first match",
	    "extract(header(\"Subject\"), /\\[(\\d+)\\]/)", run_count, 0),
	FUNCTION("number", "text any", "number =", "a number, or unknown",
	    "number(header(\"X-Score\")) > 5", run_number, 0),
	FUNCTION("ip", "text any", "ip =", "an IP address, or unknown", "ip(header(\"X-Client\"))",
	    run_ip, 0),
	FUNCTION("domain", "text any", "domain =", "a host name in A-labels, or unknown",
	    "domain(ehloHost)", run_domain, 0),
	FUNCTION("address", "text any", "address =", "an address, or unknown",
	    "address(header(\"Reply-To\"))", run_address, 0),
	FUNCTION("isCase", "a any, b any", "yesno", "equal, case counts",
	    "isCase(mailFromUser, \"Root\")", run_is_case, 0),
	FUNCTION("matchCase", "text any, glob glob", "yesno", "matches a glob, case counts",
	    "matchCase(ehloHost, \"MX*\")", run_count, 0),
	FUNCTION("is", "a any, b any", "yesno", "for scripts brought along: a == b",
	    "is(authUser, \"\")", run_count, 0),
	FUNCTION("match", "text any, glob glob", "yesno",
	    "for scripts brought along: text matches glob", "match(mailFrom, \"*@example.org\")",
	    run_count, 0),
	FUNCTION("lessThan", "a any, b any", "yesno",
	    "for scripts brought along: number(a) < number(b)", "lessThan(mailCount, \"5\")",
	    run_count, 0),
	FUNCTION("greaterThan", "a any, b any", "yesno",
	    "for scripts brought along: number(a) > number(b)", "greaterThan(mailCount, \"5\")",
	    run_count, 0),
	FUNCTION("ipRange", "a any, network const", "yesno",
	    "for scripts brought along: a in [network]", "ipRange(remoteSmtpIp, \"192.0.2.0/24\")",
	    run_count, 0),
	FUNCTION("iprange", "a any, network const", "yesno",
	    "for scripts brought along: a in [network]", "iprange(remoteSmtpIp, \"192.0.2.0/24\")",
	    run_count, 0),
	FUNCTION("anyof", "conditions yesno*", "yesno", "for scripts brought along: or",
	    "anyof(a, b)", run_count, 0),
	FUNCTION("allof", "conditions yesno*", "yesno", "for scripts brought along: and",
	    "allof(a, b)", run_count, 0),
};

const unsigned policy_function_count = sizeof policy_functions / sizeof policy_functions[0];
