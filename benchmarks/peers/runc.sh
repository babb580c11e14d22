#!/bin/bash
# runc checkpoint with its pages streamed to a CRIU page server at the destination, all files in memory: no engine, no network,
# no image, no owner on the other side. Near the limit of what CRIU can do with one pass.
# shellcheck source=benchmarks/peers/common.sh
. "$(dirname "$0")/common.sh"
bundle=/run/memhog-bundle
images=/dev/shm/runc-images
work=/run/memhog-work
log=/run/memhog.log
readonly page_port=9001

# The other end of memhog's stdout: CRIU lets a restored process have another pipe, but no file from outside its container.
keep_log() { exec setsid cat >> $log 2> /dev/null; }

prepare() {
    mkdir -p $bundle/rootfs
    cp /memhog/rootfs/memhog $bundle/rootfs/
    cd $bundle
    rm -f config.json
    runc spec
    sed -i 's/"terminal": true/"terminal": false/; s/"readonly": true/"readonly": false/' config.json
}

start() {
    local arguments
    arguments=$(printf ', "%s"' "$@")
    sed -i "s|\"sh\"|\"/memhog\"$arguments|" $bundle/config.json
    rm -rf $images $work
    mkdir -p $images $work
    runc run --detach --bundle $bundle memhog > >(keep_log) 2>&1 < /dev/null
    until_seen READY cat $log > /dev/null
}

receive() {
    rm -rf $images $work
    mkdir -p $images $work
    criu page-server --images-dir $images --port $page_port --daemon --log-file /run/page-server.log > /dev/null
    receive_tree $images
    at restore
    runc restore --detach --no-subreaper --bundle $bundle --image-path $images --work-path $work memhog \
        > >(keep_log) 2>&1 < /dev/null
    at end
}

send() {
    at checkpoint
    runc checkpoint --page-server "$1:$page_port" --image-path $images --work-path $work memhog > /dev/null
    at copy
    send_tree $images "$1"
}

report() {
    runc kill memhog USR1
    until_seen REPORT cat $log
}

clear() {
    pkill -x nc || true
    pkill -x criu || true
    runc delete --force memhog > /dev/null 2>&1 || true
    rm -rf $images $work $log
    prepare
}

main "$@"
