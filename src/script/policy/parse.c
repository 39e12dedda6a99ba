/* Declarations and imports. */
#include "script/policy/parse.h"

#define RULES_MAX 10000

static const struct {
	const char *name;
	enum base base;
} types[] = { { "string", BASE_TEXT }, { "number", BASE_NUMBER }, { "size", BASE_SIZE },
	{ "duration", BASE_DURATION }, { "ip", BASE_IP }, { "domain", BASE_DOMAIN },
	{ "address", BASE_ADDRESS }, { "yesno", BASE_YESNO } };

static const char *const starts[] = { "import", "table", "rule", "event", "method", "test" };

static bool at_start(const struct parser *p)
{
	for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++)
		if (parser_at_word(p, starts[i]))
			return true;
	return false;
}

/* To the next declaration. */
static void skip_declaration(struct parser *p)
{
	do
		parser_next(p);
	while (p->now.kind != TOKEN_END && !at_start(p));
	p->failed = false;
	p->depth = 0;
}

static bool parse_type(struct parser *p, struct type *out)
{
	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
		if (parser_try_word(p, types[i].name)) {
			*out = (struct type){ .base = types[i].base };
			return true;
		}
	}
	return parser_expected(p, "a type (string number size duration ip domain address yesno)");
}

static struct decl *decl_new(struct parser *p, enum decl_kind kind)
{
	struct decl *d = ARENA_NEW(p->arena, struct decl);

	d->kind = kind;
	d->whole = d->range = p->now.range;
	d->priority = 500;
	parser_next(p);
	if (!p->failed)
		d->range = p->now.range;
	return d;
}

static void decl_add(struct parser *p, struct decl *d)
{
	struct tree *t = p->tree;

	d->whole.end = p->end;
	if (t->last)
		t->last->next = d;
	else
		t->first = d;
	t->last = d;
	t->count++;
}

/* { "priority" NUMBER | "at" EVENT | "disabled" | "shadow" } */
static void parse_rule_words(struct parser *p, struct decl *d)
{
	while (!p->failed && p->now.kind == TOKEN_NAME) {
		if (parser_try_word(p, "priority")) {
			if (p->now.kind != TOKEN_NUMBER || !p->now.whole || p->now.number < 1000 ||
			    p->now.number > 999000)
				remark_add(p->src, REMARK_ERROR, p->now.range, NULL,
				    "a priority is a number from 1 to 999");
			d->priority = (unsigned)(p->now.number / 1000);
			parser_next(p);
		} else if (parser_try_word(p, "at")) {
			d->at_range = p->now.range;
			parser_name(p, "an event", &d->at_event);
		} else if (parser_try_word(p, "disabled")) {
			d->disabled = true;
		} else if (parser_try_word(p, "shadow")) {
			d->shadow = true;
		} else {
			parser_expected(p, "'priority', 'at', 'disabled', 'shadow' or '{'");
		}
	}
}

/* "when" ( "all" | "any" ) "{" expr ";" { expr ";" } "}" */
static void parse_when(struct parser *p, struct decl *d)
{
	struct node *last = NULL;

	d->any = parser_at_word(p, "any");
	if (!parser_try_word(p, "all") && !parser_try_word(p, "any"))
		parser_expected(p, "'all' or 'any'");
	parser_want(p, "{");
	while (!p->dead && !p->failed) {
		struct node *e = parse_expr(p);

		parser_want(p, ";");
		if (!p->failed && last)
			last->next = e;
		else if (!p->failed)
			d->when = e;
		last = p->failed ? last : e;
		if (p->failed)
			parser_skip(p);
		if (parser_at(p, "}") || p->now.kind == TOKEN_END)
			break;
	}
	parser_want(p, "}");
}

/* rule = "rule" STRING words "{" [ when ] "then" block "}" */
static struct decl *parse_rule(struct parser *p)
{
	struct decl *d = decl_new(p, DECL_RULE);

