# What testfixtures/dist needs from the system, as functions for the script that
# runs the suites: source it and call dist_setup. Debian and Ubuntu. Wine and the
# desktop are the matter of testfixtures/wine and testfixtures/desktop.

# dist_missing lists the packages whose files are not there.
dist_missing() {
  local file package
  while read -r file package; do
    [ -e "$file" ] || echo "$package"
  done <<'END'
/usr/bin/desktop-file-validate desktop-file-utils
/usr/bin/mandoc mandoc
/usr/share/bash-completion/bash_completion bash-completion
END
}

# dist_setup installs what is missing. The tests say what they left out without
# it, so a machine on which nothing can be installed is no failure.
dist_setup() {
  local missing
  mapfile -t missing < <(dist_missing)
  if [ ${#missing[@]} -eq 0 ]; then
    echo "dist: nothing is missing"
    return 0
  fi
  if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "dist: missing: less is looked at of what ships (Debian: apt-get install ${missing[*]})"
    return 0
  fi
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null || return 1
  echo "dist: installed ${missing[*]}"
}
