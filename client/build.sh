#!/bin/sh
# Builds the compiler wrapper: build.sh OUTPUT [CC]
# Tries the small build without a C library first (see sys.h), then a static and a dynamic one with it.
set -eu
output=$1
cc=${2:-cc}
sources=$(dirname "$0")
# In the same directory, so that it can be renamed; by this name, because by any other it would stand for a compiler.
unfinished=$(dirname "$output")/cairn-cc.$$
trap 'rm -f "$unfinished" "$unfinished.log"' EXIT

build() {
  # shellcheck disable=SC2086 # CC may carry arguments.
  $cc -std=gnu11 -D_GNU_SOURCE -O2 -Wall -Wextra "$@" "$sources"/*.c -o "$unfinished" 2>"$unfinished.log"
}
freestanding() {
  build -DCAIRN_FREESTANDING -ffreestanding -nostdlib -static -fno-pie -fno-stack-protector \
    -fno-asynchronous-unwind-tables -Wl,-z,noseparate-code -Wl,-z,noexecstack -Wl,--build-id=none -s
}
# What was built must run here before it takes the place of a compiler.
works() { "$unfinished" --version >/dev/null 2>>"$unfinished.log"; }

if { freestanding && works; } || { build -static -s && works; } || { build -s && works; }; then
  mv -f "$unfinished" "$output"
else
  cat "$unfinished.log" >&2
  exit 1
fi
