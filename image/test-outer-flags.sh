#!/bin/bash
# Fails when image/outer asks for more privileges than docs/security.md explains.
set -euo pipefail
cd "$(dirname "$0")/.."

expected='docker run --detach --pull never --name outer
--cap-add SYS_ADMIN
--cap-add NET_ADMIN
--cap-add SYS_TIME
--cap-add SYS_PTRACE
--cap-add IPC_OWNER
--security-opt seccomp=unconfined
--cgroupns private
--tmpfs /run:exec
--shm-size N
--volume /var/lib/docker
--hostname outer
pagurus/runtime:dev'

printed=$(PAGURUS_IMAGE='' image/outer --print outer)
# What depends on the host is allowed only as image/outer documents it.
actual=$(sed -E 's/ --cap-add SYS_RESOURCE\b//; s/ --security-opt (apparmor=unconfined|label=disable)\b//g; s/--shm-size [0-9]+m/--shm-size N/
    s/ (--(cap|sec|cgr|tmp|shm|vol|host)|pagurus\/)/\n\1/g' <<< "$printed")
if [ "$actual" != "$expected" ]; then
    diff <(echo "$expected") <(echo "$actual") >&2 || true
    echo "The flags of the outer container have changed (above). A new one needs its reason in docs/security.md, and a line here." >&2
    exit 1
fi
if grep -qiE -- '--privileged|--cap-add[ =](ALL|CAP_ALL)|--pid[ =]host|--network[ =]host|--device\b' <<< "$printed"; then
    echo "image/outer prints a flag that it may never use: $printed" >&2
    exit 1
fi
while read -r word; do
    grep -qF -- "$word" docs/security.md || { echo "docs/security.md does not explain $word" >&2; exit 1; }
done < <(grep -oE '[A-Z]+_[A-Z]+|[a-z]+=unconfined|/run:exec|--shm-size|--cgroupns|--hostname|/var/lib/docker' <<< "$expected" | sort -u)

hostnames() { # hostnames "docker run" ARGUMENTS...: what image/outer makes of them
    PAGURUS_IMAGE='' image/outer --print outer "$@" | { grep -oE -- ' (--hostname|-h)[= ]?[a-z]+' || true; } | xargs
}
while IFS='|' read -r arguments wanted; do
    read -ra words <<< "$arguments"
    found=$(hostnames "${words[@]}")
    if [ "$found" != "$wanted" ]; then
        echo "image/outer outer $arguments names the host '$found' instead of '$wanted'." >&2
        exit 1
    fi
done << 'END'
|--hostname outer
--env HOME=/h --network lab --health-interval 1s|--hostname outer
--hostname mine|--hostname mine
--hostname=mine|--hostname=mine
-h mine|-h mine
-hmine|-hmine
--network host|
--net=host|
--network container:other|
--uts host|
--net lab --label on=host|--hostname outer
END
echo "outer container: flags as documented"
