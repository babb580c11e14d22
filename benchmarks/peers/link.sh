#!/bin/bash
# The link alone: the bytes of the memory from one side to the other. Nothing runs, nothing is dumped.
# shellcheck source=benchmarks/peers/common.sh
. "$(dirname "$0")/common.sh"

start() { # -m MIB ...
    echo "$2" > /run/link-mib
}

receive() {
    nc -l -p $port > /dev/null
    at end
}

send() {
    local mib
    mib=$(cat /run/link-mib)
    at copy
    head --bytes "${mib}M" /dev/zero | nc -N "$1" $port
}

main "$@"
