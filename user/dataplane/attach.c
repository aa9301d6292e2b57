/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Programs on interfaces: the one that judges by a pinned XDP link, the one that marks by a pinned
 * TCX link or a tc filter. A stranger's program is named and left alone.
 */
#include <errno.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <string.h>

#include "dataplane/attach.h"
#include "dataplane/interface.h"

uint32_t program_id(int fd)
{
	struct bpf_prog_info info = { 0 };
	uint32_t size = sizeof(info);

	return bpf_obj_get_info_by_fd(fd, &info, &size) ? 0 : info.id;
}

static int find_spot(const char *name, struct spot *ret)
{
	struct spot spot = { .netns = netns_current(), .ifindex = if_nametoindex(name) };

	if (!spot.ifindex)
		return -ENODEV;
	if (!spot.netns)
		return last_error();
	*ret = spot;
	return 0;
}

/* ---- strangers ---- */

/* By id, the one way there is to learn a stranger's name; few may. */
static void name_program(uint32_t id, char ret[BPF_OBJ_NAME_LEN])
{
	autoclose int fd = bpf_prog_get_fd_by_id(id);
	struct bpf_prog_info info = { 0 };
	uint32_t size = sizeof(info);

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &size))
		return;
	snprintf(ret, BPF_OBJ_NAME_LEN, "%s", info.name);
}

uint32_t xdp_there(uint32_t ifindex, enum attach_mode *ret_mode)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, opts);

	if (bpf_xdp_query((int)ifindex, 0, &opts))
		return 0;
	if (ret_mode)
		*ret_mode = opts.attach_mode == XDP_ATTACHED_SKB ? ATTACH_GENERIC : ATTACH_NATIVE;
	if (opts.prog_id)
		return opts.prog_id;
	return opts.drv_prog_id ? opts.drv_prog_id : opts.skb_prog_id;
}

static int refuse_stranger(const char *interface, uint32_t id, struct diag *diag)
{
	char name[BPF_OBJ_NAME_LEN] = "?";

	name_program(id, name);
	diag_add(diag, NULL, "foreign_program",
		 "%s already carries the XDP program `%s` (id %u); it stays", interface, name, id);
	return -EBUSY;
}

/* ---- attaching ---- */

/* The kernel's own words for this go to netlink only, not to those who create links. */
static int refuse_attach(const struct spot *spot, const char *interface, int err, struct diag *diag)
{
	struct interface_facts facts = { 0 };
	char what[64];

	if (err == -EBUSY || err == -EEXIST)
		return refuse_stranger(interface, xdp_there(spot->ifindex, NULL), diag);
	if (err == -EOPNOTSUPP) {
		diag_add(diag, NULL, "no_native",
			 "%s: its driver has no native XDP; `--mode generic` works everywhere",
			 interface);
		return err;
	}
	if (err == -ERANGE || err == -EINVAL || err == -E2BIG) {
		interface_facts(interface, &facts);
		diag_add(diag, NULL, "driver",
			 "%s: its driver refuses the program as things are: its MTU (%u here) or "
			 "its peer's is too large, or LRO is on; `--mode generic` works everywhere",
			 interface, facts.mtu);
		return err == -E2BIG ? -ERANGE : err;
	}
	snprintf(what, sizeof(what), "attaching to %s", interface);
	return refused(diag, "attach", err, what);
}

static bool kernel_without_tcx(int err)
{
	return err == -EINVAL || err == -EOPNOTSUPP || err == -ENOSYS;
}

/* STANCH_NO_TCX=1 is for tests of the other way on kernels that have both. */
static int attach_mark(const struct instance *instance, const struct spot *spot)
{
	int r = secure_getenv("STANCH_NO_TCX") ? -ENOSYS : link_tcx(instance, spot);

	return kernel_without_tcx(r)
		       ? clsact_attach(instance->programs[PROGRAM_MARK], spot->ifindex)
		       : r;
}

/* How the marking program is there, in the present namespace. */
static enum attach_mark find_mark(const struct instance *instance, const struct spot *spot)
{
	struct link_found link;
	int r = link_look(instance->places.pins, LINK_MARK, spot, &link);

	if (r == -EACCES || (!r && link.ifindex))
		return MARK_TCX;
	return clsact_find(program_id(instance->programs[PROGRAM_MARK]), spot->ifindex)
		       ? MARK_NONE
		       : MARK_CLSACT;
}

static int complete_mark(const struct instance *instance, const struct spot *spot,
			 const char *interface, struct diag *diag)
{
	char what[64];
	int r;

	if (find_mark(instance, spot) != MARK_NONE)
		return 0;
	r = attach_mark(instance, spot);
	snprintf(what, sizeof(what), "attaching the marking program to %s", interface);
	return r ? refused(diag, "attach_mark", r, what) : 0;
}

