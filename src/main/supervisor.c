#include "main/supervisor.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "main/peers.h"
#include "main/reload.h"
#include "proc/peers.h"
#include "proc/stats.h"

#define CHILDREN       128
#define ROLE_FD        3
#define BACKOFF_LEAST  100 /* ms; the first restart is at once */
#define BACKOFF_MOST   10000
#define STEADY_MS      30000   /* alive so long: its pauses begin anew */
#define KEYTAB_LOOK_US 1000000 /* between looks whether the file has changed */
#define DRAIN_STAGE_US 15000000

enum state { CHILD_WAITING, CHILD_STARTING, CHILD_READY, CHILD_ENDED };

struct child {
	enum role role;
	int instance, stage;
	pid_t pid;
	enum state state;
	int restarts, backoff_ms, landlock;
	int64_t started_us, start_at_us;
	bool told_drain;
	bool stale;    /* its settings have changed: to be started anew */
	bool renewing; /* that is happening */
};

static struct {
	struct supervised now;
	struct arena *arena; /* of a configuration that was reloaded */
	struct peers *peers;
	struct child children[CHILDREN];
	int count;
	int stage; /* children up to this stage are started */
	bool draining;
	int drain_stage; /* being drained now */
	int64_t drain_until_us;
	bool all_ready;
	int64_t steady_us;
} sv;

#define STAGE_LAST 2

static int stage_of(enum role role)
{
	return role == ROLE_CONTROL ? 0 : role == ROLE_SMTP || role == ROLE_IMAP ? 2 : 1;
}

static struct child *child_find(enum role role, int instance)
{
	for (int i = 0; i < sv.count; i++)
		if (sv.children[i].role == role && sv.children[i].instance == instance)
			return &sv.children[i];
	return NULL;
}

/* ---- what a child is told before it starts ---- */

static bool tell(struct child *c, struct message *m, int fd)
{
	bool ok = peers_tell(sv.peers, c->role, c->instance, m, fd);

	message_free(m);
	return ok;
}

static void tell_setting(struct child *c, const char *name, slice value)
{
	struct message m;

	message_begin(&m, MESSAGE_SETTING);
	message_put_text(&m, slice_of(name));
	message_put_text(&m, value);
	tell(c, &m, -1);
}

static void tell_descriptor(struct child *c, const char *name, int fd)
{
	struct message m;

	if (fd < 0)
		return;
	message_begin(&m, MESSAGE_DESCRIPTOR);
	message_put_text(&m, slice_of(name));
	tell(c, &m, fd);
}

static void tell_listener(struct child *c, int i, struct arena *arena)
{
	const struct conf_listener *l = &sv.now.conf->listeners[i];

	for (size_t j = 0; j < conf_listener_row_count; j++)
		if (conf_listener_rows[j].roles & ROLE_BIT(c->role))
			tell_setting(c, arena_printf(arena, "%d %s", i, conf_listener_rows[j].name),
			    slice_of(conf_value(&conf_listener_rows[j], l, arena)));
	tell_descriptor(c, arena_printf(arena, "listener %d", i), sv.now.listener_fds[i]);
}

static bool serves(enum role role, const struct conf_listener *l)
{
	bool smtp = strcmp(l->protocol, "smtp") == 0;

	return (role == ROLE_SMTP && smtp) || (role == ROLE_IMAP && !smtp);
}

/* What one needs who shakes hands. */
static void tell_tls(struct child *c)
{
	tell_descriptor(c, "tickets", sv.now.tickets.fd);
	tell_descriptor(c, "certificates", sv.now.tls.public_fd);
}

static bool has_sessions(const struct child *c)
{
	return c->role == ROLE_SMTP || c->role == ROLE_IMAP;
}

static void tell_log(struct child *c)
{
	char name[40];

	snprintf(name, sizeof name, "log %s", log_target_name(sv.now.log.target));
	tell_descriptor(c, name, sv.now.log.fd < 0 ? STDERR_FILENO : sv.now.log.fd);
}

