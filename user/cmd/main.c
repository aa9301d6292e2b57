/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of verbs, and what is common to all: global options, network namespace, places. They
 * may stand before or after the verb. Knows no verb beyond its row.
 */
#include "cmd.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>

#include "args.h"

#define NETNS_DIR "/run/netns/"

/* In the order in which `stanch help` lists them. */
const struct verb verbs[] = {
	{ "check", "POLICY",
	  "say whether a policy could be applied\n\n"
	  "Reads the policy and its list files, compiles it and checks the image. Every problem is\n"
	  "shown with its place. Needs no privileges and looks at no kernel.",
	  cmd_check },
	{ "compile", "-o FILE|--output FILE POLICY",
	  "write a policy as an image\n\n"
	  "FILE is written whole or not at all; `-` is stdout. An existing file is replaced only\n"
	  "when it is an image or empty. The same policy always gives the same bytes.",
	  cmd_compile },
	{ "inspect", "[--lists] [--ranges] POLICY|IMAGE",
	  "show what an image holds\n\n"
	  "  --lists    all lists, not only the first twenty\n"
	  "  --ranges   every range of addresses with the lists that it is on",
	  cmd_inspect },
	{ "diff", "[--exit-code] A B",
	  "say what changes between two policies, images, or what is live\n\n"
	  "A and B are files, or `live`: the generation that judges now. Settings, lists by name and\n"
	  "ranges of addresses are compared, not text. With --exit-code a difference is exit code 10.",
	  cmd_diff },
	{ "attach", "[--mode native|generic] IFACE...",
	  "let the programs see the packets of interfaces\n\n"
	  "What was applied last goes on; where nothing was, everything passes. Native mode unless\n"
	  "generic is asked for. A program of somebody else is never replaced (exit 6).",
	  cmd_attach },
	{ "detach", "IFACE...|--all [--purge]|--gone",
	  "take the programs off interfaces\n\n"
	  "Generations and counters stay in the kernel; --purge removes those, too. What is on disk\n"
	  "stays in any case. --gone clears what is left of interfaces that were deleted.",
	  cmd_detach },
	{ "plan", "[--force GATE]... [--expect LIST]... [--exit-code] POLICY|IMAGE",
	  "what apply would do, without doing it\n\n"
	  "Gates with their values, golden packets, what would be newly dropped of recent traffic,\n"
	  "what changes, and the memory. Exit code 3 when it would be refused; with --exit-code 10\n"
	  "when it would change anything.",
	  cmd_plan },
	{ "apply",
	  "[--now] [--confirm TIME] [--force GATE]... [--expect LIST]... [--source NAME]\n"
	  "              POLICY|IMAGE",
	  "check, prove and try out a policy, then keep it; or change nothing\n\n"
	  "A growing share of sources, then everybody, is judged by it on a lease while this command\n"
	  "compares what is newly dropped; harm, or the end of this command, takes it back (exit 7).\n"
	  "  --now           no canary, no soak: live at once, after all gates and proofs\n"
	  "  --confirm TIME  taken back after TIME unless `stanch confirm` keeps it\n"
	  "  --force GATE    let it pass that gate; then it is on a lease, even with --now\n"
	  "  --expect LIST   what that list newly drops is wanted: an attack in progress\n"
	  "  --source NAME   unattended: two failures in 30 minutes put NAME on hold",
	  cmd_apply },
	{ "confirm", "", "keep what `apply --confirm` made live on a lease", cmd_confirm },
	{ "rollback", "[[--force GATE]... GENERATION]",
	  "back to last-known-good, or to an older generation\n\n"
	  "Without a number: one store, for which nothing but the control word is needed; a trial\n"
	  "ends. With one: its stored image goes through gates and proofs like a new one, and is live\n"
	  "at once. Mode and kill bits stay.",
	  cmd_rollback },
	{ "history", "[-n N|--number N] [--verify]",
	  "show the audit log, newest first\n\n"
	  "  -n N       that many records (20)\n"
	  "  --verify   read all of it and check its chain, show nothing",
	  cmd_history },
	{ "verify", "", "compare what the kernel judges by with what was staged and stored",
	  cmd_verify },
	{ "restore", "",
	  "bring back what was kept, after a restart of the machine\n\n"
	  "The newest stored generation that verifies becomes live, the next one last-known-good.\n"
	  "When none does, everything passes. Changes nothing where a generation is live already.",
	  cmd_restore },
	{ "hold", "SOURCE", "refuse what an unattended source wants to apply, until released",
	  cmd_hold },
	{ "release", "SOURCE", "let a source that is on hold apply again", cmd_release },
	{ "events", "[-n|--count N] [--timeout S] [--reason R] [--verdict V]",
	  "follow the sampled reports of the program\n\n"
	  "A `?` behind a verdict says that it was not enforced. At the end: how many reports were\n"
	  "held back by the budget per second, and how many were lost.",
	  cmd_events },
	{ "explain",
	  "--src ADDRESS [--dst ADDRESS] [--proto tcp|udp|icmp|...] [--sport P] [--dport P]\n"
	  "              [--flags FSRPAU] [--vlan N] [--policy POLICY | --generation N]",
	  "what happens to a packet like this, and why\n\n"
	  "A TCP SYN from port 40000 to port 443 unless said otherwise, to a documentation address.\n"
	  "It is judged by what is live, with the operator's mode and kill bits, or else by that\n"
	  "policy or generation.",
	  cmd_explain },
	{ "replay", "FILE.pcap [--policy POLICY | --generation N]",
	  "judge every packet of a capture, one line each\n\n"
	  "pcap or pcapng with Ethernet, raw IP or Linux cooked frames; `-` is standard input. A frame\n"
	  "that was cut when it was captured is filled up with zeroes; where its headers were cut it\n"
	  "is not judged. A `?` behind a verdict says that it would not be enforced.",
	  cmd_replay },
	{ "bisect", "POLICY [--rows N]",
	  "which row of a policy would drop recent traffic?\n\n"
	  "Halves its drop rows over the packets that the program sampled, until one row is left: it\n"
	  "is named with file, line, list and the share of packets that it newly drops. N such rows,\n"
	  "one after the other, with --rows. Nothing is staged, nothing is enforced.",
	  cmd_bisect },
	{ "selftest", "",
	  "does this kernel judge as it must?\n\n"
	  "The conformance table, and golden packets of what is live. -v lists every packet.",
	  cmd_selftest },
	{ "bench", "[--quick] [--only ns|pps|times] [--policy POLICY] [--size N]",
	  "what stanch costs on this kernel\n\n"
	  "Nanoseconds per packet beside programs that do nothing, packets per second with live\n"
	  "frames, and how long swaps and applies take; with what is live, or else a small policy.\n"
	  "Live state is only read; namespaces of its own end with it.\n"
	  "  --quick          seconds, and wider spreads\n"
	  "  --only PART      one of the three\n"
	  "  --policy POLICY  judge by this one\n"
	  "  --size N         apply a list of N prefixes, too",
	  cmd_bench },
	{ "mode", "[enforce|monitor|bypass] [--break-glass on|off]",
	  "show or set the operator's mode\n\n"
	  "The more permissive of this and of the policy's mode is effective. It stays through apply\n"
	  "and rollback. Break-glass stands above both: while it is on, nothing is judged.",
	  cmd_mode },
	{ "kill", "STAGE...|all|--list",
	  "switch judging stages off\n\n"
	  "A killed stage drops and flags nothing. `all` means also those of a later version. The\n"
	  "guard and the allow lists are no stages: they stay.",
	  cmd_kill },
	{ "unkill", "STAGE...|all", "switch judging stages on again", cmd_unkill },
	{ "allow", "[CIDR [--for TIME] [--reason TEXT]]",
	  "let one source pass, whatever lists say\n\n"
	  "Beside every policy: neither apply nor rollback changes it. Without a source: what is\n"
	  "allowed now. An allow comes before every block and before every list.",
	  cmd_allow },
	{ "block", "[CIDR [--for TIME] [--reason TEXT] [--force GATE]...]",
	  "drop what one source sends\n\n"
	  "Beside every policy: neither apply nor rollback changes it. Without a source: what is\n"
	  "blocked now. Refused for what the live policy allows or protects.\n"
	  "  --for TIME    90s, 10m, 1h, 7d; without it until `unblock`\n"
	  "  --force GATE  `host`: an address that this host lives by, for at most 10 minutes;\n"
	  "                `coverage`: more than 1 % of all addresses",
	  cmd_block },
	{ "unallow", "CIDR", "end an `allow`", cmd_unallow },
	{ "unblock", "CIDR", "end a `block`; works on a full disk, too", cmd_unblock },
	{ "status", "", "show what the instance does, and what must not be overlooked",
	  cmd_status },
	{ "stats", "[--by verdict|reason|list|source|network] [-a|--all] [--limit N]",
	  "show the exact counters\n\n"
	  "A list's numbers belong to its name and go on across generations. Rows without a packet\n"
	  "are shown with --all. By source or network: the N that sent most (20), when the policy\n"
	  "says `sources: true`.",
	  cmd_stats },
	{ "capacity", "", "show how full every table is, and the memory of the slots",
	  cmd_capacity },
	{ "doctor", "[IFACE...]",
	  "look for what would keep stanch from working here\n\n"
	  "Kernel, privileges, places, memory, clocks, the group stanch, and interfaces: those named,\n"
	  "or every one that is up. Each finding comes with its remedy; with findings it exits 1.",
	  cmd_doctor },
	{ "help", "[VERB]", "list the verbs, or explain one", cmd_help },
	{ "version", "", "say which stanch this is", cmd_version },
	{ 0 },
};

