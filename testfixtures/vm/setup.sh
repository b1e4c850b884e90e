# What testfixtures/vm needs from the system, as functions for the script that
# runs the suites: source it and call vm_setup. Debian on amd64.

# vm_missing lists the packages whose files are not there.
vm_missing() {
  local file package
  while read -r file package; do
    [ -e "$file" ] || echo "$package"
  done <<'END'
/usr/bin/qemu-system-x86_64 qemu-system-x86
/usr/bin/swtpm swtpm
/usr/share/OVMF/OVMF_VARS_4M.snakeoil.fd ovmf
/usr/sbin/cryptsetup cryptsetup-bin
/usr/sbin/dmsetup dmsetup
/usr/sbin/nft nftables
/usr/bin/sbsign sbsigntool
/usr/bin/openssl openssl
/usr/sbin/mke2fs e2fsprogs
/usr/sbin/mkswap util-linux
/usr/lib/x86_64-linux-gnu/libkmod.so.2 libkmod2
END
}

# vm_setup installs what is missing, and lets apt know of the kernel that the
# tests download. The machines' disks are made by the tests.
vm_setup() {
  local missing
  if [ -n "${POSTERN_NO_VM:-}" ]; then
    echo "POSTERN_NO_VM is set: no machines"
    return 0
  fi
  mapfile -t missing < <(vm_missing)
  if [ ${#missing[@]} -eq 0 ] && apt-cache show linux-image-amd64 >/dev/null 2>&1; then
    qemu-system-x86_64 --version | head -n 1
    return 0
  fi
  if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "missing for the vm suite: ${missing[*]:-a list of packages} (Debian: apt-get update, apt-get install)"
    return 1
  fi
  apt-get update -qq
  if [ ${#missing[@]} -gt 0 ]; then
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
  fi
  qemu-system-x86_64 --version | head -n 1
}
