/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a journal, replayed into the core, which then hears of some processes from a keeper, settles, lets time
 * pass and saves. The first byte says what they are: a whole journal, or changes of a good one, {where, what}, with the
 * checksums put right again or not. Whatever objects and owners are there then, their records bring them back.
 */
#define OBJWORLD_ALONE
#include "common/planmake.h"
#include "daemon/engine/core/core.h"
#include "daemon/engine/journal.c"
#include "tests/unit/objcheck.h"
#include <signal.h>
#include <sys/wait.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW (1000 * NSEC_PER_SEC)

static struct buf table, good; /* a job table; a journal that a core has written */

static void on_proc(const struct proc *p) { (void)p; }
static void on_signal(const struct proc *p, int signo, enum link_scope scope) { (void)p, (void)signo, (void)scope; }
static void on_event(const struct proc *p, const struct inst *t, const char *what) { (void)p, (void)t, (void)what; }

static int on_watch(struct owner *o, struct channel *ch)
{
	(void)ch;
	return o->i.pid % 4 ? 0 : -1;
}
static void on_tokens(uint64_t ceiling) { (void)ceiling; }

static const struct core_ops ops = {.watch = on_watch,
				    .unwatch = objworld_unwatch,
				    .all_read = objworld_all_read,
				    .deserted = objworld_deserted,
				    .undone = objworld_undone,
				    .death = objworld_death,
				    .failed = objworld_failed,
				    .tokens = on_tokens,
				    .spawn = on_proc,
				    .signal = on_signal,
				    .kill_tree = on_proc,
				    .release = on_proc,
				    .drain = on_proc,
				    .forgotten = on_proc,
				    .event = on_event,
				    .save = journal_add2};

/* --- a world ------------------------------------------------------------------------------------------------------ */

static uint32_t table_put(const void *p, size_t n)
{
	size_t at = table.len;
	buf_put(&table, p, n);
	while (table.len % 8)
		buf_putc(&table, '\0');
	return (uint32_t)at;
}

static void make_table(void)
{
	static const struct span argv[] = {{"/bin/true", 9}};
	static const struct plan_spec spec = {.argv = argv, .argc = 1, .stdio = {PLAN_NULL, PLAN_PIPE, PLAN_NULL}};
	struct jobtab head = {.njobs = 2, .keep = 100 * NSEC_PER_SEC};
	struct jobtab_job jobs[2] = {{.instances = 1, .autostart = 1, .restart = RESTART_ALWAYS, .restart_limit = 3},
				     {.instances = 2, .restart = RESTART_UNEXPECTED, .kill_mode = KILL_GROUP}};
	table_put(&head, sizeof(head));
	for (uint32_t j = 0; j < 2; j++) {
		uint32_t plans[2];
		for (uint32_t k = 0; k < jobs[j].instances; k++) {
			size_t at;
			if (plan_make(&spec, &table, &at) < 0)
				abort();
			plans[k] = (uint32_t)at;
		}
		jobs[j].plans = table_put(plans, sizeof(plans));
		jobs[j].name = table_put(j ? "web" : "one", 4);
		jobs[j].restart_delay = jobs[j].start_seconds = NSEC_PER_SEC;
		jobs[j].restart_delay_max = jobs[j].stop_timeout = 10 * NSEC_PER_SEC;
	}
	head.jobs = table_put(jobs, sizeof(jobs));
	head.size = (uint32_t)table.len;
	memcpy(table.p, &head, sizeof(head));
}

static void begin(void)
{
	core_init(&ops, NOW);
	core.log_dir = "/log";
	if (core_jobs((const struct jobtab *)(void *)table.p) < 0)
		abort();
}

static struct proc *start(const char *name, uint64_t parent)
{
	const struct proc_image image = {.parent = parent ? PARENT_PROC : PARENT_MPD,
					 .parent_id = parent,
					 .daemon = parent != 0,
					 .stop_signal = SIGTERM,
					 .stop_timeout = NSEC_PER_SEC,
					 .limit = 100 * NSEC_PER_SEC};
	const struct span text[PROC_TEXTS] = {span_of(name), SPAN("[\"a\"]"), SPAN("/"),        SPAN(""),
					      SPAN("/out"),  SPAN(""),        SPAN("session#0")};
	return proc_new(&image, text, 0);
}

static struct link_msg started(uint64_t id) { return (struct link_msg){.id = id, .started.pid = 100 + (int32_t)id}; }

static struct link_msg exited(uint64_t id, int status)
{
	return (struct link_msg){.id = id,
				 .exited = {.pid = 100 + (int32_t)id,
					    .code = status < 64 ? CLD_KILLED : CLD_EXITED,
					    .status = status,
					    .leftover = status & 1,
					    .start = NOW,
					    .end = NOW}};
}

/* Leaves the records of some steps with objects of all kinds in objworld. */
static void make_objects(void)
{
	uint64_t dice = 1;
	steps_begin();
	for (size_t i = 0; i < 300; i++) {
		struct move m = {.op = i % 8 == 7 ? OP_TURN : OP_CALL, .slot = (uint8_t)(i % SLOTS)};
		dice = dice * 6364136223846793005u + 1442695040888963407u;
		m.who = (uint8_t)(dice >> 32);
		m.verb = (uint8_t)(dice >> 40);
		m.arg = (uint8_t)((dice >> 48) % 8 == 6 ? 0 : dice >> 48); /* nothing large */
		m.how = (uint8_t)(dice >> 56 & 7);
		step(&m);
	}
	step_turn();
	for (size_t i = 0; i < CLIENTS; i++)
		asks_drop(&clients[i]);
	for (size_t i = 0; i < CLIENTS; i++)
		channel_read(&clients[i].channel);
	step_turn();
	core_done();
}

