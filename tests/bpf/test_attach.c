/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Attaching and detaching on real interfaces, beside strangers, and after interfaces are gone. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>

#include "base/cleanup.h"
#include "policy/frame.h"
#include "rig.h"

#ifndef SO_RCVMARK
#define SO_RCVMARK 75
#endif

#define DEV "veth-rig"
#define FLAG_POLICY                                     \
	"version: 1\n"                                  \
	"mode: enforce\n"                               \
	"mark: {mask: 0xff000000, value: 0x5b000000}\n" \
	"lists:\n"                                      \
	"  - {name: grey, action: flag, entries: [198.18.0.1/32]}\n"
#define DROP_POLICY       \
	"version: 1\n"    \
	"mode: enforce\n" \
	"lists:\n"        \
	"  - {name: bad, action: drop, entries: [198.18.0.1/32]}\n"

/* Two namespaces and a veth; the test stands in the second, where packets arrive. */
static struct instance *stand(struct rig *rig)
{
	unsigned int from = rig_namespace(rig), to = rig_namespace(rig);

	rig_veth(rig, from, to, DEV);
	rig_enter(rig, to);
	return rig_create(rig);
}

static int attach(struct instance *instance, const char *name, enum attach_mode mode,
		  struct diag *diag)
{
	int r = attach_interface(instance, name, mode, diag);

	if (r < 0)
		rig_show(diag);
	return r;
}

static void listed(const struct instance *instance, struct attachment *ret)
{
	autofree struct attachment *items = NULL;
	uint32_t count = 0;

	assert_int_equal(attach_list(instance, &items, &count), 0);
	assert_int_equal(count, 1);
	*ret = items[0];
}

static uint32_t xdp_program(const char *name)
{
	uint32_t id = 0;

	assert_int_equal(bpf_xdp_query_id(if_nametoindex(name), 0, &id), 0);
	return id;
}

/*
 * A UDP packet from the first namespace; what the second one's socket sees of its mark.
 * -1 when it did not arrive within 300 ms.
 */
static int64_t mark_of_packet(struct rig *rig)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(5000) };
	const struct timeval wait = { .tv_usec = 300000 };
	char control[128], byte = 'x';
	struct iovec iov = { &byte, 1 };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control };
	autoclose int in = socket(AF_INET, SOCK_DGRAM, 0), out = -1;
	int one = 1;
	ssize_t r;

	to.sin_addr.s_addr = htonl(0xc6120002);
	assert_int_equal(bind(in, (struct sockaddr *)&to, sizeof(to)), 0);
	assert_int_equal(setsockopt(in, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)), 0);
	assert_int_equal(setsockopt(in, SOL_SOCKET, SO_RCVMARK, &one, sizeof(one)), 0);
	rig_enter(rig, 0);
	out = socket(AF_INET, SOCK_DGRAM, 0);
	assert_int_equal(sendto(out, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)), 1);
	rig_enter(rig, 1);
	message.msg_controllen = sizeof(control);
	r = recvmsg(in, &message, 0);
	if (r != 1)
		return -1;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
		uint32_t mark;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SO_MARK)
			continue;
		memcpy(&mark, CMSG_DATA(c), sizeof(mark));
		return mark;
	}
	return 0;
}

static void attach_twice_then_detach_twice(void **state)
{
	struct rig *rig = rig_of(state);
	auto_instance struct instance *instance = stand(rig);
	auto_diag struct diag diag = { 0 };
	struct attachment is;

	assert_int_equal(attach(instance, DEV, ATTACH_NATIVE, &diag), 0);
	assert_int_not_equal(xdp_program(DEV), 0);
	assert_int_equal(rig_pins(rig), RIG_WHOLE + 2);
	assert_int_equal(attach(instance, DEV, ATTACH_GENERIC, &diag), 1);
	listed(instance, &is);
	assert_string_equal(is.name, DEV);
	assert_int_equal(is.mode, ATTACH_NATIVE);
	assert_int_equal(is.mark, MARK_TCX);
	assert_false(is.gone);
	assert_int_equal(detach_interface(instance, DEV, &diag), 0);
	assert_int_equal(xdp_program(DEV), 0);
	assert_int_equal(rig_pins(rig), RIG_WHOLE);
	assert_int_equal(detach_interface(instance, DEV, &diag), 1);
	assert_int_equal(detach_interface(instance, "nosuch", &diag), -ENODEV);
	assert_int_equal(diag.total, 0);
}

