# SPDX-License-Identifier: GPL-2.0-or-later
# test-timeout: 500
# stanch beside xdp-filter, nftables, ipset and routes: that every row of `make bench-peers` comes
# about, and that each filter dropped and passed what it must, by count. No figure is looked at.

load ../lib/e2e
load ../lib/netns

setup() {
	skip_for "$(live_reason)"
	OUT=$(mktemp -d)
}

teardown() {
	[ -z "${OUT:-}" ] || rm -rf "$OUT"
}

peers() { timeout -k 20 220 "$ROOT/tests/bench/peers" --quick --out "$OUT/peers.json" "$@" "$B"; }

# names PART CASE - whose rows there are, in a fixed order.
names() {
	jq -r --arg case "$2" "[.rows.$1[] | select(.case == \$case).filter] | unique | join(\",\")" \
		"$OUT/peers.json"
}

# left PID - what a bench leaves: namespaces, its mount and its folder.
left() {
	ip netns list | grep -E "^p[cl]$1(x| |\$)"
	grep "stanch-peers.$1." /proc/mounts
	find "${TMPDIR:-/tmp}" -maxdepth 1 -name "stanch-peers.$1.*"
	true
}

@test "every filter drops what is listed and passes the rest, in every part" {
	peers=$(for tool in xdp-filter nft ipset; do command -v "$tool"; done | wc -l)
	[ "$peers" = 3 ] || skip "xdp-filter, nft or ipset is not installed"
	run peers
	echo "$output"
	[ "$status" = 0 ]
	[ "$(jq -c '.wrong' "$OUT/peers.json")" = "[]" ]
	all="ip route blackhole,iptables + ipset,nftables set,stanch,xdp-filter"
	listed="bare counting drop,$all"
	unlisted="bare pass,ip route blackhole,iptables + ipset,nftables set,no filter,stanch,xdp-filter"
	served="ip route blackhole,iptables + ipset,nftables set,no filter,stanch,xdp-filter"
	is() { [ "$(names "$1" "$2" | sed 's/,stanch with sources//')" = "$3" ]; }
	is rate active "$listed"
	is rate unlisted "$unlisted"
	for attack in none listed random syn; do is innocents "$attack" "$served"; done
	is apply apply "LPM_TRIE, for reference,$all"
	is flood flood "bare pass,stanch"
	[ "$(jq '[.rows.rate[] | select(.packets < 100)] | length' "$OUT/peers.json")" = 0 ]
	[ "$(jq '[.rows.rate[].cpus] | unique | length' "$OUT/peers.json")" = 2 ]
	# The last part of the bench: what it measured, for people.
	"$ROOT/tests/bench/peers" --show "$OUT/peers.json" --docs "$OUT/docs"
	grep -q '^| stanch | 1 k |' "$OUT/docs/peers.md"
	if command -v gnuplot; then grep -q '</svg>' "$OUT/docs/peers-active.svg"; fi
}

@test "control: a filter that does not drop has no figure, and fails the bench" {
	run -1 peers --plant --part rate
	echo "$output"
	[[ "$output" == *"WRONG: rate, active, stanch, 1000: of 50"*" dropped, "*" passed"* ]]
	[ "$(jq '[.rows.rate[] | select(.case == "active").filter] | index("stanch")' \
		"$OUT/peers.json")" = null ]
	[ "$(jq '[.rows.rate[] | select(.case == "active").filter] | index("bare counting drop")' \
		"$OUT/peers.json")" != null ]
}

@test "ended in the middle, it leaves nothing" {
	"$ROOT/tests/bench/peers" --quick --part rate "$B" >/dev/null 2>"$OUT/said" 3>&- &
	pid=$!
	for _ in $(seq 200); do
		grep -q 'stanch, 1000:' "$OUT/said" && break
		sleep 0.1
	done
	[ -n "$(left "$pid")" ]
	kill "$pid"
	wait "$pid" || true
	echo "left: $(left "$pid")"
	[ -z "$(left "$pid")" ]
}