/* A good journal, in which there is some of everything. */
static void make_good(void)
{
	make_objects();
	int fd = memfd_create("good", MFD_CLOEXEC);
	begin();
	journal_open(fd, NULL, NULL);
	core_synced();
	struct proc *parent = start("parent", 0), *gone = start("gone", 0);
	start("child", parent->i.id);
	for (uint64_t id = 1; id < core.next_id; id++) {
		struct link_msg m = started(id);
		proc_on_started(proc_by_id(id), &m);
	}
	core_save();
	struct link_msg m = exited(gone->i.id, 64);
	proc_on_exited(gone, &m);
	proc_forget(gone);
	m = exited(parent->i.id, 9);
	proc_on_exited(parent, &m);
	inst_event(inst_find(SPAN("web.2")), INST_EV_START);
	inst_event(inst_find(SPAN("one")), INST_EV_RESTART);
	core_save();
	core_save_all();
	for (size_t i = 0; i < objworld.n; i++)
		journal_add2(objworld.v[i].type, objworld.v[i].body.p, objworld.v[i].body.n, NULL, 0);
	buf_put(&good, journal.p, journal.end);
	atomic_store(&((struct head *)(void *)good.p)->tail, journal.end);
	journal_close();
	core_done();
}

/* --- one input ---------------------------------------------------------------------------------------------------- */

static void right_again(char *p, size_t n)
{
	for (size_t at = sizeof(struct head); at + sizeof(struct record) <= n;) {
		struct record r;
		memcpy(&r, p + at, sizeof(r));
		if (r.length > n || align8(sizeof(r) + r.length) > n - at)
			break;
		r.crc = record_crc(r.type, (struct span){p + at + sizeof(r), r.length}, (struct span){0});
		memcpy(p + at, &r, sizeof(r));
		at += align8(sizeof(r) + r.length);
	}
}

static void change(const uint8_t *data, size_t size, bool right)
{
	static struct buf bytes;
	buf_clear(&bytes, 1 << 20);
	buf_put(&bytes, good.p, good.len);
	for (; size >= 3; data += 3, size -= 3)
		bytes.p[(data[0] | (size_t)data[1] << 8) % bytes.len] = (char)data[2];
	if (right)
		right_again(bytes.p, bytes.len);
	if (write(journal.fd, bytes.p, bytes.len) < 0)
		abort();
}

static int each(enum journal_type type, struct span body, void *arg)
{
	(void)arg;
	return core_load(type, body);
}

static void hear(struct link_msg m, void (*what)(struct proc *, const struct link_msg *))
{
	struct proc *p = proc_by_id(m.id);
	m.type = what == proc_on_started ? LINK_STARTED : LINK_EXITED;
	if (p || (p = proc_adopt(&m)))
		what(p, &m);
}

static void look(void)
{
	static struct buf out;
	struct proc *p;
	const struct obj *o;
	LIST_EACH (o, &core.all_objs, by_all) {
		buf_clear(&out, 1 << 16);
		obj_put_info(&out, o, 0);
	}
	LIST_EACH (p, &core.procs, by_all) {
		buf_clear(&out, 1 << 16);
		proc_reason(p, &out);
		proc_state_name(p);
		proc_tree_over(p);
		if (proc_over(p))
			proc_exitcode(p);
	}
}

static void live(uint8_t told)
{
	for (uint64_t id = 1; id <= 8; id++) {
		if (told >> (id - 1) & 1)
			hear(started(id), proc_on_started);
		if (told >> (id % 8) & 1)
			hear(exited(id, 60 + (int)id), proc_on_exited);
	}
	core_synced();
	look();
	for (int i = 0; i < 50 && timers_next(&core.timers) < NSEC_NEVER / 2; i++) {
		core.now = MAX(core.now, timers_next(&core.timers));
		timers_run(&core.timers, core.now);
		wait_pump();
		core_save();
	}
	for (size_t j = 0; j < core.njobs; j++)
		inst_stop(core.jobs[j].insts, 0);
	core_save();
	look();
}

/* Another core makes the same of the records of this one, and refuses none. */
static void replay_again(void)
{
	const struct core_ops *own = core.ops;
	const nsec_t now = core.now;
	core.ops = &objworld_ops;
	objworld_forget();
	core_save_all();
	struct image here = image_take(), there;
	core.ops = own;
	core_done();
	core_init(&objworld_ops, now);
	for (size_t i = 0; i < objworld.n; i++)
		if (objworld.v[i].type >= JOURNAL_OWNER && core_load(objworld.v[i].type, objworld.v[i].body))
			fail_msg("record %zu of type %d is refused", i, (int)objworld.v[i].type);
	core.replayed = true;
	there = image_take();
	image_compare(&here, &there);
	image_free(&here);
	image_free(&there);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!good.len) {
		make_table();
		make_good();
	}
	if (size < 2)
		return 0;
	begin();
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	journal = (struct map_of){.fd = fd};
	if (data[0] % 3)
		change(data + 2, size - 2, data[0] % 3 == 1);
	else if (write(fd, data + 2, size - 2) < 0)
		abort();
	if (journal_open(fd, each, NULL) == 0) {
		live(data[1]);
		journal_commit();
		core_save_all();
		journal_close();
		core_save();
		replay_again();
	} else {
		journal_close();
	}
	core_done();
	return 0;
}
