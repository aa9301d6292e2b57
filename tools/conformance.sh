#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The conformance table for stanch and, beside it, for Debian's xdp-filter on an interface of its
# own in a namespace of its own. Usage: conformance.sh BUILD_FOLDER
set -eu
build=$1
ns=stanch-conf-$$

natively() {
	echo "# natively, under AddressSanitizer and UndefinedBehaviorSanitizer"
	"$build/san/tools/conformance" --native | tail -n 3
}

cleanup() {
	nsenter --net="/run/netns/$ns" xdp-filter unload pf0 >/dev/null 2>&1 || true
	ip netns del "$ns" 2>/dev/null || true
}

natively
if [ "$(id -u)" != 0 ]; then
	echo "not run in the kernel: needs root"
	exit 0
fi
if ! command -v xdp-filter >/dev/null; then
	echo "# without a peer: xdp-filter (package xdp-tools) is not installed"
	exec "$build/tools/conformance"
fi
trap cleanup EXIT
ip netns add "$ns"
ip -n "$ns" link add pf0 type veth peer name pf1
ip -n "$ns" link set pf0 up
in_ns() { nsenter --net="/run/netns/$ns" "$@"; }
mountpoint -q /sys/fs/bpf || mount -t bpf bpf /sys/fs/bpf
in_ns xdp-filter load pf0 -p allow
in_ns xdp-filter ip 203.0.113.66 -m src
in_ns xdp-filter ip 2001:db8:bad::66 -m src
echo "# in the kernel, beside xdp-filter $(dpkg-query -W -f '${Version}' xdp-tools 2>/dev/null)"
in_ns "$build/tools/conformance" --peer pf0