/* Only the rows, listeners and descriptors that this role needs. */
static void tell_settings(struct child *c)
{
	struct arena *arena = arena_new(1 << 20);
	const struct conf *conf = sv.now.conf;

	tell_log(c); /* first, so that what is wrong with the rest is found there */
	for (size_t i = 0; i < conf_row_count; i++)
		if (conf_rows[i].roles & ROLE_BIT(c->role))
			tell_setting(
			    c, conf_rows[i].name, slice_of(conf_value(&conf_rows[i], conf, arena)));
	for (int i = 0; i < conf->listener_count; i++)
		if (serves(c->role, &conf->listeners[i]))
			tell_listener(c, i, arena);
	tell_descriptor(c, "stats", sv.now.stats_fd);
	if (c->role == ROLE_CONTROL)
		tell_descriptor(c, "control", sv.now.control_fd);
	if (c->role == ROLE_KEYS)
		tell_descriptor(c, "keys", sv.now.tls.keys_fd);
	if (c->role == ROLE_AUTH)
		tell_descriptor(c, "keytab", sv.now.keytab.fd);
	if (has_sessions(c) || c->role == ROLE_DELIVER || c->role == ROLE_CONTROL)
		tell_descriptor(c, "shared", sv.now.shared_fd);
	if (has_sessions(c))
		tell_tls(c);
	arena_free(arena);
}

/* ---- channels between two children ---- */

static void tell_peer(struct child *c, const struct child *other, int fd)
{
	struct message m;

	message_begin(&m, MESSAGE_PEER);
	message_put_number(&m, other->role);
	message_put_number(&m, (uint64_t)other->instance);
	tell(c, &m, fd);
}

static void connect_peers(struct child *c)
{
	for (int i = 0; i < sv.count; i++) {
		struct child *other = &sv.children[i];
		int one, two;

		if (other == c || !peers_allowed(c->role, other->role) ||
		    (other->state != CHILD_STARTING && other->state != CHILD_READY))
			continue;
		if (!channel_pair(&one, &two)) {
			log_warn("channel.failed", kv_str("why", strerror(errno)));
			continue;
		}
		tell_peer(c, other, one);
		tell_peer(other, c, two);
		close(one);
		close(two);
	}
}

/* ---- starting ---- */

/* In the new process: only descriptor 3 and the standard ones stay open. */
_Noreturn static void become_role(const struct child *c, int fd)
{
	char instance[16];
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	snprintf(instance, sizeof instance, "%d", c->instance);
	if (dup2(fd, ROLE_FD) < 0 || !users_become(&sv.now.users, c->role))
		_exit(126);
	execl("/proc/self/exe", "hauberk", "role", role_name(c->role), instance, (char *)NULL);
	_exit(127);
}

static void start_child(struct child *c)
{
	struct message m;
	int ours, theirs;

	if (!channel_pair(&ours, &theirs)) {
		log_warn("start.failed", kv_str("role", role_name(c->role)),
		    kv_str("why", strerror(errno)));
		c->start_at_us = clock_us() + BACKOFF_MOST * 1000LL;
		return;
	}
	c->pid = fork();
	if (c->pid == 0)
		become_role(c, theirs);
	close(theirs);
	if (c->pid < 0) {
		log_warn("start.failed", kv_str("role", role_name(c->role)),
		    kv_str("why", strerror(errno)));
		close(ours);
		c->start_at_us = clock_us() + BACKOFF_MOST * 1000LL;
		return;
	}
	c->state = CHILD_STARTING;
	c->told_drain = false;
	c->started_us = clock_us();
	peers_add(sv.peers, c->role, c->instance, ours);
	tell_settings(c);
	connect_peers(c);
	message_begin(&m, MESSAGE_START);
	tell(c, &m, -1);
}

static void add_children(enum role role, int n)
{
	for (int i = 0; i < n; i++) {
		struct child *c = &sv.children[sv.count++];

		*c = (struct child){
			.role = role, .instance = i, .stage = stage_of(role), .state = CHILD_WAITING
		};
	}
}

static void start_due(void)
{
	for (int i = 0; i < sv.count; i++) {
		struct child *c = &sv.children[i];

		if (c->state == CHILD_WAITING && c->stage <= sv.stage &&
		    clock_us() >= c->start_at_us)
			start_child(c);
	}
}

static bool stage_ready(int stage)
{
	for (int i = 0; i < sv.count; i++)
		if (sv.children[i].stage <= stage && sv.children[i].state != CHILD_READY)
			return false;
	return true;
}