/* The kernel would run the program on packets that begin with IP, and addresses be ethertypes. */
static int check_ethernet(const char *interface, struct diag *diag)
{
	struct interface_facts facts;

	if (interface_facts(interface, &facts) || facts.ethernet)
		return 0;
	diag_add(diag, NULL, "no_ethernet",
		 "%s: its packets have no Ethernet header, which is what is read here; attach the "
		 "interface that they come in by",
		 interface);
	return -EOPNOTSUPP;
}

static int attach_both(const struct instance *instance, const struct spot *spot,
		       const char *interface, enum attach_mode mode, struct diag *diag)
{
	uint32_t stranger = xdp_there(spot->ifindex, NULL);
	int r;

	if (stranger)
		return refuse_stranger(interface, stranger, diag);
	r = check_ethernet(interface, diag);
	if (r)
		return r;
	r = link_xdp(instance, spot, mode);
	if (r)
		return refuse_attach(spot, interface, r, diag);
	r = complete_mark(instance, spot, interface, diag);
	if (r)
		link_remove(instance->places.pins, LINK_XDP, spot);
	return r;
}

/* A link that lives where its pin says; or it moved to another namespace with its interface. */
static int check_place(const struct spot *spot, const struct link_found *link,
		       const char *interface, struct diag *diag)
{
	if (link->ifindex == spot->ifindex && xdp_there(spot->ifindex, NULL) == link->program)
		return 0;
	diag_add(diag, NULL, "moved",
		 "an interface that was attached as number %u has moved to another network "
		 "namespace; detach it before attaching %s, which has that number now",
		 spot->ifindex, interface);
	return -EBUSY;
}

struct sweep {
	const char *folder;
	uint64_t netns;
};

/* Interfaces of this namespace that were deleted leave dead links; a new one has another number. */
static int sweep_dead(void *context, const char *name)
{
	const struct sweep *sweep = context;
	struct link_found link;
	struct spot spot;

	for (enum link_kind kind = 0; kind < LINK_KINDS; kind++) {
		if (link_parse(kind, name, &spot) && spot.netns == sweep->netns &&
		    !link_look(sweep->folder, kind, &spot, &link) && !link.ifindex)
			link_remove(sweep->folder, kind, &spot);
	}
	return 0;
}

int attach_interface(struct instance *instance, const char *name, enum attach_mode mode,
		     struct diag *diag)
{
	struct sweep sweep = { .folder = instance->places.pins };
	struct link_found link = { 0 };
	struct spot spot = { 0 };
	int r = find_spot(name, &spot);

	if (r) {
		diag_add(diag, NULL, "no_interface", "%s: no such interface", name);
		return r;
	}
	if (instance->programs[PROGRAM_NATIVE] < 0) /* for readers */
		return refused(diag, "attach", -EACCES, name);
	sweep.netns = spot.netns;
	bpffs_each(sweep.folder, sweep_dead, &sweep);
	r = link_look(sweep.folder, LINK_XDP, &spot, &link);
	if (r == -ENOENT)
		return attach_both(instance, &spot, name, mode, diag);
	if (r)
		return refused(diag, "attach", r, name);
	r = check_place(&spot, &link, name, diag);
	r = r ? r : complete_mark(instance, &spot, name, diag);
	return r ? r : 1;
}

/* ---- detaching ---- */

struct unmark {
	uint32_t program, ifindex;
};

static int remove_filter(void *context)
{
	const struct unmark *unmark = context;

	return clsact_detach(unmark->program, unmark->ifindex);
}

static int detach_spot(struct instance *instance, const struct spot *spot, struct diag *diag)
{
	struct unmark unmark = { program_id(instance->programs[PROGRAM_MARK]), spot->ifindex };
	const char *folder = instance->places.pins;
	int filter = netns_run(spot->netns, remove_filter, &unmark);
	int mark = link_remove(folder, LINK_MARK, spot);
	int xdp = link_remove(folder, LINK_XDP, spot);
	int r = xdp ? xdp : mark;

	if (r && r != -ENOENT)
		return refused(diag, "detach", r, "detaching");
	if (filter && filter != -ENOENT && mark == -ENOENT)
		return refused(diag, "detach", filter, "removing the filter that marks");
	return xdp == -ENOENT;
}

int detach_interface(struct instance *instance, const char *name, struct diag *diag)
{
	struct spot spot = { 0 };
	int r = find_spot(name, &spot);

	return r ? r : detach_spot(instance, &spot, diag);
}

int detach_attachment(struct instance *instance, const struct attachment *attachment,
		      struct diag *diag)
{
	const struct spot spot = { attachment->netns, attachment->ifindex };

	return detach_spot(instance, &spot, diag);
}
