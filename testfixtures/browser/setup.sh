# What testfixtures/browser needs from the system, as functions for the script
# that runs the suites and for the demo: source it and call browser_setup.
# Debian and Ubuntu; node is the system's own.

# browser_here is the folder of this file, with package.json beside it.
browser_here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# browser_cache is where the npm packages of this package.json are kept.
browser_cache() {
  local sum
  sum=$(sha256sum <"$browser_here/package.json")
  echo "${XDG_CACHE_HOME:-$HOME/.cache}/postern-browser/${sum:0:16}"
}

# browser_missing lists the packages of the system that are not there.
browser_missing() {
  command -v chromium >/dev/null || echo chromium
  command -v node >/dev/null || echo nodejs
  command -v npm >/dev/null || echo npm
  command -v xdg-open >/dev/null || echo xdg-utils
}

# browser_packages puts the npm packages into their cache. Nothing of theirs is
# run on the way, and no browser comes with them.
browser_packages() {
  local cache made
  cache=$(browser_cache)
  if [ -e "$cache/complete" ]; then
    return 0
  fi
  echo "browser: installing oidc-provider, playwright-core and axe-core from npm into $cache"
  mkdir -p "$(dirname "$cache")" || return 1
  made=$(mktemp -d "$cache.XXXXXX") || return 1
  cp "$browser_here/package.json" "$browser_here/package-lock.json" "$made/" || return 1
  if ! (cd "$made" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2); then
    rm -rf "$made"
    echo "browser: npm could not install them"
    return 1
  fi
  touch "$made/complete"
  # Who else made it meanwhile made the same.
  mv -T "$made" "$cache" 2>/dev/null || rm -rf "$made"
  [ -e "$cache/complete" ]
}

# browser_setup installs what is missing.
browser_setup() {
  local missing
  mapfile -t missing < <(browser_missing)
  if [ ${#missing[@]} -gt 0 ]; then
    if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
      echo "browser: missing: ${missing[*]} (Debian: apt-get install ${missing[*]})"
      return 1
    fi
    echo "browser: installing ${missing[*]} with apt-get"
    apt-get update -qq || return 1
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null || return 1
  fi
  browser_packages
}