static void take_ready(struct call *call)
{
	struct child *c = child_find(call->from, call->instance);
	uint64_t landlock = message_get_number(&call->in);

	if (c && message_done(&call->in)) {
		c->state = CHILD_READY;
		c->renewing = false;
		c->landlock = (int)landlock;
		log_info("role.ready", kv_str("role", role_name(c->role)),
		    kv_num("instance", c->instance), kv_num("pid", c->pid),
		    kv_num("landlock", c->landlock));
	}
	call_end(call);
	/* control makes what the others open; after it all may come at once, and one that cannot does not
	 * keep the others from serving. */
	if (!sv.draining && sv.stage == 0 && stage_ready(0)) {
		sv.stage = STAGE_LAST;
		start_due();
	}
	if (!sv.all_ready && stage_ready(STAGE_LAST)) {
		sv.all_ready = true;
		log_info("serving", kv_num("listeners", sv.now.conf->listener_count));
	}
}

/* ---- ending ---- */

static void child_ended(struct child *c, int status)
{
	int64_t lived = clock_us() - c->started_us;

	peers_remove(sv.peers, c->role, c->instance);
	c->pid = 0;
	if (sv.draining) {
		c->state = CHILD_ENDED;
		/* Nobody starts it again, but whoever reads the log should know that it did not end well. */
		if (status)
			log_warn("drain.died", kv_str("role", role_name(c->role)),
			    kv_num("instance", c->instance), kv_num("status", status));
		return;
	}
	/* Told to end, and did. One that dies while it starts anew waits like any other. */
	if (c->renewing && c->state == CHILD_READY) {
		c->state = CHILD_WAITING;
		c->start_at_us = 0;
		return;
	}
	if (lived > sv.steady_us)
		c->backoff_ms = 0;
	c->state = CHILD_WAITING;
	c->restarts++;
	c->start_at_us = clock_us() + c->backoff_ms * 1000LL;
	log_warn("role.died", kv_str("role", role_name(c->role)), kv_num("instance", c->instance),
	    kv_str("how", WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "exit"),
	    kv_num("status", WIFEXITED(status) ? WEXITSTATUS(status) : -1),
	    kv_num("again_in_ms", c->backoff_ms));
	c->backoff_ms = c->backoff_ms ? 2 * c->backoff_ms : BACKOFF_LEAST;
	if (c->backoff_ms > BACKOFF_MOST)
		c->backoff_ms = BACKOFF_MOST;
}

static void reap(void)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (int i = 0; i < sv.count; i++)
			if (sv.children[i].pid == pid)
				child_ended(&sv.children[i], status);
	if (!sv.draining)
		start_due();
}

static void drain_stage(int stage)
{
	struct message m;

	sv.drain_stage = stage;
	sv.drain_until_us = clock_us() + DRAIN_STAGE_US;
	message_begin(&m, MESSAGE_DRAIN);
	for (int i = 0; i < sv.count; i++) {
		struct child *c = &sv.children[i];

		if (c->stage == stage && c->pid && !c->told_drain) {
			c->told_drain = true;
			peers_tell(sv.peers, c->role, c->instance, &m, -1);
		}
	}
	message_free(&m);
}

static void drain_step(void)
{
	bool left = false;

	for (int i = 0; i < sv.count; i++) {
		struct child *c = &sv.children[i];

		if (c->stage < sv.drain_stage || !c->pid)
			continue;
		left = true;
		if (clock_us() < sv.drain_until_us)
			continue;
		log_warn("drain.killed", kv_str("role", role_name(c->role)), kv_num("pid", c->pid));
		kill(c->pid, SIGKILL);
	}
	if (left)
		return;
	if (sv.drain_stage == 0)
		peers_stop(sv.peers, 0);
	else
		drain_stage(sv.drain_stage - 1);
}

/* ---- reloading ---- */

static void complain(void *context, const char *text)
{
	(void)context;
	log_warn("reload.refused", kv_str("why", text));
}

/* The next process whose settings are old, when none is on its way. */
static void renew_next(void)
{
	struct child *next = NULL;
	struct message m;

	for (int i = sv.count - 1; i >= 0; i--) {
		if (sv.children[i].renewing)
			return;
		if (sv.children[i].stale && sv.children[i].state == CHILD_READY)
			next = &sv.children[i];
	}
	if (!next || sv.draining)
		return;
	next->stale = false;
	next->renewing = true;
	log_info("role.renewed", kv_str("role", role_name(next->role)),
	    kv_num("instance", next->instance));
	message_begin(&m, MESSAGE_DRAIN);
	tell(next, &m, -1);
}

/* keys has all new keys: now the others may use their certificates. One that ended meanwhile (no answer) has
 * a successor, which is given them at its start and is waited for by whoever asks. */
