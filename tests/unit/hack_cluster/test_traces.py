"""What is taken away, and in which order."""

from pathlib import Path

from native_cluster.traces import mounts_below

MOUNTS = """\
22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
40 22 254:0 /var/lib/cluster /var/lib/cluster rw shared:1 - ext4 /dev/vda rw
41 40 0:50 / /var/lib/cluster/kubelet/a\\040b rw shared:2 - tmpfs tmpfs rw
42 40 0:51 / /var/lib/cluster/kubelet/a\\040b/c rw shared:3 - tmpfs tmpfs rw
43 22 0:52 / /var/lib/cluster-of-others rw - tmpfs tmpfs rw
44 22 0:53 / /run/cluster/shm rw - tmpfs tmpfs rw
"""


def test_mounts_are_unmounted_in_the_reverse_order_and_others_are_left() -> None:
    points = mounts_below(MOUNTS, [Path("/var/lib/cluster"), Path("/run/cluster")])

    assert points == [
        "/run/cluster/shm",
        "/var/lib/cluster/kubelet/a b/c",
        "/var/lib/cluster/kubelet/a b",
        "/var/lib/cluster",
    ]
