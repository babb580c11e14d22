#!/bin/bash
# podman container checkpoint --export, the archive copied, podman container restore --import. Generous: the archive is not
# compressed and lies in memory on both sides.
# shellcheck source=benchmarks/peers/common.sh
. "$(dirname "$0")/common.sh"
podman() { command podman --runtime /usr/sbin/runc --cgroup-manager cgroupfs "$@"; }
export PODMAN_IGNORE_CGROUPSV1_WARNING=1
archive=/dev/shm/podman.tar

prepare() {
    podman load --quiet --input /memhog/memhog.tar > /dev/null
}

start() {
    podman run --detach --name memhog --security-opt seccomp=unconfined memhog "$@" > /dev/null
    until_seen READY podman logs memhog > /dev/null
}

receive() {
    nc -l -p $port > $archive
    at restore
    podman container restore --import $archive > /dev/null
    at end
}

send() {
    at checkpoint
    podman container checkpoint --compress none --export $archive memhog > /dev/null
    at copy
    nc -N "$1" $port < $archive
}

report() {
    podman kill --signal USR1 memhog > /dev/null
    until_seen REPORT podman logs memhog
}

clear() {
    pkill -x nc || true
    podman rm --force --time 0 memhog > /dev/null 2>&1 || true
    rm -f $archive
}

main "$@"
