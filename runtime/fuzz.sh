#!/bin/bash
# Fuzzes whatever reads a peer's bytes, with Jazzer: frames and plans, file trees, CRIU's images. As root: file trees have owners.
# usage: runtime/fuzz.sh [SECONDS]     of each target; default 60
# What it finds it leaves in runtime/target/fuzz/TARGET and ends with 1. Mend it, and add the input to runtime/src/test/fuzz/TARGET.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-60}
jazzer=0.30.0
mvn=(image/mvn -q -B -ntp -Dstyle.color=never)
work=$PWD/runtime/target/fuzz
mkdir -p "$work/lib"
"${mvn[@]}" -pl runtime -am -DskipTests package
for artifact in jazzer jazzer-api; do
    "${mvn[@]}" -N dependency:copy "-Dartifact=com.code-intelligence:$artifact:$jazzer" "-DoutputDirectory=$work/lib"
done
classes="runtime/target/test-classes:runtime/target/classes:runtime/target/lib/*"
java=${JAVA_HOME:+$JAVA_HOME/bin/}java
found=
for target in frame:FrameTarget tree:TreeTarget criu_image:CriuImageTarget; do
    corpus=${target%%:*}
    mkdir -p "$work/$corpus/corpus"
    echo "== ${target#*:}: $seconds s"
    if ! "$java" --enable-native-access=ALL-UNNAMED -XX:+EnableDynamicAgentLoading -cp "$work/lib/*:$classes" com.code_intelligence.jazzer.Jazzer \
        "--target_class=io.pagurus.fuzz.${target#*:}" --instrumentation_includes='io.pagurus.**' --custom_hook_includes='io.pagurus.none' \
        "--reproducer_path=$work/$corpus" "-artifact_prefix=$work/$corpus/" -max_total_time="$seconds" -max_len=65536 -timeout=10 -rss_limit_mb=4096 \
        "$work/$corpus/corpus" "runtime/src/test/fuzz/$corpus" > "$work/$corpus/log" 2>&1; then
        found=yes
    fi
    grep -E '^== Java|^#[0-9]+.*DONE|^Done' "$work/$corpus/log" | tail -n 5 || true
done
if [ -n "$found" ]; then
    echo "fuzz: something was found; see $work" >&2
    exit 1
fi
