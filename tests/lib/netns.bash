# SPDX-License-Identifier: GPL-2.0-or-later
# netns.bash - two namespaces joined by a veth, for tests that let real packets flow.
# $CLIENT sends from addresses good, bad and grey; $SERVER has the interface `eth0` that stanch is
# attached to. Names carry this process's id, so that several runs do not meet.

CLIENT="stc$$"
SERVER="sts$$"
SERVER_V4=10.77.0.2
SERVER_V6=fd77::2
GOOD_V4=198.51.100.7
BAD_V4=203.0.113.66
ALLOWED_V4=203.0.113.8
GREY_V4=192.0.2.66
GOOD_V6=2001:db8:1::7
BAD_V6=2001:db8:bad::66

in_client() { nsenter --net="/run/netns/$CLIENT" "$@"; }
in_server() { nsenter --net="/run/netns/$SERVER" "$@"; }

# netns_reason - why namespaces cannot be made here; nothing when they can.
netns_reason() {
	[ "$(id -u)" = 0 ] || { echo "needs root"; return; }
	ip netns add "stp$$" 2>/dev/null || { echo "network namespaces cannot be made"; return; }
	ip netns del "stp$$"
}

# live_reason - why packets between namespaces cannot be judged here; nothing when they can.
live_reason() {
	local reason
	reason=$(kernel_reason)
	[ -n "$reason" ] || reason=$(netns_reason)
	echo "$reason"
}

netns_addresses() {
	local ns=$1 address
	shift
	for address in "$@"; do
		case $address in
		*:*) ip -n "$ns" address add "$address" dev eth0 nodad ;;
		*) ip -n "$ns" address add "$address" dev eth0 ;;
		esac
	done
}

# netns_make [MTU] - both namespaces, up and reachable without any neighbour discovery delay.
netns_make() {
	local mtu=${1:-1500} ns
	for ns in "$CLIENT" "$SERVER"; do
		ip netns add "$ns"
		ip -n "$ns" link set lo up
	done
	ip -n "$CLIENT" link add eth0 mtu "$mtu" type veth peer name eth0 mtu "$mtu" netns "$SERVER"
	netns_addresses "$CLIENT" 10.77.0.1/24 "$GOOD_V4/32" "$BAD_V4/32" "$ALLOWED_V4/32" \
		"$GREY_V4/32" fd77::1/64 "$GOOD_V6/128" "$BAD_V6/128"
	netns_addresses "$SERVER" "$SERVER_V4/24" "$SERVER_V6/64"
	for ns in "$CLIENT" "$SERVER"; do
		ip -n "$ns" link set eth0 up
	done
	ip -n "$SERVER" route add default via 10.77.0.1
	ip -n "$SERVER" -6 route add default via fd77::1
	netns_wait
}

# Until the link carries packets.
netns_wait() {
	local try
	for try in $(seq 50); do
		in_client ping -q -c 1 -W 1 "$SERVER_V4" >/dev/null 2>&1 && return
		sleep 0.1
	done
	echo "the namespaces do not reach each other ($try tries)" >&2
	return 1
}

netns_remove() {
	local ns
	for ns in "$CLIENT" "$SERVER"; do
		ip netns del "$ns" 2>/dev/null || true
	done
}

# answers SOURCE - does the server answer a ping from there?
answers() {
	local target=$SERVER_V4
	case $1 in *:*) target=$SERVER_V6 ;; esac
	in_client ping -q -c 2 -i 0.05 -W 0.5 -I "$1" "$target" >/dev/null 2>&1
}

# stranger - put a program that passes everything on the server's eth0, as somebody else's.
stranger() {
	cat >"$DIR/stranger.c" <<-'END'
		__attribute__((section("xdp"), used)) int stranger(void *ctx)
		{
			return 2;
		}
		char text[] __attribute__((section("license"), used)) = "GPL";
	END
	clang-14 -O2 -g -target bpf -c -o "$DIR/stranger.o" "$DIR/stranger.c"
	in_server ip link set eth0 xdpdrv obj "$DIR/stranger.o" sec xdp
}
