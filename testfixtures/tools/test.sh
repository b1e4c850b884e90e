#!/usr/bin/env bash
# Runs every suite of the project and says how long each took. A suite that
# fails does not stop the next; the script fails at the end if any did.
# Needs go, git and make. Run it by "make test".
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

# What ships is built without cgo, so it is tested without.
export CGO_ENABLED=0

# Rooms with goroutines of their own, for the race detector. broker/store is
# left out on purpose: SQLite in Go takes many minutes under it.
RACE_ROOMS="platform/clock platform/ipc platform/machine platform/osexec platform/service platform/session platform/watch
  platform/browser platform/notify
  posture/collect
  broker/apiclient broker/server broker/gateway broker/connector broker/devidp broker/dev
  tunnel/wg tunnel/netcfg tunnel/engine
  client/localapi client/loopback client/login client/brokerclient client/signin client/statuspage client/localserver client/agent
  tray/shell tray/desk tray/cmd/postern-tray"

# What the suites that use real parts need from the system.
# shellcheck source=/dev/null
for part in wine netlab vm browser desktop dist; do . "testfixtures/$part/setup.sh"; done

# A demo that hangs is a failed demo; in seconds.
DEMO_LIMIT=600

suite_setup() {
  local tool
  for tool in go git make; do
    command -v "$tool" >/dev/null || { echo "$tool is missing"; return 1; }
  done
  go version
  # The race detector links with the system's C compiler.
  if ! command -v gcc >/dev/null; then
    if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
      echo "gcc is missing: install it for the race suite (Debian: apt-get install gcc libc6-dev)"
      return 1
    fi
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends gcc libc6-dev
  fi
  go mod download
  go mod download -modfile=testfixtures/tools/go.mod
  wine_setup
  netlab_setup
  vm_setup
  browser_setup
  desktop_setup
  dist_setup
}

suite_lint() { make lint; }

suite_unit() {
  local packages
  packages=$(go list ./...)
  # Word splitting is wanted: one argument for each package.
  # shellcheck disable=SC2086,SC2046
  go test $(grep -vE '/testfixtures/(e2e|wine|netlab|vm|machines|live|browser|desktop|ipc|dist)' <<<"$packages")
  go -C testfixtures/tools test ./...
}

# Recorded machines, this machine, and machines that the tests make: Windows
# under Wine, firewalls in namespaces, a virtual machine with an encrypted disk.
suite_posture() {
  local rooms="./testfixtures/machines ./testfixtures/live ./testfixtures/wine ./testfixtures/netlab ./testfixtures/vm"
  # Packages side by side: the virtual machines mostly wait.
  # shellcheck disable=SC2086
  go test -count=1 -p 3 $rooms
  if [ -n "${POSTERN_NO_VM:-}" ]; then echo "left out by POSTERN_NO_VM: virtual machines"; fi
  if [ -n "${POSTERN_NO_NETNS:-}" ]; then echo "left out by POSTERN_NO_NETNS: firewalls in namespaces"; fi
}

# A person's sign-in in a real browser, at a real provider.
suite_identity() {
  go test -count=1 ./testfixtures/browser
  if [ -n "${POSTERN_NO_BROWSER:-}" ]; then echo "left out by POSTERN_NO_BROWSER: sign-in in a browser"; fi
}

# What employees see: the tray on a real desktop and under Wine, the status page
# in a browser, the local socket with several users of one machine, and the
# programs for Windows under Wine.
suite_tray() { go test -count=1 -p 2 ./testfixtures/desktop/... ./testfixtures/browser/page ./testfixtures/ipc ./testfixtures/wine/agent; }

suite_race() {
  local room present=() absent=()
  for room in $RACE_ROOMS; do
    if [ -d "$room" ]; then present+=("./$room"); else absent+=("$room"); fi
  done
  if [ ${#absent[@]} -gt 0 ]; then echo "not in this tree: ${absent[*]}"; fi
  if [ ${#present[@]} -eq 0 ]; then echo "nothing to test"; return 1; fi
  CGO_ENABLED=1 go test -race "${present[@]}"
}

# Never from the cache: the suite is about files, and takes no time.
suite_arch() { go test -count=1 ./testfixtures/arch; }

suite_e2e() { go test -count=1 ./testfixtures/e2e/...; }

suite_demo() { JSON=1 timeout "$DEMO_LIMIT" make demo; }

# Builds what ships for six targets, and looks at it: what Windows and macOS read
# of the programs, the tray under Wine, an installation on Linux.
suite_cross() {
  make cross
  POSTERN_DIST=$PWD/dist go test -count=1 ./testfixtures/dist
}

failed=()

# suite NAME FUNCTION runs one suite in a shell of its own that stops at the
# first command that fails, and reports it in one line.
suite() {
  local name=$1 body=$2 start=$SECONDS result=OK
  echo "--- $name"
  (
    set -e
    "$body"
  )
  # Not "if ( … )": inside a condition set -e has no effect.
  # shellcheck disable=SC2181
  if [ $? -ne 0 ]; then
    result=FAILED
    failed+=("$name")
  fi
  echo "suite $name: $result in $((SECONDS - start)) s"
}

suite set-up suite_setup
suite vet+lint suite_lint
suite unit suite_unit
suite posture suite_posture
suite identity suite_identity
suite tray suite_tray
suite race suite_race
suite arch suite_arch
suite e2e suite_e2e
suite demo suite_demo
suite cross suite_cross

if [ ${#failed[@]} -gt 0 ]; then
  echo "failed: ${failed[*]} (all suites: $SECONDS s)"
  exit 1
fi
echo "all suites passed in $SECONDS s"
