/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What `stanch doctor` says about interfaces: driver, native mode, other people's programs. */
#include "doctor.h"

#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <sys/stat.h>

#include "dataplane/dataplane.h"
#include "dataplane/interface.h"
#include "live.h"

/* What is attached already; empty when there is no instance that can be read. */
struct ours {
	struct attachment *attachments;
	uint32_t count;
	uint64_t netns; /* the namespace that is looked at */
};

static void ours_free(struct ours *ours)
{
	free(ours->attachments);
}

static void find_ours(const struct options *options, struct ours *ret)
{
	auto_instance struct instance *instance = NULL;
	auto_diag struct diag diag = { 0 };
	struct stat st;

	if (!stat("/proc/self/ns/net", &st))
		ret->netns = st.st_ino;
	if (!instance_open(&options->places, &instance, &diag))
		attach_list(instance, &ret->attachments, &ret->count);
}

static const struct attachment *find_attachment(const struct ours *ours, uint32_t ifindex)
{
	uint32_t i;

	for (i = 0; i < ours->count; i++)
		if (ours->attachments[i].ifindex == ifindex &&
		    ours->attachments[i].netns == ours->netns)
			return &ours->attachments[i];
	return NULL;
}

static const char *answer_text(enum answer answer)
{
	static const char *const texts[] = { "unknown", "no", "yes" };

	return texts[answer];
}

/* @named: an operator asked about this one, so that not being able to is a finding. */
static void check_native(struct doctor *doctor, const char *name,
			 const struct interface_facts *facts, bool named)
{
	const char *driver = *facts->driver ? facts->driver : "without a name";

	if (facts->native == ANSWER_NO)
		doctor_say(doctor, named ? GRADE_FINDING : GRADE_NOTE, name,
			   "stanch attach --mode generic, or another card",
			   "driver %s runs no XDP programs itself", driver);
	else if (facts->native == ANSWER_YES && facts->frags == ANSWER_NO && facts->mtu > 3498)
		doctor_say(doctor, GRADE_FINDING, name, "ip link set mtu 1500",
			   "driver %s takes no packets over several buffers, and the MTU is %u",
			   driver, facts->mtu);
	else
		doctor_say(doctor, GRADE_GOOD, name, NULL,
			   "driver %s, native XDP %s, several buffers %s, MTU %u", driver,
			   answer_text(facts->native), answer_text(facts->frags), facts->mtu);
}

static void check_offloads(struct doctor *doctor, const char *name,
			   const struct interface_facts *facts)
{
	char remedy[DIAG_TEXT];

	snprintf(remedy, sizeof(remedy), "ethtool -K %s lro off", name);
	if (facts->lro == ANSWER_YES)
		doctor_say(doctor, GRADE_FINDING, name, remedy,
			   "large receive offload is on: merged packets are not what was sent");
	if (facts->gro == ANSWER_YES)
		doctor_say(doctor, GRADE_NOTE, name, NULL,
			   "generic receive offload is on: harmless in native mode, in generic "
			   "mode merged packets are judged as one");
}

static void check_program(struct doctor *doctor, const char *name,
			  const struct interface_facts *facts, const struct attachment *attachment)
{
	char remedy[DIAG_TEXT];

	snprintf(remedy, sizeof(remedy), "ip link set dev %s xdp off, if nobody needs it", name);
	if (attachment && attachment->mark == MARK_NONE)
		doctor_say(doctor, GRADE_FINDING, name, "detach and attach it again",
			   "attached, but its marking program was removed");
	else if (attachment)
		doctor_say(doctor, GRADE_GOOD, name, NULL, "attached");
	else if (facts->program)
		doctor_say(doctor, GRADE_FINDING, name, remedy,
			   "somebody else's XDP program %u is there; attach would not evict it",
			   facts->program);
}

static int check_interface(struct doctor *doctor, const struct ours *ours, const char *name,
			   bool named)
{
	struct interface_facts facts;
	int err = interface_facts(name, &facts);

	if (err)
		return err;
	if (!named && !facts.up)
		return 0;
	if (!facts.up)
		doctor_say(doctor, GRADE_NOTE, name, NULL, "is down");
	check_native(doctor, name, &facts, named);
	check_offloads(doctor, name, &facts);
	check_program(doctor, name, &facts, find_attachment(ours, facts.ifindex));
	return 0;
}

/* Interfaces may come and go while they are looked at. */
static void check_all(struct doctor *doctor, const struct ours *ours)
{
	struct if_nameindex *all = if_nameindex(), *at;

	for (at = all; at && at->if_index; at++)
		if (strcmp(at->if_name, "lo") != 0)
			check_interface(doctor, ours, at->if_name, false);
	if (all)
		if_freenameindex(all);
}

int doctor_interfaces(struct doctor *doctor, int count, char **names)
{
	cleanup(ours_free) struct ours ours = { 0 };
	int i, err;

	find_ours(doctor->options, &ours);
	if (!count)
		check_all(doctor, &ours);
	for (i = 0; i < count; i++) {
		err = check_interface(doctor, &ours, names[i], true);
		if (err == -ENODEV)
			return say_error(doctor->options, EXIT_NO_SUCH,
					 "there is no interface %s here", names[i]);
		if (err)
			return say_errno(doctor->options, err, names[i]);
	}
	return EXIT_DONE;
}
