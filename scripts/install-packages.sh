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

usage() {
  cat <<'EOF'
usage: scripts/install-packages.sh [--print | --yes | --help]

  (nothing)  lists what is missing, asks, installs it with apt-get
  --print    lists what it would do and does nothing
  --yes      does not ask; the same when CI=true
  --help     this text

Installs only what is missing; when nothing is, it touches neither the system nor the network.
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

missing=
listing=
while read -r name why; do
  if [ -n "$name" ] && ! installed "$name"; then
    missing="$missing $name"
    listing="$listing$(printf '  %-12s %s' "$name" "$why")
"
  fi
done <<EOF
$packages
EOF

if [ -z "$missing" ]; then
  echo "install-packages: everything is installed."
  exit 0
fi

printf 'The tests and benchmarks use these Debian packages, which are missing here:\n%s' "$listing"
printf 'Would run:\n  apt-get update\n  apt-get install --yes --no-install-recommends%s\n' "$missing"
[ "$mode" = print ] && exit 0

if [ "$(id -u)" -ne 0 ]; then
  echo "install-packages: this needs root:  sudo sh scripts/install-packages.sh" >&2
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
apt-get update -qq

# Another release of Debian may not have every version: what it lacks is named and left out.
available=
for name in $missing; do
  if apt-cache show "$name" >/dev/null 2>&1; then
    available="$available $name"
  else
    echo "install-packages: this release has no package $name; the tests that need it will be skipped." >&2
  fi
done
if [ -n "$available" ]; then
  # nginx would be started as a service, now and at each boot: the benchmark runs one of its own.
  policy=/usr/sbin/policy-rc.d
  if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
  fi
  # Word splitting is wanted: one argument a package.
  # shellcheck disable=SC2086
  apt-get install --yes --no-install-recommends $available
  case $available in
    *nginx*) systemctl disable --quiet nginx 2>/dev/null || true ;;
  esac
fi
