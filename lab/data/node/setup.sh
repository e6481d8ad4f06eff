#!/bin/sh
# Runs once inside the new root (chroot), as root, after the packages and before the image is made.
set -eu
export LC_ALL=C

# No source: `apt update` then succeeds with nothing to fetch.
: > /etc/apt/sources.list
rm -f /etc/apt/sources.list.d/*
apt-get clean
rm -rf /var/lib/apt/lists/* /var/cache/debconf/*-old /var/log/*.log /usr/share/doc/* /usr/share/man/* /usr/share/locale/*
rm -f /etc/hostname /etc/resolv.conf

# Each node gets its own identity when it boots.
: > /etc/machine-id
rm -f /var/lib/dbus/machine-id
rm -f /etc/ssh/ssh_host_rsa_key* /etc/ssh/ssh_host_ecdsa_key*

mkdir -p /lib/modules /opt/lab /opt/cni/bin /etc/cni/net.d /etc/kubernetes/manifests /root/.ssh
chmod 700 /root/.ssh
chmod 755 /usr/local/sbin/spraylab-entry /usr/local/sbin/spraylab-images

# What a container cannot do, or what would only delay it.
systemctl mask -- \
  getty.target console-getty.service getty@.service serial-getty@.service \
  systemd-networkd.service systemd-networkd.socket systemd-networkd-wait-online.service systemd-resolved.service systemd-timesyncd.service \
  systemd-remount-fs.service systemd-firstboot.service systemd-modules-load.service systemd-sysctl.service systemd-update-utmp.service \
  systemd-random-seed.service systemd-boot-update.service sys-kernel-debug.mount sys-kernel-tracing.mount sys-kernel-config.mount \
  dev-hugepages.mount dev-mqueue.mount proc-sys-fs-binfmt_misc.automount systemd-binfmt.service systemd-pstore.service \
  apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer \
  swap.target packagekit.service apparmor.service nftables.service
systemctl enable containerd.service ssh.service spraylab-images.service
systemctl set-default multi-user.target
