# What testfixtures/netlab needs from the system, as functions for the script
# that runs the suites: source it and call netlab_setup. Debian and Ubuntu.

# netlab_setup installs what is missing, one line on what that was. Nothing of
# it is started here, now or when this system starts: the tests run their own
# firewalls in namespaces of their own.
netlab_setup() {
  local missing=() package
  # A program and the package that brings it.
  for package in ip=iproute2 setpriv=util-linux nft=nftables iptables-nft=iptables ufw=ufw firewalld=firewalld dbus-daemon=dbus; do
    netlab_has "${package%%=*}" || missing+=("${package#*=}")
  done
  if [ ${#missing[@]} -eq 0 ]; then
    echo "netlab: nothing is missing"
    return 0
  fi
  if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "netlab: missing: install for the netlab suite (Debian: apt-get install ${missing[*]})"
    return 1
  fi
  netlab_install "${missing[@]}"
}

# netlab_has looks in sbin too, which is not in everybody's PATH.
netlab_has() {
  command -v "$1" >/dev/null || [ -x "/usr/sbin/$1" ] || [ -x "/sbin/$1" ]
}

# netlab_install installs packages. Their services are not started, as invoke-rc.d
# asks policy-rc.d; what the packages enable by themselves is disabled again. It
# is a shell of its own, with which its trap ends.
netlab_install() (
  policy=/usr/sbin/policy-rc.d
  if [ -e "$policy" ] || [ -e "$policy.netlab" ]; then
    [ -e "$policy.netlab" ] || mv "$policy" "$policy.netlab" # else an earlier run was cut off
    trap 'mv "$policy.netlab" "$policy"' EXIT
  else
    trap 'rm -f "$policy"' EXIT
  fi
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 0755 "$policy"

  before=$(netlab_enabled)
  apt-get update -qq || exit 1
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null || exit 1
  for package in "$@"; do
    if command -v update-rc.d >/dev/null; then update-rc.d "$package" disable >/dev/null 2>&1 || true; fi
  done
  # Who enabled it sees from the missing links that it was disabled since, and
  # leaves it so on upgrades.
  comm -13 <(echo "$before") <(netlab_enabled) | while read -r link; do rm -f "$link"; done
  if [ "$before" != "$(netlab_enabled)" ]; then
    echo "netlab: installing changed what starts with this system:"
    diff <(echo "$before") <(netlab_enabled)
    exit 1
  fi
  echo "netlab: installed $*; nothing of it was started or is enabled"
)

# netlab_enabled lists the links by which services start with the system or on
# demand, of systemd and of System V init.
netlab_enabled() {
  find /etc/systemd/system /etc/rc[2-5S].d -type l \
    \( -path '*.wants/*' -o -path '*.requires/*' -o -name '*.service' -o -name 'S[0-9][0-9]*' \) 2>/dev/null | sort
}
