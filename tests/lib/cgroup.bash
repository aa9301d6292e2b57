# SPDX-License-Identifier: GPL-2.0-or-later
# cgroup.bash - commands with a limit on memory, by a control group of version 1 or 2 of their own.

CGROUP=
case $(stat -fc %T /sys/fs/cgroup 2>/dev/null) in
cgroup2fs) CGROUP=/sys/fs/cgroup/stanch-test-$$ ;;
*) [ ! -d /sys/fs/cgroup/memory ] || CGROUP=/sys/fs/cgroup/memory/stanch-test-$$ ;;
esac

# cgroup_reason - why there is no such limit here; nothing when there is one.
cgroup_reason() {
	[ -n "$CGROUP" ] || { echo "no memory control groups"; return; }
	cgroup_make 2>/dev/null || { echo "memory control groups cannot be made"; return; }
	cgroup_limit 64M 2>/dev/null || echo "no limit on memory can be set"
	cgroup_remove
}

cgroup_make() {
	[ -d "${CGROUP%/*}/memory" ] || [ ! -w "${CGROUP%/*}/cgroup.subtree_control" ] ||
		echo +memory >"${CGROUP%/*}/cgroup.subtree_control" || true
	mkdir -p "$CGROUP"
}

# cgroup_limit BYTES - nothing is swapped out instead, where that can be said.
cgroup_limit() {
	if [ -e "$CGROUP/memory.max" ]; then
		echo "$1" >"$CGROUP/memory.max"
		[ ! -e "$CGROUP/memory.swap.max" ] || echo 0 >"$CGROUP/memory.swap.max"
	else
		[ ! -e "$CGROUP/memory.memsw.limit_in_bytes" ] ||
			echo -1 >"$CGROUP/memory.memsw.limit_in_bytes"
		echo "$1" >"$CGROUP/memory.limit_in_bytes"
		[ ! -e "$CGROUP/memory.memsw.limit_in_bytes" ] ||
			echo "$1" >"$CGROUP/memory.memsw.limit_in_bytes"
	fi
}

# in_cgroup COMMAND... - the command alone, not the shell.
in_cgroup() { (echo "$BASHPID" >"$CGROUP/cgroup.procs" && exec "$@"); }

cgroup_remove() {
	local try
	for try in $(seq 50); do
		[ -d "$CGROUP" ] || return 0
		rmdir "$CGROUP" 2>/dev/null || sleep 0.1
	done
	echo "$CGROUP is still in use ($try tries)" >&2
	return 1
}