static void publish_certificates(void *context, bool ok, struct message_reader *in)
{
	bool taken = ok || !in;

	for (int i = 0; taken && (intptr_t)context == sv.now.key_number && i < sv.count; i++)
		if (sv.children[i].pid && has_sessions(&sv.children[i]))
			tell_descriptor(&sv.children[i], "certificates", sv.now.tls.public_fd);
}

static void publish_keys(void)
{
	struct message m;

	message_begin(&m, MESSAGE_DESCRIPTOR);
	message_put_text(&m, SLICE("keys"));
	void *number = (void *)(intptr_t)sv.now.key_number;
	if (!peers_request(
		sv.peers, ROLE_KEYS, 0, &m, sv.now.tls.keys_fd, publish_certificates, number))
		publish_certificates(number, false, NULL);
	message_free(&m);
}

/* To auth, when it is there; one that starts is given it then. */
static void publish_keytab(void)
{
	struct child *auth = child_find(ROLE_AUTH, 0);

	if (auth && auth->pid)
		tell_descriptor(auth, "keytab", sv.now.keytab.fd);
}

/* Keys are exported anew without anybody thinking of SIGHUP. What is wrong changes nothing, and is told once:
 * the file counts as looked at. */
static void look_at_keytab(void)
{
	static int64_t next_us;
	struct open_keytab next;
	struct error error;

	if (clock_us() < next_us)
		return;
	next_us = clock_us() + KEYTAB_LOOK_US;
	if (!open_keytab_changed(sv.now.conf, &sv.now.keytab))
		return;
	if (!open_keytab(sv.now.conf, &next, &error)) {
		log_warn("keytab.refused", kv_why(&error));
		/* As it was read: one that was being written is read again when it is whole. */
		open_keytab_seen(sv.now.conf, &sv.now.keytab, &next);
		return;
	}
	open_keytab_close(&sv.now.keytab);
	sv.now.keytab = next;
	log_info("keytab.changed", kv_text("file", slice_of(sv.now.conf->kerberos_keytab)));
	publish_keytab();
}

static void turn_tickets(void)
{
	if (!tickets_turn(&sv.now.tickets, sv.now.conf->ticket_lifetime_ms))
		return;
	log_info("tickets.turned", kv_num("keys", sv.now.tickets.count));
	for (int i = 0; i < sv.count; i++)
		if (sv.children[i].pid && has_sessions(&sv.children[i]))
			tell_descriptor(&sv.children[i], "tickets", sv.now.tickets.fd);
}

/* Also when the rest of the configuration is refused: the file may have been renamed to make room. */
static void reopen_log(void)
{
	struct open_log next;
	struct error error;

	if (!open_log(sv.now.conf, &next, &error)) {
		log_warn("log.kept", kv_why(&error));
		return;
	}
	if (sv.now.log.fd >= 0)
		close(sv.now.log.fd);
	sv.now.log = next;
	for (int i = 0; i < sv.count; i++)
		if (sv.children[i].pid)
			tell_log(&sv.children[i]);
}

static void adopt(const struct supervised *next, struct arena *arena)
{
	struct supervised old = sv.now;
	unsigned affected = reload_affected(old.conf, next->conf);

	sv.now = *next;
	reload_close(&old, &sv.now);
	arena_free(sv.arena); /* the first configuration is the caller's */
	sv.arena = arena;
	for (int i = 0; i < sv.count; i++)
		sv.children[i].stale |= (affected & ROLE_BIT(sv.children[i].role)) != 0;
	reopen_log(); /* first: what follows belongs into the new file */
	publish_keys();
	publish_keytab();
	log_info("reloaded", kv_str("file", sv.now.conf_path),
	    kv_num("listeners", next->conf->listener_count));
}

static void reload(void)
{
	struct arena *arena = arena_new(8 << 20);
	struct conf *conf = ARENA_NEW(arena, struct conf);
	struct conf_origin origin;
	struct supervised next;
	struct error error;

	bool good = conf_read(sv.now.conf_path, arena, conf, &origin, complain, NULL) &&
	    conf_check(conf, &origin, sv.now.conf_path, complain, NULL);
	const char *fixed = good ? reload_fixed(sv.now.conf, conf) : NULL;
	if (fixed)
		complain(NULL, arena_printf(arena, "%s can only change with a new start", fixed));
	if (good && !fixed && !reload_open(&sv.now, conf, &next, &error)) {
		complain(NULL, error.why);
		good = false;
	}
	if (good && !fixed) {
		adopt(&next, arena);
	} else {
		arena_free(arena);
		reopen_log();
	}
}

