#!/bin/sh
# Runs inside the new root as its last step: takes out what the wrapper image never runs.
# Nothing can be installed there afterwards; /var/lib/dpkg/status still lists what is in it, for scanners.
set -eu

# The package tools, what only their scripts need, and account tools. Their maintainer scripts go first, because they call
# the very packages that are being removed.
unwanted="adduser apt debconf debian-archive-keyring diffutils gcc-14-base init-system-helpers libapt-pkg7.0 libdb5.3t64
    libdebconfclient0 libpam-modules libpam-modules-bin libpam-runtime liblastlog2-2 libsemanage2 libsemanage-common
    libsepol2 libsqlite3-0 login login.defs openssl openssl-provider-legacy passwd perl-base sqv sysvinit-utils tzdata"
rm -f /var/lib/dpkg/info/*.preinst /var/lib/dpkg/info/*.prerm /var/lib/dpkg/info/*.postinst /var/lib/dpkg/info/*.postrm \
    /var/lib/dpkg/info/*.triggers
# shellcheck disable=SC2086 # a list of names
dpkg --purge --force-depends --force-remove-essential --force-remove-protected $unwanted >/dev/null 2>&1
ldconfig

# The inner engine starts containers through the v2 shim alone.
rm -f /usr/bin/ctr /usr/bin/containerd-shim /usr/bin/containerd-shim-runc-v1 /usr/bin/pzstd
# Most outer containers never use Compose: it is unpacked at first use, by a plugin of the same name.
mkdir -p /usr/lib/pagurus
zstd -q -19 -T0 --rm /usr/libexec/docker/cli-plugins/docker-compose -o /usr/lib/pagurus/docker-compose.zst
rm -f /usr/bin/docker-compose
# Programs whose libraries went with the packages above, and libraries that no program here uses.
rm -f /usr/sbin/update-passwd /usr/sbin/arpd /usr/bin/lslogins
rm -f /usr/lib/*/libssl.so.* /usr/lib/*/libmvec.so.* /usr/lib/*/libpanelw.so.* /usr/lib/*/libmenuw.so.* /usr/lib/*/libformw.so.*
# Consoles, disks, file systems, other networks than ours, locale and time zone compilers: a container has none of these.
for program in agetty blkdiscard blkid blkzone blockdev bridge chcpu chmem dcb devlink fsck fsck.cramfs fsck.minix fsfreeze fstrim \
    genl hwclock infocmp isosize ldattach localedef lscpu lsblk lsmem mkfs mkfs.bfs mkfs.cramfs mkfs.minix mkswap more partx \
    pivot_root rdma rtacct rtcwake rtmon runcon script scriptlive scriptreplay su sulogin swaplabel swapoff swapon tic tipc vdpa \
    wdctl wipefs zdump zic zramctl; do
    rm -f /usr/bin/$program /usr/sbin/$program
done
rm -f /usr/lib/*/libudev.so.* /usr/lib/*/libpam*.so.* /usr/bin/findmnt /usr/sbin/runuser
rm -rf /usr/lib/*/gconv /usr/lib/*/krb5 /usr/lib/*/perl* /usr/lib/*/security

# Documentation of packages that dpkg unpacked before it knew better, and everything for a host that boots.
find /usr/share/doc -type f ! -name copyright -delete
rm -rf /usr/share/bash-completion /usr/share/fish /usr/share/gdb /usr/share/info /usr/share/lintian /usr/share/locale \
    /usr/share/man /usr/share/menu /usr/share/perl5 /usr/share/pam* /usr/share/zsh /usr/share/docker.io \
    /usr/lib/systemd /usr/lib/udev /usr/lib/init /usr/lib/apt /usr/lib/tmpfiles.d \
    /etc/init.d /etc/rc?.d /etc/cron* /etc/logrotate.d /etc/apt /etc/dpkg /etc/default /etc/pam.d /etc/security /etc/systemd
rm -rf /usr/bin/dpkg* /usr/sbin/dpkg* /usr/lib/dpkg /usr/share/dpkg /usr/sbin/start-stop-daemon
find /var/lib/apt /var/lib/dpkg /var/cache /var/log /var/backups /tmp /var/tmp -mindepth 1 ! -path /var/lib/dpkg/status -delete
