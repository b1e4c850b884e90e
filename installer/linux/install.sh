#!/usr/bin/env bash
# Installs what "make build" built, or removes what it installed. By "make
# install" and "make uninstall"; needs root only if the folders do.
#
#   DESTDIR     put in front of every path, for packages; nothing is run then
#   PREFIX      /usr/local
#   BINDIR      PREFIX/bin
#   DATADIR     PREFIX/share
#   OUT         bin, where the programs were built
#   SYSCONFDIR  /etc, whose xdg/autostart is read at log-on
#
# What was installed stands in DATADIR/postern/installed, a line for each file or
# folder, without DESTDIR. A folder is there only if it was made here.
set -euo pipefail
umask 022
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

destdir=${DESTDIR:-}
destdir=${destdir%/}
prefix=${PREFIX:-/usr/local}
bindir=${BINDIR:-$prefix/bin}
datadir=${DATADIR:-$prefix/share}
sysconfdir=${SYSCONFDIR:-/etc}
built=${OUT:-bin}
list=$datadir/postern/installed

programs="postern posternd postern-tray postern-broker"
icon=postern-tray # as Icon= and the tray's notifications name it
sizes="16 24 32 48 64 128 256"

fail() {
  printf 'make %s: %s\nhint: %s\n' "$1" "$2" "$3" >&2
  exit 1
}

# check refuses paths that a desktop entry would read as something else.
check() {
  local path
  for path in "$prefix" "$bindir" "$datadir" "$sysconfdir"; do
    [[ $path =~ ^/[A-Za-z0-9._/+@-]*$ ]] ||
      fail "$1" "\"$path\" is not a path from the root in plain letters." "desktop entries hold the paths of programs, in which other signs have a meaning."
  done
  [ "$(uname -s)" = Linux ] || fail "$1" "this is for Linux." "on other systems the programs run where they are: make build"
}

# folder makes a folder, notes it and those above it that it had to make.
folder() {
  [ -d "$destdir$1" ] && return
  folder "$(dirname "$1")"
  mkdir "$destdir$1"
  made+=("$1/")
}

# put MODE FILE PATH installs a file.
put() {
  folder "$(dirname "$3")"
  install -m "$1" "$2" "$destdir$3"
  made+=("$3")
}

# entry FILE PATH installs a desktop entry with the paths of its programs, which
# need not be where the desktop looks for programs.
entry() {
  sed -E "s|^(TryExec\|Exec)=postern|\1=$bindir/postern|" "$1" >"$stage/entry"
  put 644 "$stage/entry" "$2"
}

# prepare makes what the command line writes of itself.
prepare() {
  local shell
  LC_ALL=C "$built/postern" man --dir "$stage/man"
  for shell in bash zsh fish; do LC_ALL=C "$built/postern" completion "$shell" >"$stage/$shell"; done
}

put_all() {
  local name page size
  for name in $programs; do put 755 "$built/$name" "$bindir/$name"; done
  for page in "$stage"/man/*.1; do put 644 "$page" "$datadir/man/man1/${page##*/}"; done
  put 644 "$stage/bash" "$datadir/bash-completion/completions/postern"
  put 644 "$stage/zsh" "$datadir/zsh/site-functions/_postern"
  put 644 "$stage/fish" "$datadir/fish/vendor_completions.d/postern.fish"
  put 644 tray/icons/svg/app.svg "$datadir/icons/hicolor/scalable/apps/$icon.svg"
  for size in $sizes; do
    put 644 "tray/icons/png/app-$size.png" "$datadir/icons/hicolor/${size}x$size/apps/$icon.png"
  done
  entry installer/linux/postern.desktop "$datadir/applications/postern.desktop"
  entry installer/linux/postern-tray.desktop "$datadir/applications/postern-tray.desktop"
  entry installer/linux/postern-tray.desktop "$sysconfdir/xdg/autostart/postern-tray.desktop"
}

do_install() {
  local name
  for name in $programs; do
    [ -x "$built/$name" ] || fail install "$built/$name is missing." "make build"
  done
  stage=$(mktemp -d)
  trap 'rm -rf "$stage"' EXIT
  made=()
  prepare
  mkdir -p "$destdir/"
  # An older version may have had files that this one has not.
  if [ -f "$destdir$list" ]; then do_uninstall; fi
  put_all
  folder "$(dirname "$list")"
  made+=("$list")
  printf '%s\n' "${made[@]}" >"$destdir$list"
  refresh
  echo "installed below $destdir$prefix, as listed in $destdir$list"
}

# do_uninstall removes what the list names, the last first, and of the folders
# those that are empty then.
do_uninstall() {
  local path lines
  [ -f "$destdir$list" ] || fail uninstall "nothing is installed: there is no $destdir$list." "give the PREFIX and DESTDIR of the installation."
  mapfile -t lines < <(tac "$destdir$list")
  for path in "${lines[@]}"; do
    [[ $path == /* && $path != *..* ]] || fail uninstall "$destdir$list holds \"$path\", which is no path." "remove the files by hand."
  done
  for path in "${lines[@]}"; do
    case $path in
    */) if [ -d "$destdir$path" ] && [ ! -L "$destdir${path%/}" ]; then rmdir --ignore-fail-on-non-empty "$destdir$path"; fi ;;
    *) rm -f "$destdir$path" ;;
    esac
  done
}

# refresh renews the cache of icons where there is one, as desktops read nothing
# else then. In a package its own scripts do that.
refresh() {
  local icons=$datadir/icons/hicolor
  if [ -z "$destdir" ] && [ -f "$icons/icon-theme.cache" ] && command -v gtk-update-icon-cache >/dev/null; then
    gtk-update-icon-cache -q -t -f "$icons" || echo "the cache of icons could not be renewed: $icons" >&2
  fi
}

case ${1:-} in
install)
  check install
  do_install
  ;;
uninstall)
  check uninstall
  do_uninstall
  refresh
  ;;
*)
  echo "usage: install.sh install|uninstall" >&2
  exit 2
  ;;
esac
