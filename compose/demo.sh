#!/bin/bash
# The demo: moves Redis and a memory service between two outer containers and back while a client writes to Redis all the
# time, and proves that nothing was lost. `make demo` builds the wrapper image and calls it.
#
# usage: compose/demo.sh           KEEP=1 leaves everything up and says how to go on
#        compose/demo.sh down      removes what KEEP=1 left
#        compose/demo.sh images    only builds the images of the sample services
#
# MEMORY_MIB: what Redis holds beside the numbered values (default 64). DEBIAN_MIRROR: where Debian's packages come from.
# Exit code 0: both services moved there and back, and every proof holds.
set -euo pipefail
cd "$(dirname "$0")/.."
export LC_ALL=C # $EPOCHREALTIME has a decimal point everywhere

prefix=pagurus-demo
a=$prefix-a b=$prefix-b link=$prefix-link
# 198.18.0.0/15 is set aside for such tests (RFC 2544): no network of the host or of an inner engine lies there.
declare -A subnet=([$a]=198.18.1.0/24 [$b]=198.18.2.0/24 [$link]=198.18.3.0/24)
declare -A address=([$a]=198.18.1.2 [$b]=198.18.2.2)
declare -A on_link=([$a]=198.18.3.2 [$b]=198.18.3.3)
rate=1gbit
memory_mib=${MEMORY_MIB:-64}
work=build/demo
images=$work/images
run=$work/run

fail() {
    printf 'demo: %s\n' "$@" >&2
    exit 1
}

as_root=()
[ "$(id -u)" -eq 0 ] || as_root=(sudo)

# step NAME COMMAND...: runs it and prints the time it took; its output is shown when it fails.
step() {
    local name=$1 from=$EPOCHREALTIME status=0
    shift
    printf '%-52s' "$name"
    # Not "if ! ...": bash ignores set -e inside a condition.
    set +e
    (set -e; "$@") > $run/step.log 2>&1
    status=$?
    set -e
    if [ $status -ne 0 ]; then
        echo
        tail -n 40 $run/step.log >&2
        fail "'$name' failed (exit code $status)."
    fi
    awk -v from="$from" -v to="$EPOCHREALTIME" 'BEGIN { printf "%6.1f s\n", to - from }'
}

# An image archive that outer container a loads at its start; kept until its recipe changes.
recipe() {
    { declare -f redis_image memory_image image_archive; cat compose/memory.c; } | sha256sum
}

image_archive() { # image_archive NAME CHANGE...: stdin is the root file system
    local name=$1 changes=()
    shift
    for change in "$@"; do changes+=(--change "$change"); done
    docker import "${changes[@]}" - $prefix/"$name" > /dev/null
    docker save $prefix/"$name" > $images/"$name".tar
    docker rmi $prefix/"$name" > /dev/null
}

redis_image() {
    "${as_root[@]}" mmdebstrap --quiet --variant=essential --mode=root --include=redis-server \
        --aptopt='Acquire::Check-Valid-Until "false"' --aptopt='Apt::Install-Recommends "false"' \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
        trixie - "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] ${DEBIAN_MIRROR:-http://deb.debian.org/debian} trixie main" |
        image_archive redis 'USER redis' 'WORKDIR /var/lib/redis' \
            'ENTRYPOINT ["redis-server", "--protected-mode", "no", "--save", ""]'
}

memory_image() {
    gcc -std=gnu17 -O2 -Wall -Wextra -Werror -static -s -o $work/memory compose/memory.c
    tar --create --owner=0 --group=0 --directory=$work memory | image_archive memory 'ENTRYPOINT ["/memory"]'
}

build_images() {
    mkdir -p $images
    memory_image
    redis_image
    recipe > $images.recipe
}

images_step() {
    mkdir -p $run
    if [ "$(cat $images.recipe 2>/dev/null)" != "$(recipe)" ]; then
        step "images of Redis (Debian's) and the memory service" build_images
    fi
}

start() {
    local network container
    for network in $a $b; do docker network create --subnet "${subnet[$network]}" "$network"; done
    docker network create --internal --subnet "${subnet[$link]}" $link
    image/outer --no-wait $a --hostname a --network $a --ip "${address[$a]}" \
        -v "$PWD/compose/services.yaml:/etc/pagurus/compose.yaml:ro" -v "$PWD/$images:/var/lib/pagurus/images:ro"
    image/outer --no-wait $b --hostname b --network $b --ip "${address[$b]}" --env PAGURUS_ROLE=standby \
        -v "$PWD/compose/services.yaml:/etc/pagurus/compose.yaml:ro"
    for container in $a $b; do
        docker network connect --ip "${on_link[$container]}" $link "$container"
        shape "$container"
    done
    for container in $a $b; do timeout 60 docker exec "$container" /usr/lib/pagurus/ready --wait 60; done
}