static void on_signal(void *context, int signal)
{
	(void)context;
	switch (signal) {
	case SIGCHLD:
		reap();
		break;
	case SIGTERM:
	case SIGINT:
		if (!sv.draining) {
			log_info("draining", kv_str("signal", strsignal(signal)));
			sv.draining = true;
			drain_stage(STAGE_LAST);
		}
		break;
	case SIGHUP:
		reload();
		break;
	default:
		break;
	}
}

static void on_tick(void *context)
{
	(void)context;
	reap();
	renew_next();
	turn_tickets();
	look_at_keytab();
	if (sv.draining)
		drain_step();
}

/* ---- status ---- */

static void status_line(struct buf *out, const struct child *c)
{
	static const char *const states[] = { "waiting", "starting", "ready", "ended" };
	char sandbox[40] = "-";

	if (c->state == CHILD_READY && c->landlock)
		snprintf(sandbox, sizeof sandbox, "seccomp,landlock:%d", c->landlock);
	else if (c->state == CHILD_READY)
		snprintf(sandbox, sizeof sandbox, "seccomp");
	buf_addf(out, "%-8s %8d  %-8s %8.1f %8d  %-19s", role_name(c->role), c->pid,
	    states[c->state], c->pid ? (double)(clock_us() - c->started_us) / 1e6 : 0.0,
	    c->restarts, sandbox);
	for (int s = 0; s < STAT_COUNT; s++) {
		int64_t n = stats_read(c->role, c->instance, (enum statistic)s);

		if (n)
			buf_addf(out, " %s=%lld", stats_name((enum statistic)s), (long long)n);
	}
	buf_addc(out, '\n');
}

static void take_status(struct call *call)
{
	struct message m;
	struct buf out;

	buf_init(&out, 64 * 1024);
	buf_addf(&out, "%-8s %8s  %-8s %8s %8s  %-19s counters\n", "role", "pid", "state", "up_s",
	    "restarts", "sandbox");
	buf_addf(&out, "%-8s %8d  %-8s\n", "main", getpid(), sv.draining ? "draining" : "ready");
	for (int i = 0; i < sv.count; i++)
		status_line(&out, &sv.children[i]);
	message_begin(&m, MESSAGE_STATUS);
	message_put_text(&m, buf_slice(&out));
	call_reply(call, &m);
	message_free(&m);
	buf_free(&out);
}

/* ---- */

static int watch_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

static bool has_protocol(enum role role)
{
	for (int i = 0; i < sv.now.conf->listener_count; i++)
		if (serves(role, &sv.now.conf->listeners[i]))
			return true;
	return false;
}

int supervise_processes(int64_t wanted)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	if (wanted)
		return (int)wanted;
	return cores < 2 ? 2 : cores > 32 ? 32 : (int)cores;
}

/* How long a role must live for its pauses to begin anew. A test that kills roles for minutes cannot
 * wait for pauses that are made for a role which cannot live. */
static int64_t steady_us(void)
{
	const char *given = getenv("HAUBERK_STEADY_MS");
	uint64_t ms;

	return 1000LL *
	    (given && slice_number(slice_of(given), STEADY_MS, &ms) ? (int64_t)ms : STEADY_MS);
}

int supervise(const struct supervised *what)
{
	static const struct service services[] = {
		{ MESSAGE_READY, ~0u, take_ready },
		{ MESSAGE_STATUS, ROLE_BIT(ROLE_CONTROL), take_status },
	};
	struct peers_events events = { .signal = on_signal, .tick = on_tick };

	sv.now = *what;
	sv.steady_us = steady_us();
	sv.peers = peers_new(ROLE_MAIN, 0, services, sizeof services / sizeof services[0]);
	peers_set_events(sv.peers, &events);
	stats_open(what->stats_fd, ROLE_MAIN, 0);
	peers_watch_signals(sv.peers, watch_signals());
	add_children(ROLE_CONTROL, 1);
	add_children(ROLE_KEYS, 1);
	add_children(ROLE_AUTH, 1);
	add_children(ROLE_QUEUE, 1);
	add_children(ROLE_DELIVER, 1);
	if (has_protocol(ROLE_SMTP))
		add_children(ROLE_SMTP, supervise_processes(what->conf->smtp_processes));
	if (has_protocol(ROLE_IMAP))
		add_children(ROLE_IMAP, supervise_processes(what->conf->imap_processes));
	start_due();
	int status = peers_run(sv.peers);
	peers_free(sv.peers);
	log_info("ended", kv_num("status", status));
	return status;
}
