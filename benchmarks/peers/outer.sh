#!/bin/bash
# First program of the peers' outer containers: opens up what the host's engine has masked, as the wrapper image does,
# and runs an engine with checkpoints (an experimental feature). Podman and runc need no daemon.
set -euo pipefail
mount --make-rprivate /
mount -o remount,rw /sys 2>/dev/null || mount -o remount,bind,rw /sys
while read -r _ mount_point _; do
    case $mount_point in
        /sys/fs/cgroup | /sys/fs/cgroup/*) mount -o remount,bind,rw "$mount_point" ;;
        /proc/?* | /sys/?*) umount "$mount_point" ;;
    esac
done < /proc/mounts
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
    mkdir -p /sys/fs/cgroup/outer
    while read -r pid; do
        echo "$pid" > /sys/fs/cgroup/outer/cgroup.procs || true
    done < /sys/fs/cgroup/cgroup.procs 2>/dev/null
    sed 's/\</+/g' /sys/fs/cgroup/cgroup.controllers > /sys/fs/cgroup/cgroup.subtree_control
fi
exec dockerd --experimental --storage-driver overlay2