static void generic_is_only_what_was_asked_for(void **state)
{
	struct rig *rig = rig_of(state);
	auto_instance struct instance *instance = stand(rig);
	auto_diag struct diag diag = { 0 };
	struct attachment is;

	assert_int_equal(attach(instance, DEV, ATTACH_GENERIC, &diag), 0);
	listed(instance, &is);
	assert_int_equal(is.mode, ATTACH_GENERIC);
	assert_int_equal(detach_interface(instance, DEV, &diag), 0);
	assert_int_equal(attach_interface(instance, "lo", ATTACH_NATIVE, &diag), -EOPNOTSUPP);
	assert_true(rig_has(&diag, "no_native"));
	assert_int_equal(rig_pins(rig), RIG_WHOLE);
	assert_int_equal(attach(instance, "lo", ATTACH_GENERIC, &diag), 0);
	assert_int_equal(attach_interface(instance, "nosuch", ATTACH_NATIVE, &diag), -ENODEV);
}

/* A tunnel device hands over packets without a link header: 8.0.0.1 would read as an ethertype. */
static void only_interfaces_with_link_headers_are_attached(void **state)
{
	struct rig *rig = rig_of(state);
	auto_instance struct instance *instance = stand(rig);
	autoclose int tun = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	struct ifreq request = { .ifr_name = "tun-rig", .ifr_flags = IFF_TUN | IFF_NO_PI };

	if (tun < 0 || ioctl(tun, TUNSETIFF, &request)) {
		print_message("no tunnel device can be made here: %s\n", strerror(errno));
		skip();
	}
	for (enum attach_mode mode = ATTACH_NATIVE; mode <= ATTACH_GENERIC; mode++) {
		auto_diag struct diag problem = { 0 };

		assert_int_equal(attach_interface(instance, "tun-rig", mode, &problem),
				 -EOPNOTSUPP);
		assert_true(rig_has(&problem, "no_ethernet"));
	}
	assert_int_equal(rig_pins(rig), RIG_WHOLE);
}

static void a_stranger_is_named_and_stays(void **state)
{
	struct rig *rig = rig_of(state);
	auto_instance struct instance *instance = stand(rig);
	auto_diag struct diag diag = { 0 };
	const struct bpf_insn pass[] = {
		{ .code = 0xb7, .dst_reg = 0, .imm = XDP_PASS },
		{ .code = 0x95 },
	};
	autoclose int stranger = bpf_prog_load(BPF_PROG_TYPE_XDP, "stranger", "GPL", pass, 2, NULL);
	uint32_t there;

	assert_true(stranger >= 0);
	assert_int_equal(bpf_xdp_attach(if_nametoindex(DEV), stranger, 0, NULL), 0);
	there = xdp_program(DEV);
	for (enum attach_mode mode = ATTACH_NATIVE; mode <= ATTACH_GENERIC; mode++) {
		auto_diag struct diag problem = { 0 };

		assert_int_equal(attach_interface(instance, DEV, mode, &problem), -EBUSY);
		assert_true(rig_has(&problem, "foreign_program"));
		assert_non_null(strstr(problem.problems[0].message, "stranger"));
	}
	assert_int_equal(xdp_program(DEV), there);
	assert_int_equal(rig_pins(rig), RIG_WHOLE);
	assert_int_equal(bpf_xdp_detach(if_nametoindex(DEV), 0, NULL), 0);
	assert_int_equal(attach(instance, DEV, ATTACH_NATIVE, &diag), 0);
	assert_int_equal(bpf_xdp_attach(if_nametoindex(DEV), stranger, 0, NULL), -EBUSY);
}

static void an_interface_that_was_deleted_is_told_and_attached_anew(void **state)
{
	struct rig *rig = rig_of(state);
	auto_instance struct instance *instance = stand(rig);
	auto_diag struct diag diag = { 0 };
	struct attachment is;

	assert_int_equal(attach(instance, DEV, ATTACH_NATIVE, &diag), 0);
	rig_command("ip link del " DEV);
	listed(instance, &is);
	assert_true(is.gone);
	assert_string_equal(is.name, "");
	assert_int_equal(is.mark, MARK_NONE);
	rig_veth(rig, 0, 1, DEV);
	assert_int_equal(attach(instance, DEV, ATTACH_NATIVE, &diag), 0);
	listed(instance, &is);
	assert_false(is.gone);
	assert_string_equal(is.name, DEV);
	assert_int_equal(rig_pins(rig), RIG_WHOLE + 2);
}

