#!/bin/bash
# What TLS costs: the same bytes over the runtime's own transport with TLS and without, in turns. Needs no image, no Docker.
# usage: benchmarks/tls.sh [MIB] [PAIRS] [MBIT/S...]     default: 256 MiB, 21 pairs, no limit, 1000 and 100 Mbit/s
set -euo pipefail
cd "$(dirname "$0")/.."
mib=${1:-256}
pairs=${2:-21}
shift $(($# > 2 ? 2 : $#))
[ $# -gt 0 ] || set -- 0 1000 100
image/mvn -q -B -ntp -pl runtime -am -DskipTests package
key=$(mktemp -d)
trap 'rm -rf "$key"' EXIT
# The heap and the collector of the image's runtime.
image/with-jdk java -Xmx96m -XX:+UseSerialGC --enable-native-access=ALL-UNNAMED \
    -cp 'runtime/target/test-classes:runtime/target/classes:runtime/target/lib/*' \
    io.pagurus.transfer.TlsShare "$key" "$mib" "$pairs" "$@"