# Each end sends at the link's rate, as a network card of that speed would.
shape() { # shape CONTAINER
    local interface
    interface=$(timeout 10 docker exec "$1" ip -o -4 address | awk -v ip="${on_link[$1]}" 'index($4, ip "/") == 1 { print $2 }')
    timeout 10 docker exec "$1" tc qdisc add dev "$interface" root tbf rate $rate burst 256kb latency 50ms
}

await_services() {
    local service deadline=$((SECONDS + 60))
    for service in redis memory; do
        until timeout 10 docker exec $a docker inspect --format '{{.State.Running}}' $service | grep -qx true; do
            [ $SECONDS -lt $deadline ] || fail "$service does not run in $a after 60 s."
            sleep 0.1
        done
    done
    python3 compose/client.py fill "${address[$a]}" "$memory_mib" > $run/blocks
}

writer=
start_writer() {
    python3 compose/client.py write $run/writes "${address[$a]}" "${address[$b]}" &
    writer=$!
    await_write $a
}

stop_writer() {
    [ -n "$writer" ] || return 0
    kill $writer 2>/dev/null || true
    wait $writer 2>/dev/null || true
    writer=
}

# Returns when the client's last acknowledged write went to that outer container.
await_write() { # await_write CONTAINER
    local deadline=$((SECONDS + 20))
    until [[ $(tail -n 1 $run/writes 2>/dev/null) == *" ${address[$1]}" ]]; do
        [ $SECONDS -lt $deadline ] || fail "The client has no acknowledged write from $1 within 20 s."
        sleep 0.05
    done
}

migrate() { # migrate NUMBER SERVICE FROM TO STRATEGY
    local report=$run/$1-$2
    echo "$EPOCHREALTIME" > "$report.times"
    timeout 20 docker exec "$4" pagurus ticket |
        timeout 120 docker exec -i "$3" pagurus migrate "$2" --to - --strategy "$5" --output json > "$report.json"
    if [ "$2" = redis ]; then await_write "$4"; fi
    echo "$EPOCHREALTIME" >> "$report.times"
}

moves() { # moves NUMBER FROM TO STRATEGY
    local service
    for service in redis memory; do step "$service ${2##*-} -> ${3##*-}" migrate "$1" $service "$2" "$3" "$4"; done
}

down() {
    local container paused
    for container in $a $b; do
        docker inspect "$container" > /dev/null 2>&1 || continue
        # An engine that holds a frozen container does not end by itself.
        for paused in $(timeout 10 docker exec "$container" docker ps --quiet --filter status=paused 2>/dev/null); do
            timeout 10 docker exec "$container" docker unpause "$paused" || true
        done
        docker rm --force --volumes "$container" || true
    done
    for network in $a $b $link; do
        if docker network inspect "$network" > /dev/null 2>&1; then docker network rm "$network" || true; fi
    done
} > /dev/null 2>&1

finish() {
    local status=$? container
    trap - EXIT
    stop_writer
    if [ $status -ne 0 ] && [ $status -ne 130 ]; then # 130: interrupted by the user
        for container in $a $b; do
            docker inspect "$container" > /dev/null 2>&1 || continue
            printf '\n--- last lines of %s\n' "$container" >&2
            timeout 10 docker logs --tail 30 "$container" >&2 || true
        done
    fi
    if [ -n "${KEEP:-}" ]; then go_on; else down; fi
    exit $status
}

go_on() {
    cat <<END

Everything is left up. For instance:
  docker exec $a pagurus ps
  docker exec $b pagurus ticket | docker exec -i $a pagurus migrate redis --to -
  docker exec $a docker logs --tail 3 memory
  docker exec $a pagurus history
  compose/demo.sh down                 # removes it
END
}

case ${1:-} in
    down) down; exit ;;
    images) images_step; exit ;;
    '') ;;
    *) sed -n '/^# usage/,/^#$/s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac

mkdir -p $run
images_step
rm -rf $run
mkdir -p $run
down # what an earlier run with KEEP=1 left
trap finish EXIT
trap 'exit 130' INT TERM
step "outer containers a and b, joined by a link of 1 Gbit/s" start
step "Redis with $memory_mib MiB and the memory service in a" await_services
start_writer
python3 compose/client.py check $run/writes "${address[$a]}" > $run/before
echo "a client writes numbered values to Redis from here on"
moves 1 $a $b stop-and-copy
moves 2 $b $a pre-copy
stop_writer
python3 compose/client.py check $run/writes "${address[$a]}" > $run/after || true
timeout 10 docker exec $a docker logs --timestamps memory > $run/memory.log
python3 compose/report.py $run $work/memory
