# SPDX-License-Identifier: GPL-2.0-or-later
# flows.bash - rig N for rows of the fault matrix that are done by the tool itself: three flows of
# numbered packets over a veth with the program attached native, counted at a socket behind it.
#   P  protected, and on the drop list all the same: the guard must let it pass
#   G  on no list: must pass
#   B  on the drop list: must not pass
# A test runs its fault by `row` while they flow. Needs e2e.bash and netns.bash.

TRAFFIC=$B/tools/traffic
FLOW_P=192.0.2.10
FLOW_G=$GOOD_V4
FLOW_B=$BAD_V4
RATE=20000
# Silence of P beyond the sender's own: the bound that DESIGN.md gives for tests on shared CPUs.
GAP_US=50000
TRIES=3

outage_setup() {
	skip_for "$(live_reason)"
	instance_make
	netns_make
	# with GRO on the far end takes frames even while no program is there: the controls need it
	gro_on
	MAC=$(ip -n "$SERVER" -j link show eth0 | jq -r '.[0].address')
	BEGAN=$(date +%s%N)
}

# gro_on - ETHTOOL_SGRO by hand: nothing else here needs the tool of that name.
gro_on() {
	in_server python3 -c '
import array, fcntl, socket, struct
value = array.array("I", [0x2c, 1])
request = struct.pack("16sP", b"eth0", value.buffer_info()[0]) + bytes(16)
fcntl.ioctl(socket.socket(), 0x8946, request)'
}

outage_teardown() {
	local pid
	for pid in ${SENDER:-} ${RECEIVER:-}; do
		kill -TERM "$pid" 2>/dev/null || true
	done
	instance_remove
	netns_remove
}

# rows_of FIRST LAST - that many prefixes, none of them of a flow.
rows_of() {
	awk -v i="$1" -v last="$2" 'BEGIN {
		for (; i <= last; i++)
			printf "%d.%d.%d.%d\n", 20 + i / 16777216, i / 65536 % 256, i / 256 % 256, i % 256
	}'
}

# good_policy - live from now on: a drop list of 100 rows, with B and P on it, P protected.
good_policy() {
	{ echo "$FLOW_B"; echo "$FLOW_P"; rows_of 1 98; } >"$DIR/bad.list"
	policy good <<-END
		version: 1
		mode: enforce
		protect: {prefixes: [$FLOW_P/32]}
		lists: [{name: bad, action: drop, file: bad.list}]
	END
	stanch -q --netns "$SERVER" attach eth0
	stanch -q apply --now "$DIR/good.yaml"
}

# lists_policy N - $DIR/lists.yaml, with N lists.
lists_policy() {
	{
		printf 'version: 1\nmode: enforce\nprotect: {prefixes: [%s/32]}\nlists:\n' "$FLOW_P"
		echo "  - {name: bad, action: drop, entries: [$FLOW_B]}"
		seq 2 "$1" | sed 's/.*/  - {name: l&, action: drop, entries: ["2001:db8:&::\/48"]}/'
	} >"$DIR/lists.yaml"
}

# flows_start - all three from now on. The tool is started without a shell between it and us.
flows_start() {
	nsenter --net="/run/netns/$SERVER" nice -n -10 "$TRAFFIC" receive --port 9 --seconds 280 -j \
		>"$DIR/received" 2>"$DIR/ready" 3>&- &
	RECEIVER=$!
	until_true grep -q ready "$DIR/ready"
	before_flows=$(arrived)
	nsenter --net="/run/netns/$CLIENT" "$TRAFFIC" send --dev eth0 --dst-mac "$MAC" --rate "$RATE" \
		--seconds 280 -j --dst "$SERVER_V4" \
		--flow "P:src=$FLOW_P" --flow "G:src=$FLOW_G" --flow "B:src=$FLOW_B" \
		>"$DIR/sent" 2>"$DIR/sender" 3>&- &
	SENDER=$!
	until_true flowing
}

# arrived - packets that came out of the ring of the veth, but for what IPv6 says by itself.
arrived() {
	local all own
	all=$(ip -n "$SERVER" -j -s link show eth0 | jq '.[0].stats64.rx.packets')
	own=$(nsenter --net="/run/netns/$SERVER" sed -n 's/^Ip6InReceives[[:space:]]*//p' /proc/net/snmp6)
	echo $((all - own))
}

flowing() { [ "$(arrived)" -gt $((before_flows + 2000)) ]; }

# flows_stop - all have arrived, or never will.
flows_stop() {
	kill -TERM "$SENDER"
	wait "$SENDER"
	sleep 0.3
	after_flows=$(arrived)
	kill -TERM "$RECEIVER"
	wait "$RECEIVER"
	SENDER='' RECEIVER=''
}

