#!/bin/sh
# Makes a node of a machine of a public box (Debian 12, Ubuntu 24.04), run by Vagrant as root when the machine is new.
# $1: the public key that root accepts from now on; $2: address of the client, to which the default route of the others does not lead here:
# such a machine has a way out of its own.
set -eu
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
mkdir -p /root/.ssh /opt/lab
printf '%s\n' "$1" > /root/.ssh/authorized_keys
chmod 700 /root/.ssh
chmod 600 /root/.ssh/authorized_keys
printf 'PermitRootLogin prohibit-password\nMaxSessions 100\nMaxStartups 100:30:200\n' > /etc/ssh/sshd_config.d/spraylab.conf
systemctl reload ssh
apt-get -q update
apt-get -q -y install --no-install-recommends containerd runc conntrack ebtables ethtool ipset iptables iputils-arping jq nftables \
  python3-apt rsync socat tcpdump unzip xfsprogs
mkdir -p /etc/containerd /opt/cni/bin /etc/cni/net.d /etc/kubernetes/manifests
cat > /etc/containerd/config.toml <<'TOML'
version = 2

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "registry.k8s.io/pause:3.9"

  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/opt/cni/bin"
    conf_dir = "/etc/cni/net.d"

  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"

    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = true
TOML
printf 'runtime-endpoint: unix:///var/run/containerd/containerd.sock\nimage-endpoint: unix:///var/run/containerd/containerd.sock\n' > /etc/crictl.yaml
swapoff -a
printf 'overlay\nbr_netfilter\n' > /etc/modules-load.d/spraylab.conf
modprobe -a overlay br_netfilter
cat > /usr/local/sbin/spraylab-images <<'SH'
#!/bin/sh
[ -x /usr/local/bin/crictl ] || [ ! -e /opt/lab/crictl.tar.gz ] || tar -C /usr/local/bin --no-same-owner -xzf /opt/lab/crictl.tar.gz || exit 1
[ ! -e /var/lib/spraylab-images-loaded ] || exit 0
for archive in /opt/lab/images/*.tar; do
  [ ! -e "$archive" ] || ctr -n k8s.io images import "$archive" || exit 1
done
touch /var/lib/spraylab-images-loaded
SH
chmod 755 /usr/local/sbin/spraylab-images
cat > /etc/systemd/system/spraylab-images.service <<'UNIT'
[Unit]
Description=Load the lab's image archives into containerd
After=containerd.service
Requires=containerd.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/local/sbin/spraylab-images
TimeoutStartSec=15min
UNIT
systemctl daemon-reload
systemctl restart containerd
