#include "main/account_files.h"

#include "base/encode.h"
#include "imap/utf7.h"

#define DOT SLICE("&AC4-")

enum files_format files_format_of(const char *word)
{
	slice name = slice_of(word);

	return slice_eq(name, SLICE("maildir")) ? FILES_MAILDIR
	    : slice_eq(name, SLICE("mbox"))     ? FILES_MBOX
	    : slice_eq(name, SLICE("eml"))      ? FILES_EML
						: FILES_UNKNOWN;
}

bool files_name_write(slice mailbox, struct buf *out)
{
	size_t before = out->n;

	while (mailbox.n) {
		size_t n = 0;

		while (n < mailbox.n && mailbox.p[n] != '/' && mailbox.p[n] != '.')
			n++;
		utf7_encode(slice_head(mailbox, n), out);
		if (n < mailbox.n && mailbox.p[n] == '/')
			buf_addc(out, '.');
		else if (n < mailbox.n)
			buf_add(out, DOT);
		mailbox = slice_from(mailbox, n + 1);
	}
	return !out->full && out->n - before <= FILES_NAME_MAX;
}

/* One level, with the dots that are written so. */
static bool level_read(slice level, struct buf *out)
{
	struct buf part;
	bool ok = true;

	buf_init(&part, STORE_MAILBOX_MAX);
	while (ok && level.n) {
		size_t at = slice_search_nocase(level, DOT);
		slice plain = slice_head(level, at);

		buf_clear(&part);
		/* What is no modified UTF-7 is a name as it stands, if it is UTF-8. */
		ok = utf7_decode(plain, &part);
		if (!ok && utf8_valid(plain)) {
			buf_clear(&part);
			buf_add(&part, plain);
			ok = true;
		}
		buf_add(out, buf_slice(&part));
		if (at != SIZE_MAX)
			buf_addc(out, '.');
		level = at == SIZE_MAX ? SLICE("") : slice_from(level, at + DOT.n);
	}
	buf_free(&part);
	return ok;
}

bool files_name_read(slice file, struct buf *out)
{
	if (file.n == 0)
		return false;
	for (;;) {
		slice level = slice_head(file, slice_find(file, '.'));

		if (level.n == 0 || !level_read(level, out))
			return false;
		if (level.n == file.n)
			return !out->full;
		buf_addc(out, '/');
		file = slice_from(file, level.n + 1);
		if (file.n == 0)
			return false;
	}
}

static const struct {
	char letter;
	int64_t flag;
} letters[] = {
	{ 'D', STORE_DRAFT },
	{ 'F', STORE_FLAGGED },
	{ 'R', STORE_ANSWERED },
	{ 'S', STORE_SEEN },
	{ 'T', STORE_DELETED },
};

void files_letters_write(int64_t flags, const int *keywords, struct buf *out)
{
	for (size_t i = 0; i < sizeof letters / sizeof letters[0]; i++)
		if (flags & letters[i].flag)
			buf_addc(out, letters[i].letter);
	for (int i = 0; i < FILES_KEYWORDS; i++)
		if (keywords[i] >= 0 && flags >> keywords[i] & 1)
			buf_addc(out, (char)('a' + i));
}

int64_t files_letters_read(slice text, const int *keywords)
{
	int64_t flags = 0;

	for (size_t i = 0; i < text.n; i++) {
		for (size_t k = 0; k < sizeof letters / sizeof letters[0]; k++)
			if (text.p[i] == letters[k].letter)
				flags |= letters[k].flag;
		if (text.p[i] >= 'a' && text.p[i] <= 'z' && keywords[text.p[i] - 'a'] >= 0)
			flags |= (int64_t)1 << keywords[text.p[i] - 'a'];
	}
	return flags;
}
