# What testfixtures/wine needs from the system, as functions for the script that
# runs the suites: source it and call wine_setup. Debian and Ubuntu.

# wine_setup installs Wine if it is missing. The prefix is made by the tests.
wine_setup() {
  if command -v wine >/dev/null && command -v wineserver >/dev/null && command -v wineboot >/dev/null; then
    wine --version 2>/dev/null
    return 0
  fi
  if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "wine is missing: install it for the wine suite (Debian: apt-get install wine wine64)"
    return 1
  fi
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends wine wine64
  wine --version 2>/dev/null
}
