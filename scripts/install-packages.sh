#!/bin/sh
# Installs the Debian packages that Cairn's tests and benchmarks use. Cairn itself needs none of them: only a C compiler.
set -eu

packages='
gcc          the compiler that everything is compared with
g++          the same for C++
gobjc        Objective-C with gcc
gobjc++      Objective-C++ with gcc
clang-14     the clang of Debian 12
clang-19     the newest clang that Debian 12 has
make         builds whose output is compared with and without Cairn
cmake        CMAKE_C_COMPILER_LAUNCHER, in a real build
ninja-build  the build tool that notices wrong dependency files
dpkg-dev     the hardening flags with which Debian builds packages
ccache       the benchmark compares with it
sccache      the benchmark compares with it
nginx-light  the remote storage behind ccache with which the benchmark compares
valgrind     memory errors of the compiler wrapper
strace       which files a compiler really looks for
iproute2     network namespaces of the lab
nftables     its routers, which translate addresses
bubblewrap   the sandbox in which the compiles of others run
procps       processes that a test may have left behind
'

# Real clients of the doors for build tools, some of them large, and what compiles elsewhere as well, to compare with: where they cannot be had, the
# rest is enough, and their tests are skipped.
optional='
distcc             the benchmark of compiling elsewhere compares with it
icecc              the same
bazel-bootstrap    a real Bazel: 40 MB to fetch with all that belongs to it, and 116 MB of Java where there is none
bazel-rules-cc     rules that Bazel loads for every project, as files, so that it fetches nothing
bazel-rules-java   the same
bazel-rules-proto  the same
bazel-skylib       a library of Bazel for rules
bazel-platforms    names of processors and systems for Bazel
gradle             a real Gradle: 64 MB to fetch
'

usage() {
  cat <<'EOF'
usage: scripts/install-packages.sh [--print | --yes | --help]

  (nothing)  lists what is missing, asks, installs it with apt-get
  --print    lists what it would do and does nothing
  --yes      does not ask; the same when CI=true
  --help     this text

Installs only what is missing; when nothing is, it touches neither the system nor the network.
Of what is listed apart, whatever cannot be had is a warning.
It needs root: run it as root or through sudo. To refuse, answer no; the tests that need
a missing tool are then skipped and say so.
EOF
}

mode=ask
[ "${CI:-}" = true ] && mode=yes
case ${1:-} in
  '') ;;
  --print) mode=print ;;
  --yes) mode=yes ;;
  --help | -h) usage; exit 0 ;;
  *) usage >&2; exit 2 ;;
esac

if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
  echo "install-packages: this system has no apt-get; install by its own means:" >&2
  echo "$packages" >&2
  exit 1
fi

installed() {
  [ "$(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# What of a list is missing here, a line each.
missing_of() {
  while read -r name why; do
    if [ -n "$name" ] && ! installed "$name"; then printf '  %-17s %s\n' "$name" "$why"; fi
  done <<EOF
$1
EOF
}

# The names in such lines, one after the other.
names_of() {
  printf '%s\n' "$1" | while read -r name _; do [ -z "$name" ] || printf ' %s' "$name"; done
}

needed=$(missing_of "$packages")
wanted=$(missing_of "$optional")
if [ -z "$needed$wanted" ]; then
  echo "install-packages: everything is installed."
  exit 0
fi

echo 'The tests and benchmarks use these Debian packages, which are missing here:'
[ -z "$needed" ] || printf '%s\n' "$needed"
[ -z "$wanted" ] || printf ' and, if they can be had:\n%s\n' "$wanted"
echo 'Would run:'
echo '  apt-get update'
[ -z "$needed" ] || echo "  apt-get install --yes --no-install-recommends$(names_of "$needed")"
[ -z "$wanted" ] || echo "  apt-get install --yes --no-install-recommends$(names_of "$wanted")"
[ "$mode" = print ] && exit 0

if [ "$(id -u)" -ne 0 ]; then
  echo "install-packages: this needs root:  sudo sh scripts/install-packages.sh" >&2
  [ -z "$needed" ] && exit 0 # The tests of what is missing are skipped.
  exit 1
fi
if [ "$mode" = ask ]; then
  printf 'Install them? [y/N] '
  read -r answer || answer=
  case $answer in
    y | Y | yes) ;;
    *) echo "Nothing was installed."; exit 1 ;;
  esac
fi

export DEBIAN_FRONTEND=noninteractive
apt-get update -qq || [ -z "$needed" ]

# Another release of Debian may not have every version: what it lacks is named and left out.
available_of() {
  for name in $(names_of "$1"); do
    if apt-cache show "$name" >/dev/null 2>&1; then
      printf ' %s' "$name"
    else
      echo "install-packages: this release has no package $name; the tests that need it will be skipped." >&2
    fi
  done
}

# Word splitting is wanted: one argument a package.
# shellcheck disable=SC2086
install() {
  [ -z "$1" ] || apt-get install --yes --no-install-recommends $1
}

# Some would be started as services, now and at each boot: the benchmarks run their own, and icecc's call to a whole network.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap 'rm -f "$policy"' EXIT
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
fi
available=$(available_of "$needed")
install "$available"
optional_available=$(available_of "$wanted")
install "$optional_available" ||
  echo "install-packages: warning:$optional_available could not be installed; the tests that need them will be skipped." >&2
for service in nginx-light:nginx distcc:distcc icecc:iceccd icecc:icecc-scheduler; do
  case "$available$optional_available " in
    *" ${service%:*} "*) systemctl disable --quiet "${service#*:}" 2>/dev/null || update-rc.d "${service#*:}" disable 2>/dev/null || true ;;
  esac
done
