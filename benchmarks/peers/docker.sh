#!/bin/bash
# docker checkpoint create, the files copied, docker start --checkpoint: what the engine's own manual offers.
# shellcheck source=benchmarks/peers/common.sh
. "$(dirname "$0")/common.sh"
containers=/var/lib/docker/containers

prepare() {
    docker load --quiet --input /memhog/memhog.tar > /dev/null
}

start() {
    docker run --detach --name memhog --security-opt seccomp=unconfined memhog "$@" > /dev/null
    until_seen READY docker logs memhog > /dev/null
}

receive() {
    local id
    id=$(docker create --name memhog --security-opt seccomp=unconfined memhog)
    mkdir -p $containers/"$id"/checkpoints
    receive_tree $containers/"$id"/checkpoints
    at restore
    docker start --checkpoint moved memhog > /dev/null
    at end
}

send() {
    local id
    id=$(docker inspect --format '{{.Id}}' memhog)
    at checkpoint
    docker checkpoint create memhog moved > /dev/null
    at copy
    send_tree $containers/"$id"/checkpoints "$1"
}

report() {
    docker kill --signal USR1 memhog > /dev/null
    until_seen REPORT docker logs memhog
}

clear() {
    pkill -x nc || true
    docker rm --force memhog > /dev/null 2>&1 || true
}

main "$@"