	if (p->now.kind == TOKEN_STRING && p->now.text.n > 200)
		parser_fail(p, p->now.range, NULL, "the name of a rule has at most 200 octets");
	parser_string(p, &d->name);
	parse_rule_words(p, d);
	parser_want(p, "{");
	if (parser_try_word(p, "when"))
		parse_when(p, d);
	if (!parser_try_word(p, "then"))
		parser_expected(p, "'when' or 'then'");
	d->body = parse_block(p);
	parser_want(p, "}");
	if (++p->tree->rules == RULES_MAX + 1)
		parser_fail(p, d->range, NULL, "a policy has at most 10,000 rules");
	return d;
}

/* method = "method" NAME [ "(" [ param { "," param } ] ")" ] block ; param = NAME ":" type */
static struct decl *parse_method(struct parser *p)
{
	struct decl *d = decl_new(p, DECL_METHOD);
	struct param **last = &d->params;
	unsigned count = 0;

	parser_name(p, "the method's name", &d->name);
	if (parser_try(p, "(")) {
		while (!p->failed && !parser_at(p, ")")) {
			struct param *one = ARENA_NEW(p->arena, struct param);

			one->range = p->now.range;
			parser_name(p, "a parameter's name", &one->name);
			parser_want(p, ":");
			parse_type(p, &one->type);
			*last = one;
			last = &one->next;
			if (++count > 16)
				parser_fail(
				    p, one->range, NULL, "a method has at most 16 parameters");
			if (!parser_try(p, ","))
				break;
		}
		parser_want(p, ")");
	}
	d->body = parse_block(p);
	return d;
}

static void parse_source(struct parser *p, struct decl *d)
{
	d->source_range = p->now.range;
	if (parser_try_word(p, "file")) {
		d->source = SOURCE_FILE;
		parser_string(p, &d->source_text);
	} else if (parser_try_word(p, "sql") || parser_at_word(p, "directory")) {
		d->source = parser_try_word(p, "directory") ? SOURCE_DIRECTORY : SOURCE_SQL;
		parser_string(p, &d->source_text);
		if (d->source == SOURCE_DIRECTORY && parser_try_word(p, "attribute"))
			parser_string(p, &d->attribute);
	} else if (!parser_at(p, "[")) {
		parser_expected(p, "a list in brackets, 'file', 'sql' or 'directory'");
		return;
	} else {
		d->items = parse_list(p);
	}
	if (parser_try_word(p, "cache")) {
		if (p->now.kind != TOKEN_NUMBER)
			parser_expected(p, "a duration");
		d->cache = (uint32_t)(p->now.number / 1000);
		parser_next(p);
	}
}

/* table = "table" NAME "of" key [ "to" type ] "=" source ";" */
static struct decl *parse_table(struct parser *p)
{
	static const char keys[] = " string number domain address network pattern ";
	struct decl *d = decl_new(p, DECL_TABLE);

	parser_name(p, "the table's name", &d->name);
	if (!parser_try_word(p, "of"))
		parser_expected(p, "'of'");
	d->key_type = p->now.text;
	const char *padded =
	    arena_printf(p->arena, " %.*s ", SLICE_ARG(slice_head(p->now.text, 20)));
	if (p->now.kind != TOKEN_NAME || !strstr(keys, padded))
		parser_expected(p, "a key type (string number domain address network pattern)");
	else
		parser_next(p);
	if (parser_try_word(p, "to"))
		d->has_to = parse_type(p, &d->to);
	parser_want(p, "=");
	if (!p->failed)
		parse_source(p, d);
	parser_want(p, ";");
	return d;
}

static struct decl *parse_event(struct parser *p)
{
	struct decl *d = decl_new(p, DECL_EVENT);

	parser_name(p, "an event", &d->name);
	d->body = parse_block(p);
	return d;
}

static struct decl *parse_test(struct parser *p)
{
	struct decl *d = decl_new(p, DECL_TEST);

	parser_string(p, &d->name);
	parser_want(p, "{");
	d->steps = parse_session(p);
	parser_want(p, "}");
	return d;
}

