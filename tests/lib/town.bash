# SPDX-License-Identifier: GPL-2.0-or-later
#
# town - a small town in network namespaces, for the demo and for tests in bash: people and bots,
# each behind a link of their own, and a server with nginx. Sourced; the caller sets `set -u` or
# not, makes TOWN (a short, unique name) and TOWN_TMP (an empty folder), and traps town_down. With
# TOWN_ACCESS_LOG set nginx writes a line there per request, the source first.
# Knows addresses, processes and interfaces, and nothing about policies.
#
#   people 10.77.1.2                       --- $TOWN-p  [ server 10.77.1.1 ]
#   bots   10.77.2.2, .66 ...   10.77.3.2  --- $TOWN-b  [ server 10.77.3.1 ]
#
# Bots are behind a router, as they are on the Internet: a policy may not block neighbours.
# shellcheck shell=bash

TOWN_SERVER=10.77.1.1
TOWN_SERVER_B=10.77.3.1
TOWN_ROUTER=10.77.3.2
TOWN_PERSON=10.77.1.2
TOWN_BOT=10.77.2.2
town_jobs=()

in_people() { nsenter --net="/run/netns/$TOWN-people" "$@"; }
in_bots() { nsenter --net="/run/netns/$TOWN-bots" "$@"; }
in_server() { nsenter --net="/run/netns/$TOWN-server" "$@"; }

town_link() { # SIDE LETTER SERVER-ADDRESS ADDRESS...
	local side=$1 letter=$2 server=$3 address

	shift 3
	ip link add "$TOWN-$letter" netns "$TOWN-server" type veth \
		peer name "$TOWN-$letter" netns "$TOWN-$side" || return 1
	ip -n "$TOWN-server" addr add "$server/24" dev "$TOWN-$letter"
	for address; do
		ip -n "$TOWN-$side" addr add "$address/24" dev "$TOWN-$letter"
	done
	ip -n "$TOWN-$side" link set "$TOWN-$letter" up
	ip -n "$TOWN-server" link set "$TOWN-$letter" up
}

town_nginx() {
	mkdir -p "$TOWN_TMP/www" "$TOWN_TMP/nginx"
	echo 'a page for people' >"$TOWN_TMP/www/index.html"
	cat >"$TOWN_TMP/nginx.conf" <<EOF
pid $TOWN_TMP/nginx.pid;
error_log $TOWN_TMP/nginx.log;
worker_processes 1;
user root;
events { worker_connections 512; }
http {
	access_log ${TOWN_ACCESS_LOG:-off};
	client_body_temp_path $TOWN_TMP/nginx/body;
	proxy_temp_path $TOWN_TMP/nginx/proxy;
	fastcgi_temp_path $TOWN_TMP/nginx/fastcgi;
	uwsgi_temp_path $TOWN_TMP/nginx/uwsgi;
	scgi_temp_path $TOWN_TMP/nginx/scgi;
	keepalive_requests 1000000;
	server {
		listen 80;
		root $TOWN_TMP/www;
	}
}
EOF
	in_server nginx -c "$TOWN_TMP/nginx.conf"
}

# The whole town. Bots have addresses of their own for what a policy lists: .66 .77 .101 .102.
town_up() {
	local ns

	for ns in people bots server; do
		ip netns add "$TOWN-$ns" || return 1
		ip -n "$TOWN-$ns" link set lo up
	done
	town_link people p "$TOWN_SERVER" "$TOWN_PERSON" &&
		town_link bots b "$TOWN_SERVER_B" "$TOWN_ROUTER" &&
		town_bots && town_nginx
}

# Their own addresses, in no ARP packet: the server knows their router alone.
town_bots() {
	local address

	in_bots sh -c 'echo 2 >/proc/sys/net/ipv4/conf/all/arp_announce' || return 1
	for address in "$TOWN_BOT" 10.77.2.66 10.77.2.77 10.77.2.101 10.77.2.102; do
		ip -n "$TOWN-bots" addr add "$address/32" dev "$TOWN-b"
	done
	ip -n "$TOWN-bots" route replace "$TOWN_SERVER_B/32" dev "$TOWN-b" src "$TOWN_BOT" &&
		ip -n "$TOWN-server" route add 10.77.2.0/24 via "$TOWN_ROUTER"
}

# Runs in the background and is remembered; town_down ends what is left. The process itself, not a
# shell around it, so that signals reach it.
town_start() { # SIDE COMMAND...
	local side=$1

	shift
	nsenter --net="/run/netns/$TOWN-$side" "$@" &
	town_jobs+=($!)
}

town_stop_job() { # PID [SIGNAL]
	kill -s "${2:-TERM}" "$1" 2>/dev/null
	wait "$1" 2>/dev/null
	return 0
}

town_down() {
	local ns pid

	for pid in "${town_jobs[@]}"; do
		town_stop_job "$pid"
	done
	town_jobs=()
	if [ -s "$TOWN_TMP/nginx.pid" ]; then
		pid=$(cat "$TOWN_TMP/nginx.pid")
		kill "$pid" 2>/dev/null
		for _ in $(seq 50); do
			[ -e "/proc/$pid" ] || break
			sleep 0.05
		done
	fi
	for ns in people bots server; do
		ip netns del "$TOWN-$ns" 2>/dev/null
	done
	return 0
}

# Until a word stands in a file, for ten seconds at most.
town_wait_for() { # WORD FILE
	for _ in $(seq 200); do
		grep -q "$1" "$2" 2>/dev/null && return
		sleep 0.05
	done
	return 1
}

# The MAC address at the server's end of the bots' link.
town_mac() { ip -n "$TOWN-server" -j link show "$TOWN-b" | jq -r '.[0].address'; }

# HTTP status that this side gets, 000 when it gets none in two seconds.
town_get() { # SIDE SERVER [CURL-ARGUMENT...]
	local side=$1 server=$2

	shift 2
	"in_$side" curl -s -o /dev/null -m 2 -w '%{http_code}' "$@" "http://$server/"
	return 0
}

# Requests that wrk counts as failed, from its output: socket errors of any kind and bad answers.
town_wrk_failed() { # FILE
	awk '/Socket errors:/ { gsub(",", ""); n += $4 + $6 + $8 + $10 }
		/Non-2xx or 3xx/ { n += $NF }
		/requests in/ { seen = 1 }
		END { if (!seen) print "no result"; else print n + 0 }' "$1"
}

town_wrk_done() { awk '/requests in/ { print $1 }' "$1"; }
