#include "policy/files.h"

#include "script/policy/policy.h"

void files_begin(struct policy_files *b)
{
	buf_init(&b->text, FILES_OCTETS);
}

void files_free(struct policy_files *b)
{
	buf_free(&b->text);
}

bool files_add(struct policy_files *b, slice name, slice content, struct error *error)
{
	buf_addf(&b->text, "%zu %zu\n", name.n, content.n);
	buf_add(&b->text, name);
	buf_add(&b->text, content);
	return !b->text.full ||
	    error_input(
		error, "a policy and its tables may have %u MiB together", FILES_OCTETS >> 20);
}

bool files_next(slice *rest, slice *name_out, slice *content_out)
{
	slice line = slice_head(*rest, slice_find(*rest, '\n'));
	size_t blank = slice_find(line, ' ');
	uint64_t name, content;

	if (line.n == rest->n || !slice_number(slice_head(line, blank), FILES_OCTETS, &name) ||
	    !slice_number(slice_from(line, blank + 1), FILES_OCTETS, &content))
		return false;
	*rest = slice_from(*rest, line.n + 1);
	if (name > rest->n || content > rest->n - name)
		return false;
	*name_out = slice_head(*rest, (size_t)name);
	*rest = slice_from(*rest, (size_t)name);
	*content_out = slice_head(*rest, (size_t)content);
	*rest = slice_from(*rest, (size_t)content);
	return true;
}

bool files_find(slice text, slice name, slice *content_out)
{
	slice one;

	while (text.n && files_next(&text, &one, content_out))
		if (slice_eq(one, name))
			return true;
	return false;
}

bool files_first(slice text, slice *name_out, slice *content_out)
{
	return files_next(&text, name_out, content_out);
}

bool files_record(void *context, const char *name, size_t max, struct arena *arena, slice *out,
    struct error *error)
{
	return policy_read_file(NULL, name, max, arena, out, error) &&
	    files_add(context, slice_of(name), *out, error);
}

bool files_read(void *context, const char *name, size_t max, struct arena *arena, slice *out,
    struct error *error)
{
	slice content;

	if (!files_find(*(const slice *)context, slice_of(name), &content))
		return error_plain(
		    error, FAULT_ABSENT, "%s was not handed over with the policy", name);
	if (content.n > max)
		return error_input(
		    error, "%s has %zu octets; at most %zu are read", name, content.n, max);
	*out = arena_copy(arena, content);
	return true;
}
