#!/bin/sh
# Makes the Debian that the images of Containerfile begin with, in the folder $1. As root.
set -eu
root=$1

# Where this machine has its Debian packages from: Debian's own repository, and that of security updates.
mirror() {
    apt-get indextargets --format '$(LABEL) $(REPO_URI)' 'Created-By: Packages' |
        sed -n "s/^$1 \(http.*\)/\1/p" | head -1
}
proxy=$(apt-config dump --format '%v%n' Acquire::http::Proxy | head -1)
case $proxy in '' | DIRECT) ;; *) export http_proxy="$proxy" ;; esac

debian=$(mirror Debian)
security=$(mirror Debian-Security)
debootstrap --variant=minbase bookworm "$root" $debian
{
    echo "deb ${debian:-http://deb.debian.org/debian} bookworm main"
    echo "deb ${debian:-http://deb.debian.org/debian} bookworm-updates main"
    echo "deb ${security:-http://security.debian.org/debian-security} bookworm-security main"
} >"$root/etc/apt/sources.list"
for file in etc/resolv.conf etc/hosts; do
    # It may be a link that leads out of the folder.
    if [ -e "/$file" ]; then rm -f "${root:?}/$file" && cp "/$file" "$root/$file"; fi
done
# Roots of this machine's own are among those of the package, once that is installed.
mkdir -p "$root/usr/local/share/ca-certificates"
cp -r /usr/local/share/ca-certificates/. "$root/usr/local/share/ca-certificates/" 2>/dev/null || true
apt-config dump | grep -E '^Acquire::(http::Proxy|Check-)' >"$root/etc/apt/apt.conf.d/90machine" || true
# What debootstrap mounts for the packages' scripts; whoever runs steps mounts his own.
for point in $(cut -d' ' -f2 /proc/mounts | grep "^$root/" | sort -r); do umount "$point"; done