const struct verb *verb_find(const char *name)
{
	const struct verb *verb;

	for (verb = verbs; verb->name; verb++)
		if (!strcmp(verb->name, name))
			return verb;
	return NULL;
}

/* What was found while the global options were taken out of the command line. */
struct globals {
	struct options options;
	const char *instance, *netns;
	bool help, version;
	const char *verb;
	int argc; /* what is left for the verb, itself included */
	char **argv;
	char wrong[DIAG_TEXT]; /* the first usage error */
};

static void wrong(struct globals *globals, const char *what, const char *token)
{
	if (!*globals->wrong)
		snprintf(globals->wrong, sizeof(globals->wrong), "%s %.200s", what, token);
}

static bool take_letter(struct globals *globals, char letter)
{
	switch (letter) {
	case 'j':
		globals->options.json = true;
		return true;
	case 'q':
		globals->options.quiet = true;
		return true;
	case 'v':
		globals->options.verbose++;
		return true;
	case 'h':
		globals->help = true;
		return true;
	default:
		return false;
	}
}

/* "-j", "-jv": only when every letter is one of ours. */
static bool take_letters(struct globals *globals, const char *token)
{
	if (token[0] != '-' || !token[1] || strspn(token + 1, "jqvh") != strlen(token + 1))
		return false;
	while (*++token)
		take_letter(globals, *token);
	return true;
}

