#!/bin/sh
# npm run demo: installs what the demonstration needs if it is not there, then runs scripts/demo.ts.
# Everything it makes lies inside this checkout; it leaves nothing running.
set -eu
cd "$(dirname "$0")/.."

for tool in npm g++; do
  if ! command -v "$tool" >/dev/null; then
    echo "demo: there is no $tool on PATH (Debian: apt install npm gcc g++)" >&2
    exit 1
  fi
done

if [ ! -d node_modules/classic-level/deps ] || [ ! -d node_modules/commander ]; then
  echo "demo: installing dependencies (npm ci), which takes a minute, once"
  npm ci --no-audit --no-fund --loglevel=error
fi

exec bin/with-node scripts/demo.ts "$@"
