/* Any file as an mbox: messages that are no longer than the file, in order, and an end. */
#include <assert.h>
#include <sys/mman.h>
#include <unistd.h>

#include "main/account_mbox.h"

#define MESSAGE_MOST 3000 /* small, so that messages are too large */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("mbox", MFD_CLOEXEC);
	struct mbox_message m = { 0 };
	struct error error;
	struct mbox mbox;
	uint64_t before = 0, n = 0;

	assert(fd >= 0 && write(fd, data, size) == (ssize_t)size && lseek(fd, 0, SEEK_SET) == 0);
	buf_init(&m.text, MESSAGE_MOST);
	buf_init(&m.keywords, MESSAGE_MOST);
	mbox_open(&mbox, fd);
	while (mbox_next(&mbox, &m, &error)) {
		assert(n == 0 || m.offset > before);
		n++;
		assert(m.offset < size && m.text.n <= MESSAGE_MOST);
		assert(m.too_large || m.text.n <= size - m.offset);
		before = m.offset;
	}
	assert(size == 0 || n > 0 || error.fault != FAULT_NONE);
	mbox_close(&mbox);
	buf_free(&m.text);
	buf_free(&m.keywords);
	close(fd);
	return 0;
}