static bool take_flag(struct globals *globals, const char *token)
{
	static const char *const longs[] = { "--json", "--quiet", "--verbose", "--help" };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(longs); i++)
		if (!strcmp(token, longs[i]))
			return take_letter(globals, token[2]);
	if (globals->verb || strcmp(token, "--version"))
		return take_letters(globals, token);
	globals->version = true;
	return true;
}

/* "--name VALUE" or "--name=VALUE": returns how many elements of argv that takes, 0: not this. */
static int take_value(struct globals *globals, const char *name, char **argv, const char **ret)
{
	size_t len = strlen(name);

	if (strncmp(argv[0], name, len))
		return 0;
	if (argv[0][len] == '=') {
		*ret = argv[0] + len + 1;
		return 1;
	}
	if (argv[0][len])
		return 0;
	if (!argv[1]) {
		wrong(globals, "a value is missing after", name);
		return 1;
	}
	*ret = argv[1];
	return 2;
}

/* One element that is global, or the verb's name, or for the verb. Returns elements used. */
static int take_element(struct globals *globals, char **argv)
{
	int used = take_value(globals, "--instance", argv, &globals->instance);

	if (!used)
		used = take_value(globals, "--netns", argv, &globals->netns);
	if (used)
		return used;
	if (take_flag(globals, argv[0]))
		return 1;
	if (!globals->verb && argv[0][0] == '-')
		wrong(globals, "there is no option", argv[0]);
	else if (!globals->verb)
		globals->verb = argv[0];
	globals->argv[globals->argc++] = argv[0];
	return 1;
}

