/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * F21: a rollback under load, by the tool: at most 100 ms from starting the command to the last
 * packet under the bad generation, and no policy, list or image is opened. Control: going back by
 * applying the old policy file again opens them, and takes longer.
 * Eleven rollbacks are a series; on a busy machine the best of five series counts.
 * test-timeout: 600
 */
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>

#include "crossing.h"

#define RATE 50000u
#define SERIES 5u
#define RUNS 11u
#define BOUND_US 100000u
#define ROWS 2000u /* in the list file */

/* What was live goes back to @good; @command does it, in another process. */
struct going_back {
	struct crossing *crossing;
	char *const *command;
	uint64_t rank;
};

static const char *tool(void)
{
	const char *path = getenv("STANCH");

	return path ? path : "build/stanch";
}

/* Exit code of a command, 127 when there is none of that name. */
static int code_of(char *const *command)
{
	posix_spawn_file_actions_t actions;
	int status = -1, r;
	pid_t pid = 0;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
	r = posix_spawnp(&pid, command[0], &actions, NULL, command, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (r)
		return 127;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* ---- the policies: both flag everybody, so that the order can be seen ---- */

static void write_file(const struct crossing *crossing, const char *name, const char *text,
		       uint32_t rows)
{
	char path[128];
	autofclose FILE *file = NULL;

	snprintf(path, sizeof(path), "%s/%s", crossing->rig->folder, name);
	file = fopen(path, "w");
	assert_non_null(file);
	fprintf(file, "%s", text);
	for (uint32_t i = 0; i < rows; i++)
		fprintf(file, "10.%u.%u.0/24\n", i >> 8, i & 255);
}

static void write_policies(const struct crossing *crossing)
{
	const char *policy = "version: 1\nmode: enforce\nlists:\n"
			     "  - {name: all, action: flag, entries: [198.18.0.0/15]}\n"
			     "  - {name: bad, action: drop, file: bad.list}\n";
	char changed[512];

	write_file(crossing, "bad.list", "", ROWS);
	write_file(crossing, "good.yaml", policy, 0);
	snprintf(changed, sizeof(changed), "%s%s", policy,
		 "  - {name: worse, action: drop, entries: [11.0.0.0/24]}\n");
	write_file(crossing, "worse.yaml", changed, 0);
}

static void apply(const struct crossing *crossing, const char *name)
{
	char path[128];
	char *const command[] = { (char *)tool(), "-q", "apply", "--now", path, NULL };

	snprintf(path, sizeof(path), "%s/%s", crossing->rig->folder, name);
	assert_int_equal(code_of(command), 0);
}

static struct word word_now(const struct crossing *crossing)
{
	return word_unpack(control_load(crossing->at.control, CONTROL_WORD));
}

/* Under load, the good generation live, its file beside it. */
static void open_under_load(void **state, struct crossing *ret)
{
	crossing_open(state, 1, ret);
	write_policies(ret);
	crossing_attach(ret->at.instance, 0);
	apply(ret, "good.yaml");
	crossing_go(ret, RATE);
}

/* ---- the time ---- */

/* The bad generation is live and has judged; every slot that may come next ranks above it. */
static void make_worse(struct going_back *back)
{
	struct word word;

	apply(back->crossing, "worse.yaml");
	word = word_now(back->crossing);
	crossing_rank(back->crossing, 0, word.live, ++back->rank);
	crossing_wait(back->crossing, back->rank);
	++back->rank;
	for (unsigned int slot = 0; slot < SLOTS; slot++)
		if (slot != word.live)
			crossing_rank(back->crossing, 0, slot, back->rank);
}

/* From the start of the command to the last packet under the bad generation, in microseconds. */
static uint64_t go_back(struct going_back *back)
{
	const struct order *order = back->crossing->order;
	uint64_t begun, last;

	make_worse(back);
	begun = traffic_now();
	assert_int_equal(code_of(back->command), 0);
	crossing_wait(back->crossing, back->rank);
	last = order->newest_ns + order->sides[0].behind_ns;
	assert_true(last > begun);
	return (last - begun) / 1000;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* The median of one series. */
static uint64_t series(struct going_back *back, const char *what)
{
	uint64_t took[RUNS];

	for (uint32_t i = 0; i < RUNS; i++)
		took[i] = go_back(back);
	qsort(took, RUNS, sizeof(took[0]), compare);
	print_message("%s: %llu us at least, %llu in the median, %llu at most\n", what,
		      (unsigned long long)took[0], (unsigned long long)took[RUNS / 2],
		      (unsigned long long)took[RUNS - 1]);
	return took[RUNS / 2];
}

static void a_rollback_under_load_takes_a_tenth_of_a_second_at_most(void **state)
{
	auto_crossing struct crossing crossing;
	char path[128];
	char *const rollback[] = { (char *)tool(), "-q", "rollback", NULL };
	char *const again[] = { (char *)tool(), "-q", "apply", "--now", path, NULL };
	struct going_back back = { &crossing, rollback, 1 };
	uint64_t best = UINT64_MAX, took, naive;

	open_under_load(state, &crossing);
	snprintf(path, sizeof(path), "%s/good.yaml", crossing.rig->folder);
	for (uint32_t i = 0; i < SERIES && best > BOUND_US; i++) {
		took = series(&back, "rollback");
		best = took < best ? took : best;
	}
	back.command = again;
	naive = series(&back, "control, applied again");
	crossing_stop(&crossing);
	crossing_orderly(&crossing);
	assert_true(best <= BOUND_US);
	assert_true(naive > best);
}

/* ---- the files ---- */

static bool is_policy(const char *line)
{
	return strstr(line, ".yaml") || strstr(line, ".list") || strstr(line, ".img");
}

/* How many policies, lists and images a command opens; -1 when nobody can watch. */
static int opened(const struct crossing *crossing, const char *arguments)
{
	char command[PATH_MAX + 512], line[4096];
	autofclose FILE *log = NULL;
	int count = 0;

	snprintf(command, sizeof(command),
		 "strace -f -qq -e trace=open,openat,openat2 -o %s/calls %s -q %s >%s/said 2>&1",
		 crossing->rig->folder, tool(), arguments, crossing->rig->folder);
	rig_command("%s", command);
	snprintf(command, sizeof(command), "%s/calls", crossing->rig->folder);
	log = fopen(command, "r");
	assert_non_null(log);
	while (fgets(line, sizeof(line), log))
		count += is_policy(line);
	return count;
}

static bool can_watch(void)
{
	char *const command[] = { "strace", "-qq", "-o", "/dev/null", "true", NULL };

	return !code_of(command);
}

static void a_rollback_opens_no_policy_no_list_and_no_image(void **state)
{
	auto_crossing struct crossing crossing;
	char again[256];

	rig_of(state);
	if (!can_watch()) {
		print_message("needs strace\n");
		skip();
	}
	open_under_load(state, &crossing);
	apply(&crossing, "worse.yaml");
	assert_int_equal(opened(&crossing, "rollback"), 0);
	assert_int_equal(word_now(&crossing).live, word_now(&crossing).good);
	apply(&crossing, "worse.yaml");
	snprintf(again, sizeof(again), "apply --now %s/good.yaml", crossing.rig->folder);
	assert_true(opened(&crossing, again) >= 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_rollback_under_load_takes_a_tenth_of_a_second_at_most, rig_setup,
			rig_teardown),
		cmocka_unit_test_setup_teardown(a_rollback_opens_no_policy_no_list_and_no_image,
						rig_setup, rig_teardown),
	};

	return cmocka_run_group_tests_name("F21 rollback", tests, NULL, NULL);
}