/* The same number again: the pin has the name that the new one needs. */
static void a_dead_link_of_the_same_number_gives_way(void **state)
{
	struct rig *rig = rig_of(state);
	auto_instance struct instance *instance = stand(rig);
	auto_diag struct diag diag = { 0 };
	struct attachment is;
	unsigned int index;

	rig_command("ip link add index 77 name num-rig type veth peer name mun-rig");
	assert_int_equal(attach(instance, "num-rig", ATTACH_NATIVE, &diag), 0);
	rig_command("ip link del num-rig");
	rig_command("ip link add index 77 name num-rig type veth peer name mun-rig");
	index = if_nametoindex("num-rig");
	assert_int_equal(index, 77);
	assert_int_equal(xdp_program("num-rig"), 0);
	assert_int_equal(attach(instance, "num-rig", ATTACH_NATIVE, &diag), 0);
	assert_int_not_equal(xdp_program("num-rig"), 0);
	listed(instance, &is);
	assert_int_equal(is.mark, MARK_TCX);
}

static void dead_attachments_are_detached_from_anywhere(void **state)
{
	struct rig *rig = rig_of(state);
	auto_instance struct instance *instance = stand(rig);
	auto_diag struct diag diag = { 0 };
	struct attachment is;

	assert_int_equal(attach(instance, DEV, ATTACH_NATIVE, &diag), 0);
	rig_leave(rig);
	listed(instance, &is);
	assert_string_equal(is.name, DEV); /* asked in its own namespace */
	assert_int_equal(detach_attachment(instance, &is, &diag), 0);
	assert_int_equal(detach_attachment(instance, &is, &diag), 1);
	rig_enter(rig, 1);
	assert_int_equal(xdp_program(DEV), 0);
	assert_int_equal(attach(instance, DEV, ATTACH_NATIVE, &diag), 0);
	rig_leave(rig);
	assert_int_equal(rig_netns_cleanup(rig), 0);
	for (int i = 0; i < 100; i++) { /* the kernel takes namespaces down when it has time */
		listed(instance, &is);
		if (is.gone)
			break;
		usleep(20000);
	}
	assert_true(is.gone);
	assert_int_equal(detach_attachment(instance, &is, &diag), 0);
	assert_int_equal(rig_pins(rig), RIG_WHOLE);
}

static void an_interface_that_moved_is_not_taken_for_another(void **state)
{
	struct rig *rig = rig_of(state);
	auto_instance struct instance *instance = stand(rig);
	auto_diag struct diag diag = { 0 };
	struct attachment is;

	rig_command("ip link add index 77 name num-rig type veth peer name mun-rig");
	assert_int_equal(attach(instance, "num-rig", ATTACH_NATIVE, &diag), 0);
	rig_command("ip link set num-rig netns %s", rig->namespaces[0]);
	rig_command("ip link add index 77 name new-rig type veth peer name wen-rig");
	assert_int_equal(attach_interface(instance, "new-rig", ATTACH_NATIVE, &diag), -EBUSY);
	assert_true(rig_has(&diag, "moved"));
	listed(instance, &is);
	assert_false(is.gone);
	assert_int_equal(detach_attachment(instance, &is, &diag), 0);
	assert_int_equal(attach(instance, "new-rig", ATTACH_NATIVE, &diag), 0);
}

static void flagged(struct rig *rig, enum attach_mode mode, enum attach_mark mark)
{
	auto_instance struct instance *instance = stand(rig);
	auto_diag struct diag diag = { 0 };
	struct attachment is;

	assert_int_equal(attach(instance, DEV, mode, &diag), 0);
	listed(instance, &is);
	assert_int_equal(is.mark, mark);
	assert_int_equal(mark_of_packet(rig), 0);
	rig_apply(rig, instance, FLAG_POLICY, 1);
	assert_int_equal(mark_of_packet(rig), 0x5b000000);
	rig_apply(rig, instance, DROP_POLICY, 2);
	assert_int_equal(mark_of_packet(rig), -1);
	assert_int_equal(detach_interface(instance, DEV, &diag), 0);
	assert_int_equal(mark_of_packet(rig), 0);
}

static void a_flag_is_a_mark_by_tcx(void **state)
{
	flagged(rig_of(state), ATTACH_NATIVE, MARK_TCX);
}