/* Everything after "--" belongs to the verb. globals->argv has room for all of @argv. */
static void take_all(struct globals *globals, char **argv)
{
	while (*argv && strcmp(*argv, "--"))
		argv += take_element(globals, argv);
	while (*argv)
		globals->argv[globals->argc++] = *argv++;
	globals->argv[globals->argc] = NULL;
}

/* Enters the namespace for good; interfaces are looked up there, pins and files stay ours. */
static int enter_netns(const struct options *options, const char *name)
{
	autofree char *path = NULL;
	autoclose int fd = -1;

	if (asprintf(&path, "%s%s", strchr(name, '/') ? "" : NETNS_DIR, name) < 0)
		return say_errno(options, ENOMEM, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return say_error(options, exit_code_of(errno), "network namespace %s: %s", path,
				 say_reason(errno));
	if (!setns(fd, CLONE_NEWNET))
		return EXIT_DONE;
	if (errno == EINVAL)
		return say_error(options, EXIT_NO_SUCH, "%s is not a network namespace", path);
	return say_error(options, exit_code_of(errno), "entering network namespace %s: %s", path,
			 say_reason(errno));
}

static int unknown_verb(const struct options *options, const char *name)
{
	const struct verb *nearest = help_nearest(name);

	if (nearest)
		return say_error(options, EXIT_USAGE, "there is no verb '%s'; did you mean '%s'?",
				 name, nearest->name);
	return say_error(options, EXIT_USAGE, "there is no verb '%s'; `stanch help` lists them",
			 name);
}

/* Replaces what is to run where `--help`, `--version` or nothing at all was said. */
static void choose_verb(struct globals *globals)
{
	static char help[] = "help", version[] = "version";

	if (globals->verb && !globals->help)
		return;
	globals->argc = globals->verb ? 2 : 1;
	globals->argv[1] = globals->verb ? globals->argv[0] : NULL;
	globals->argv[globals->argc] = NULL;
	globals->argv[0] = globals->version && !globals->help ? version : help;
}

static int run(struct globals *globals)
{
	struct options *options = &globals->options;
	const struct verb *verb;
	int code;

	if (*globals->wrong)
		return say_error(options, EXIT_USAGE, "%s", globals->wrong);
	if (!globals->verb && !globals->help && !globals->version)
		return say_error(options, EXIT_USAGE, "no verb given; `stanch help` lists them");
	choose_verb(globals);
	verb = verb_find(globals->argv[0]);
	if (!verb)
		return unknown_verb(options, globals->argv[0]);
	if (!globals->instance)
		globals->instance = INSTANCE_USUAL;
	if (places_find(globals->instance, &options->places))
		return say_error(options, EXIT_USAGE,
				 "'%s' is no instance name: [a-z0-9][a-z0-9_-]*, at most 63 bytes",
				 globals->instance);
	code = globals->netns ? enter_netns(options, globals->netns) : EXIT_DONE;
	return code == EXIT_DONE ? verb->run(options, globals->argc, globals->argv) : code;
}

/*
 * A standard stream that the caller closed must not become the next file that is opened. It is
 * opened the wrong way round, so that using it still fails.
 */
static bool reserve_standard_streams(void)
{
	static const int wrong_way[] = { O_WRONLY, O_RDONLY, O_RDONLY };
	int fd;

	for (fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", wrong_way[fd]) != fd)
			return false;
	return true;
}

int main(int argc, char **argv)
{
	struct globals globals = { 0 };
	autofree char **left = calloc((size_t)argc + 3, sizeof(*left));

	if (!left || !reserve_standard_streams())
		return EXIT_FAILED;
	/* A reader who leaves must not stop a verb halfway: writing fails instead. */
	signal(SIGPIPE, SIG_IGN);
	globals.argv = left;
	if (argc > 0)
		take_all(&globals, argv + 1);
	return say_finish(run(&globals));
}