sent() { jq -r --arg n "$1" '.flows[] | select(.name == $n).sent' "$DIR/sent"; }
flow() { jq -r --arg f "$1" --arg k "$2" '[.flows[] | select(.flow == $f)[$k]][0] // "0"' "$DIR/received"; }
lost_p() { echo $(($(sent P) - $(flow 0 received))); }
lost_g() { echo $(($(sent G) - $(flow 1 received))); }
leaked() { flow 2 received; }
# silence - of P, in microseconds, beyond the sender's own longest pause; below 0 it is the latter.
silence() { echo $(($(flow 0 gap_us) - $(jq -r .pause_us "$DIR/sent"))); }

# overflows - packets that nobody judged or nobody read because the machine was busy: those that
# found the ring of the veth full, before the program, and those that found the socket's buffer full.
overflows() {
	local unarrived=$(($(sent P) + $(sent G) + $(sent B) - (after_flows - before_flows)))
	echo $(($(jq -r .overflows "$DIR/received") + (unarrived > 0 ? unarrived : 0)))
}

flows_text() {
	echo "P $(lost_p) of $(sent P) lost, silent $(($(silence) > 0 ? $(silence) / 1000 : 0)) ms beyond its sender;" \
		"G $(lost_g) of $(sent G) lost; B $(leaked) of $(sent B) leaked"
}

# flows_whole - no packet of P or G lost that reached us, none of B let in.
flows_whole() {
	echo "$(flows_text); the machine lost $(overflows)"
	[ "$(sent P)" -gt 300 ] && [ "$(sent B)" -gt 300 ] &&
		[ $(($(lost_p) + $(lost_g))) -le "$(overflows)" ] && [ "$(leaked)" = 0 ]
}

# seen ID TEXT - for the table at the end of `make outage`.
seen() { echo "# seen $1 $(awk -v ns=$(($(date +%s%N) - BEGAN)) 'BEGIN { printf "%.1f", ns / 1e9 }') s: $2" >&3; }

# standing - all that must be as before: word, slots and their maps (the fifth is the scratch entry,
# which every staging replaces), pins, stored files, what the interface runs, files of the run
# folder. Kernel objects of ours live by pins, by slots and by the interface alone, so these are
# also all that could be left over.
standing() {
	everything
	bpftool -j map dump pinned "$PINS/slots" | jq -cS '[.[] | select(.key[0] != "0x04")]'
	ip -n "$SERVER" -d -j link show eth0 | jq -c '.[0].xdp'
	find "$STANCH_RUN_DIR" -path "$STANCH_BPF_DIR" -prune -o -print | sort
}

# row ID FAULT... - FAULT while the flows flow. What stands afterwards is what stood before, nothing
# is lost and nothing leaks. A measurement that the machine itself spoilt is taken again: when the
# receiver's own socket overflowed, or when P was silent for too long.
row() {
	local id=$1 before try
	shift
	for try in $(seq "$TRIES"); do
		before=$(standing)
		flows_start
		"$@"
		flows_stop
		[ "$(standing)" = "$before" ] || { diff <(echo "$before") <(standing); return 1; }
		stanch history --verify >/dev/null
		[ "$(overflows)" = 0 ] || continue
		flows_whole
		if [ "$(silence)" -le "$GAP_US" ]; then
			seen "$id" "$(flows_text)"
			return 0
		fi
	done
	echo "P was silent for $(silence) us, or the socket overflowed, in each of $try tries"
	return 1
}

# shellcheck disable=SC2154 # bats sets `stderr`
# refused POLICY TEXT... - `apply` exits 3, says every TEXT, and leaves exactly one audit record.
refused() {
	local file=$1 text records
	shift
	records=$(audit length)
	run -3 --separate-stderr stanch apply --now "$file"
	for text in "$@"; do
		[[ "$stderr" == *"$text"* ]] || { echo "does not say: $text"; echo "$stderr"; return 1; }
	done
	[ "$(audit length)" = $((records + 1)) ]
	[ "$(audit '.[-1].event + " " + .[-1].result')" = "apply refused" ]
}

# image_set FILE OFFSET VALUE - a 32-bit number in an image, and a digest that is right again.
image_set() {
	python3 - "$@" <<-'END'
		import hashlib, struct, sys
		path, at, value = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
		data = bytearray(open(path, "rb").read())
		struct.pack_into("<I", data, at, value)
		data[16:48] = bytes(32)
		data[16:48] = hashlib.sha256(data).digest()
		open(path, "wb").write(data)
	END
}

# object_set FILE WORD VALUE - the built program as FILE, one word of its limits changed: 0 the ABI
# version, 1 the image version.
object_set() {
	python3 - "$B/bpf/stanch.bpf.o" "$@" <<-'END'
		import struct, sys
		data = bytearray(open(sys.argv[1], "rb").read())
		at = data.find(struct.pack("<4I", 1, 1, 1000000, 4096))
		assert at >= 0 and data.find(data[at:at + 16], at + 1) < 0
		struct.pack_into("<I", data, at + 4 * int(sys.argv[3]), int(sys.argv[4]))
		open(sys.argv[2], "wb").write(data)
	END
}
