#!/bin/sh
# Builds the program that runs first in a sandbox: build.sh OUTPUT
# Statically, since nothing else of this machine need be in there.
set -eu
output=$1
sources=$(dirname "$0")
for cc in cc gcc clang; do
  if command -v "$cc" >/dev/null 2>&1; then
    CAIRN_DISABLE=1 exec "$cc" -std=gnu11 -D_GNU_SOURCE -O2 -Wall -Wextra -static -s "$sources"/*.c -o "$output"
  fi
done
echo "no C compiler (cc, gcc or clang) on PATH" >&2
exit 1