static void a_flag_is_a_mark_by_clsact(void **state)
{
	struct rig *rig = rig_of(state);

	setenv("STANCH_NO_TCX", "1", 1);
	flagged(rig, ATTACH_NATIVE, MARK_CLSACT);
}

/* Readers may not open the program, so they cannot compare it with the one in the filter. */
static int mark_as_seen(const struct rig *rig)
{
	auto_instance struct instance *instance = NULL;
	autofree struct attachment *items = NULL;
	auto_diag struct diag diag = { 0 };
	uint32_t count = 0;

	if (instance_open(&rig->places, &instance, &diag) ||
	    attach_list(instance, &items, &count) || count != 1)
		return 98;
	return (int)items[0].mark;
}

static void a_reader_sees_the_filter_that_marks(void **state)
{
	struct rig *rig = rig_of(state);
	auto_instance struct instance *instance = stand(rig);
	auto_diag struct diag diag = { 0 };

	setenv("STANCH_NO_TCX", "1", 1);
	assert_int_equal(attach(instance, DEV, ATTACH_NATIVE, &diag), 0);
	assert_int_equal(rig_as_reader(rig, mark_as_seen), MARK_CLSACT);
	rig_command("tc qdisc del dev " DEV " clsact");
	assert_int_equal(rig_as_reader(rig, mark_as_seen), MARK_NONE);
}

static void a_flag_is_a_mark_in_generic_mode(void **state)
{
	flagged(rig_of(state), ATTACH_GENERIC, MARK_TCX);
}

static void a_filter_that_somebody_removed_is_told_and_put_back(void **state)
{
	struct rig *rig = rig_of(state);
	auto_instance struct instance *instance = stand(rig);
	auto_diag struct diag diag = { 0 };
	struct attachment is;

	setenv("STANCH_NO_TCX", "1", 1);
	/* somebody else's filter sits where ours would like to be */
	rig_command("tc qdisc add dev " DEV " clsact");
	rig_command("tc filter add dev " DEV
		    " ingress prio 1 protocol ip u32 match u32 0 0 flowid :1");
	assert_int_equal(attach(instance, DEV, ATTACH_NATIVE, &diag), 0);
	listed(instance, &is);
	assert_int_equal(is.mark, MARK_CLSACT);
	rig_command("tc qdisc del dev " DEV " clsact");
	listed(instance, &is);
	assert_int_equal(is.mark, MARK_NONE);
	assert_int_equal(attach(instance, DEV, ATTACH_NATIVE, &diag), 1);
	listed(instance, &is);
	assert_int_equal(is.mark, MARK_CLSACT);
	assert_int_equal(instance_destroy(&rig->places), 0);
	rig_command("test -z \"$(tc filter show dev " DEV " ingress)\"");
}

static void native_mode_takes_frames_of_9000_bytes(void **state)
{
	struct rig *rig = rig_of(state);
	auto_instance struct instance *instance = stand(rig);
	auto_diag struct diag diag = { 0 };

	rig_command("ip link set " DEV " mtu 9000");
	rig_command("ip -n %s link set " DEV " mtu 9000", rig->namespaces[0]);
	assert_int_equal(attach(instance, DEV, ATTACH_NATIVE, &diag), 0);
	rig_command("ip netns exec %s ping -q -c 2 -W 2 -s 8900 -M do 198.18.0.2 >/dev/null",
		    rig->namespaces[0]);
	assert_true(rig_counted(instance, 0, REASON_NO_MATCH, VERDICT_PASS) >= 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(attach_twice_then_detach_twice),
		TEST(generic_is_only_what_was_asked_for),
		TEST(only_interfaces_with_link_headers_are_attached),
		TEST(a_stranger_is_named_and_stays),
		TEST(an_interface_that_was_deleted_is_told_and_attached_anew),
		TEST(a_dead_link_of_the_same_number_gives_way),
		TEST(dead_attachments_are_detached_from_anywhere),
		TEST(an_interface_that_moved_is_not_taken_for_another),
		TEST(a_flag_is_a_mark_by_tcx),
		TEST(a_flag_is_a_mark_by_clsact),
		TEST(a_reader_sees_the_filter_that_marks),
		TEST(a_flag_is_a_mark_in_generic_mode),
		TEST(a_filter_that_somebody_removed_is_told_and_put_back),
		TEST(native_mode_takes_frames_of_9000_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
