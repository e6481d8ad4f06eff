# Goes on where data/node/setup.sh ends: what a machine has and a container node has not.

# The kernel stands beside the image, for a machine boots it directly; its own initial ramdisk is made of four files.
kernel=$(basename /boot/vmlinuz-*)
version=${kernel#vmlinuz-}
depmod "$version"
ram=$(mktemp -d)
mkdir -p "$ram/bin" "$ram/modules"
cp /bin/busybox "$ram/bin/busybox"
cp /box-init "$ram/init"
chmod 755 "$ram/init"
for module in virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci virtio_blk; do
  file=$(find "/lib/modules/$version" -name "$module.ko*")
  if [ -n "$file" ]; then # else it is built in
    cp "$file" "$ram/modules/"
    basename "$file" >> "$ram/modules/order"
  fi
done
(cd "$ram" && find . | cpio --quiet -o -H newc) | gzip -9 > /boot/initrd
rm -rf "$ram" /box-init /boot/initrd.img-* /initrd.img* /vmlinuz*
mv "/boot/$kernel" /boot/vmlinuz

: > /etc/fstab
systemctl unmask -- systemd-networkd.service systemd-networkd.socket systemd-remount-fs.service systemd-modules-load.service systemd-sysctl.service
mkdir -p /etc/systemd/networkd.conf.d
# What addons put on an interface is theirs.
printf '[Network]\nManageForeignRoutes=no\nManageForeignRoutingPolicyRules=no\n' > /etc/systemd/networkd.conf.d/spraylab.conf
sed -i 's/SystemdCgroup = .*/SystemdCgroup = true/' /etc/containerd/config.toml
chmod 755 /usr/local/sbin/spraylab-machine
systemctl enable systemd-networkd.service spraylab-machine.service
rm -rf /var/lib/apt/lists/* /usr/share/doc/* /usr/share/man/* /usr/share/locale/*

# What kubespray loads on a machine, and container nodes find loaded or built in.
printf 'overlay\nbr_netfilter\n' > /etc/modules-load.d/spraylab.conf
