/* From a segment of the spool to a parsed message. */
#include "deliver/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define PATH_ROOM 4096

static int try_open(const struct job *job, const char *ending, char *path)
{
	snprintf(path, PATH_ROOM, "%s/%d/%016llx.%s", deliver_config.spool,
	    (int)(job->segment & 0xff), (unsigned long long)job->segment, ending);
	return open(path, O_RDONLY | O_CLOEXEC);
}

/* -1: error says why; permanent when there is no such file. */
static int open_segment(const struct job *job, char *path, struct error *error)
{
	int fd = try_open(job, "seg", path);

	if (fd < 0 && errno == ENOENT)
		fd = try_open(job, "one", path);
	if (fd >= 0)
		return fd;
	if (errno == ENOENT)
		error_set(error, FAULT_LOCAL, false, "damaged",
		    "segment %016llx is not in the spool: bring its file back if you have it, "
		    "and restart; its mail cannot be delivered without it",
		    (unsigned long long)job->segment);
	else
		error_local(error, "cannot open %s: %s", path, strerror(errno));
	return -1;
}

static bool read_envelope(struct job *job, struct error *error)
{
	if (!envelope_decode(buf_slice(&job->record), job->arena, &job->envelope))
		return error_plain(error, FAULT_LOCAL, "the envelope does not read");
	return job->envelope.recipient_count > 0 ||
	    error_plain(error, FAULT_LOCAL, "the envelope has no recipients");
}

/* The copy that all recipients get; 0: as it came, or they get different ones. */
static uint64_t common_copy(const struct job *job)
{
	const struct envelope *e = &job->envelope;

	for (size_t i = 1; i < e->recipient_count; i++)
		if (e->recipients[i].copy != e->recipients[0].copy)
			return 0;
	return e->recipients[0].copy;
}

static bool read_message(const struct segment_file *file, const struct record_head *head,
    struct job *job, struct arena *arena, struct error *error)
{
	struct parsed *p = &job->message;

	copy_begin(job, head->message_octets, p);
	if (!record_read_message(file, head, &p->content, error))
		return false;
	job_process(job);
	job->copy = common_copy(job);
	if (copy_differs(job, job->copy)) {
		struct parsed changed = { 0 };

		copy_render(job, job->copy, job_message(job), arena, &changed);
		parsed_free(p);
		*p = changed;
	} else {
		copy_summarize(p, arena);
	}
	return true;
}

/* Names the file, and what a postmaster should do about a record in it that does not read. */
static void explain(const char *path, struct error *error)
{
	struct error cause = *error;

	error_set(error, FAULT_LOCAL, false, "damaged",
	    "%s: %.160s; the file is kept: see whether the disk is well, tell the sender, then move "
	    "the file away",
	    path, cause.why);
}

static bool read_record(int fd, struct job *job, struct arena *arena, struct error *error)
{
	struct segment_file file;
	struct record_head head;

	return segment_file_open(fd, job->segment, &file, error) &&
	    record_read_head(&file, job->place, &head, &job->record, error) &&
	    read_envelope(job, error) && read_message(&file, &head, job, arena, error);
}

enum outcome job_read(struct job *job, struct arena *arena, struct error *error)
{
	char path[PATH_ROOM];
	int fd = open_segment(job, path, error);

	if (fd < 0)
		return error->temporary ? OUTCOME_LATER : OUTCOME_HOLD;
	bool whole = read_record(fd, job, arena, error);
	close(fd);
	if (!whole && !error->temporary)
		explain(path, error);
	if (!whole)
		return error->temporary ? OUTCOME_LATER : OUTCOME_HOLD;
	return OUTCOME_DONE;
}
