#!/bin/sh
# fetch-project.sh NAME DIRECTORY: unpacks the source of Debian's package NAME below DIRECTORY.
# Needs apt and dpkg-dev. The system's own apt configuration stays as it is: sources are added for this one command.
set -eu
name=$1
directory=$2
apt=$(mktemp -d)
trap 'rm -rf "$apt"' EXIT
chmod 755 "$apt"
mkdir -p "$apt/lists/partial" "$apt/parts" "$directory"
sed 's/^Types: deb$/Types: deb-src/' /etc/apt/sources.list.d/debian.sources >"$apt/parts/sources.sources"
set -- -o Dir::Etc::sourcelist=/dev/null -o "Dir::Etc::sourceparts=$apt/parts" -o "Dir::State::Lists=$apt/lists" -o APT::Sandbox::User=root
apt-get "$@" update >&2
cd "$directory"
apt-get "$@" source -q "$name" >&2
