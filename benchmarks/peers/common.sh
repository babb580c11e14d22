#!/bin/bash
# What the peers' scripts share; README.md describes the verbs.
set -euo pipefail
readonly port=9000

# Says what begins now.
at() { echo "AT $EPOCHREALTIME $1"; }

# Reads a tree of files from the link, or writes one to it. No ssh: encryption would only make the peers slower.
receive_tree() { nc -l -p $port | tar --extract --directory "$1"; }
send_tree() { tar --create --directory "$1" "${3:-.}" | nc -N "$2" $port; }

# Waits until the other half of a move listens.
listening() {
    until ss --listening --tcp --numeric --no-header "sport = :$port" | grep -q .; do sleep 0.02; done
}

# until_seen WORD COMMAND...: repeats the command until its output has the word, for at most a minute; prints the output.
until_seen() {
    local word=$1 deadline=$((SECONDS + 60)) output
    shift
    until output=$("$@" 2>&1) && grep -q "$word" <<< "$output"; do
        [ $SECONDS -lt $deadline ] || { echo "no $word from memhog: $output" >&2; return 1; }
        sleep 0.02
    done
    echo "$output"
}

prepare() { :; }
clear() { pkill -x nc || true; }
main() { "$@"; }
