#!/bin/bash
# Fuzzes whatever reads a peer's bytes, with Jazzer: frames and plans, file trees, memory, image archives, CRIU's images.
# As root: file trees have owners.
# usage: runtime/fuzz.sh [SECONDS]     of each target; default 60
# What it finds it leaves in runtime/target/fuzz/TARGET and ends with 1, as it does when a target did not run. Mend it, and add the input to runtime/src/test/fuzz/TARGET.
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
found=
idle=
for target in frame:fuzz.FrameTarget tree:fuzz.TreeTarget memory:fuzz.MemoryTarget image_archive:dind.ImageArchiveTarget criu_image:fuzz.CriuImageTarget; do
    corpus=${target%%:*}
    log=$work/$corpus/log
    mkdir -p "$work/$corpus/corpus"
    echo "== ${target#*:}: $seconds s"
    ended=0
    image/with-jdk java --enable-native-access=ALL-UNNAMED -XX:+EnableDynamicAgentLoading -cp "$work/lib/*:$classes" com.code_intelligence.jazzer.Jazzer \
        "--target_class=io.pagurus.${target#*:}" --instrumentation_includes='io.pagurus.**' --custom_hook_includes='io.pagurus.none' \
        "--reproducer_path=$work/$corpus" "-artifact_prefix=$work/$corpus/" -max_total_time="$seconds" -max_len=65536 -timeout=10 -rss_limit_mb=4096 \
        "$work/$corpus/corpus" "runtime/src/test/fuzz/$corpus" > "$log" 2>&1 || ended=$?
    grep -E '^== Java|^SUMMARY: libFuzzer|^#[0-9]+.*DONE|^Done' "$log" | tail -n 5 || true
    if grep -qE '^== Java|^SUMMARY: libFuzzer' "$log"; then
        found=yes
    elif [ "$ended" -ne 0 ] || ! grep -qE '^#[0-9]+.*DONE' "$log"; then
        # Neither a finding nor the fuzzer's last line: a Java that is too old, a class that is missing, a signal.
        idle=yes
        echo "fuzz: ${target#*:} did not run to its end (exit code $ended); the end of $log:" >&2
        tail -n 20 "$log" >&2
    fi
done
if [ -n "$found" ]; then
    echo "fuzz: something was found; see $work" >&2
fi
[ -z "$found$idle" ]
