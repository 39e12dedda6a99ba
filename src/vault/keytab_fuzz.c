/* Keytabs, as a broken disk or a wrong tool may leave them: what is read lies inside the file. */
#include <assert.h>

#include "vault/keytab.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void inside(slice whole, slice part)
{
	assert(part.n == 0 || (part.p >= whole.p && part.p + part.n <= whole.p + whole.n));
}

static void count_texts(void *context, const char *text)
{
	assert(strlen(text) > 10);
	(*(int *)context)++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	slice content = { (const char *)data, size };
	struct arena *arena = arena_new(KEYTAB_MEMORY);
	struct keytab keytab;
	struct error error;
	struct buf name;
	int texts = 0;

	buf_init(&name, 300);
	if (keytab_read(content, arena, &keytab, &error)) {
		assert(keytab.count > 0 && keytab.count <= KEYTAB_ENTRIES);
		for (size_t i = 0; i < keytab.count; i++) {
			const struct keytab_entry *e = &keytab.entries[i];

			inside(content, e->realm);
			inside(content, e->key);
			for (int j = 0; j < e->component_count; j++)
				inside(content, e->components[j]);
			keytab_principal(e, &name);
		}
		keytab_warn(&keytab, KEYTAB_RC4_NO, count_texts, &texts);
		assert(texts <= KERBEROS_SERVICES);
	}
	buf_free(&name);
	arena_free(arena);
	return 0;
}
