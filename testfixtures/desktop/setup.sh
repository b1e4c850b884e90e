# What testfixtures/desktop needs from the system, as functions for the script
# that runs the suites: source it and call desktop_setup. Debian and Ubuntu.
# Wine is testfixtures/wine's matter.

# desktop_missing lists the packages whose files are not there.
desktop_missing() {
  local file package
  while read -r file package; do
    [ -e "$file" ] || echo "$package"
  done <<'END'
/usr/bin/Xvfb xvfb
/usr/bin/xfce4-panel xfce4-panel
/usr/share/dbus-1/services/org.xfce.Xfconf.service xfconf
/usr/bin/openbox openbox
/usr/bin/xdotool xdotool
/usr/bin/xdg-open xdg-utils
/usr/bin/dunst dunst
/usr/bin/dbus-daemon dbus-daemon
/usr/share/icons/Adwaita/index.theme adwaita-icon-theme
/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf fonts-dejavu-core
END
}

# desktop_setup installs what is missing. Nothing of it is started here: the
# tests run their own screen, bus and panel, and end them.
desktop_setup() {
  local missing
  mapfile -t missing < <(desktop_missing)
  if [ ${#missing[@]} -eq 0 ]; then
    echo "desktop: nothing is missing"
    return 0
  fi
  if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "desktop: missing: install for the desktop suite (Debian: apt-get install ${missing[*]})"
    return 1
  fi
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null || return 1
  echo "desktop: installed ${missing[*]}"
}
