"""Commands run as on a bare machine: with network, mounts and processes of their own.

So `hack/cluster up` and `down` are tried out beside a cluster that is in use. Shared with the
machine are its kernel, its cgroups and the programs on disk; folders that programs write to are
empty.
"""

import subprocess

# The mounts of a running cluster are taken away here only: nothing passes on to the machine.
_PREAMBLE = r"""
set -euo pipefail
ip link set lo up
cgroups=$(mktemp -d)
mount --rbind /sys/fs/cgroup "$cgroups"
mount -t sysfs sysfs /sys
mount --rbind "$cgroups" /sys/fs/cgroup
umount -R -l "$cgroups" && rmdir "$cgroups"
while umount -R -l /var/lib/serinus-cluster 2>/dev/null; do :; done
of_the_cluster() { awk '$5 ~ "/serinus-cluster/" { point = $5 } END { print point }' "$@"; }
while point=$(of_the_cluster /proc/self/mountinfo) && [[ -n $point ]]; do umount -l "$point"; done
for folder in /var/lib /var/log /run; do mount -t tmpfs tmpfs "$folder"; done
mkdir -p /run/lock /run/mount

machine() { # all that a cluster could leave behind
  ip -br link | awk '{ print "interface", $1 }'
  ip route | sed 's/^/route /'
  nft list ruleset | sed 's/^/rule /'
  awk '{ print "mount", $2 }' /proc/mounts
  find /var/lib /var/log /run | sed 's/^/path /'
  for setting in kernel/panic kernel/panic_on_oops net/ipv4/ip_forward vm/overcommit_memory; do
    echo "setting $setting $(cat /proc/sys/$setting)"
  done
  ps -eo args= | sed 's/^/process /' | { grep -vE 'process (ps|sed|bash|grep)' || true; }
}
"""


def run(script: str, timeout_seconds: float = 180) -> subprocess.CompletedProcess[str]:
    """Run a bash script there; its function `machine` lists what a cluster could leave behind."""
    namespaces = ["--mount", "--net", "--pid", "--fork", "--mount-proc", "--kill-child"]
    return subprocess.run(
        ["unshare", *namespaces, "--propagation", "private", "bash", "-c", _PREAMBLE + script],
        capture_output=True,
        text=True,
        timeout=timeout_seconds,
        check=False,
    )