/* ---- imports ---- */

/* Below the folder of the file that imports: no "..", no absolute path. */
static bool good_path(slice path)
{
	return path.n && path.n < 256 && path.p[0] != '/' &&
	    slice_search_nocase(path, SLICE("..")) == SIZE_MAX;
}

static const char *beside(struct arena *arena, const char *file, slice path)
{
	const char *slash = strrchr(file, '/');

	return arena_printf(
	    arena, "%.*s%.*s", slash ? (int)(slash + 1 - file) : 0, file, SLICE_ARG(path));
}

static void parse_file(struct parser *p, uint32_t file, struct parser *from);

static void import(struct parser *p, const char *name, struct range range)
{
	struct sources *src = p->src;
	struct error error;
	slice text;

	for (uint32_t i = 0; i < src->file_count; i++) {
		if (strcmp(src->files[i].name, name) != 0)
			continue;
		if (src->files[i].loading)
			parser_fail(p, range, NULL, "this import leads back to itself");
		return;
	}
	if (p->tree->alone)
		return;
	if (!src->read || !src->read(src->context, name, TEXT_MAX, src->arena, &text, &error)) {
		remark_add(src, REMARK_ERROR, range, NULL, "%s",
		    src->read ? error.why : "there is nowhere to import from");
		return;
	}
	uint32_t file = sources_add(src, name, text, range);
	if (file == UINT32_MAX)
		return;
	struct parser other;
	src->files[p->lexer.file].loading = true;
	parse_file(&other, file, p);
	src->files[p->lexer.file].loading = false;
}

/* import = "import" STRING ";" */
static void parse_import(struct parser *p)
{
	slice path;

	parser_next(p);
	struct range range = p->now.range;
	if (!parser_string(p, &path) || !parser_want(p, ";"))
		return;
	if (!good_path(path))
		parser_fail(
		    p, range, NULL, "an import is a path beside this file or below, without '..'");
	else
		import(p, beside(p->arena, p->src->files[p->lexer.file].name, path), range);
}

static void parse_declaration(struct parser *p)
{
	uint32_t from = p->now.range.at;
	struct decl *d = NULL;

	if (parser_at_word(p, "import"))
		parse_import(p);
	else if (parser_at_word(p, "table"))
		d = parse_table(p);
	else if (parser_at_word(p, "rule"))
		d = parse_rule(p);
	else if (parser_at_word(p, "event"))
		d = parse_event(p);
	else if (parser_at_word(p, "method"))
		d = parse_method(p);
	else if (parser_at_word(p, "test"))
		d = parse_test(p);
	else
		parser_stray(p, "'import', 'table', 'rule', 'event', 'method' or 'test'");
	if (d && !p->failed)
		decl_add(p, d);
	bool failed = p->failed;
	if (failed && !at_start(p))
		skip_declaration(p);
	if (failed)
		parser_skipped(p, from);
	p->failed = false;
	p->depth = 0;
}

static void parse_file(struct parser *p, uint32_t file, struct parser *from)
{
	uint32_t nodes = 0;

	parser_begin(p, from->src, file, from->nodes ? from->nodes : &nodes);
	p->tree = from->tree;
	from->src->files[file].loading = true;
	while (p->now.kind != TOKEN_END && !p->dead)
		parse_declaration(p);
	from->src->files[file].loading = false;
	from->dead |= p->dead;
}

void policy_parse(struct sources *src, uint32_t file, bool alone, struct tree *tree)
{
	struct parser p, from = { .src = src, .tree = tree };

	*tree = (struct tree){ .alone = alone };
	parse_file(&p, file, &from);
	tree->dead = p.dead;
}

struct step *session_parse(struct sources *src, uint32_t file)
{
	struct parser p;
	uint32_t nodes = 0;

	parser_begin(&p, src, file, &nodes);
	struct step *steps = parse_session(&p);
	if (p.now.kind != TOKEN_END)
		parser_expected(&p, "a line of a session");
	return src->errors ? NULL : steps;
}
