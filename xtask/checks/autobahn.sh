#!/bin/sh
# Makes a Debian of its own with the Autobahn test suite, which runs on Python 2.7 and OpenSSL 1.1 only,
# in the folder $1. As root.
set -eu
root=$1

umount_all() { # Nothing beyond may be removed with the folder; what lies within others was mounted later.
    cut -d' ' -f2 /proc/mounts | grep "^$1/" | sort -r | while read -r point; do umount "$point"; done
}
new=$root.$$
trap 'umount_all "$new"; rm -rf "$new"' EXIT

# Where this machine has its Debian packages from; Debian's own repository, not that of security updates.
mirror=$(apt-get indextargets --format '$(ORIGIN) $(LABEL) $(REPO_URI)' 'Created-By: Packages' |
    sed -n 's/^Debian Debian \(http.*\)/\1/p' | head -1)
proxy=$(apt-config dump --format '%v%n' Acquire::http::Proxy | head -1)
case $proxy in '' | DIRECT) ;; *) export http_proxy="$proxy" ;; esac

libraries=ca-certificates,gcc,libc6-dev,libffi-dev,libssl-dev
debootstrap --variant=minbase --include=python2.7,python2.7-dev,python-pip-whl,$libraries bullseye "$new" $mirror
for file in etc/resolv.conf etc/hosts etc/pip.conf etc/ssl/certs/ca-certificates.crt; do
    # It may be a link that leads out of the folder.
    if [ -e "/$file" ]; then rm -f "${new:?}/$file" && cp "/$file" "$new/$file"; fi
done
pip() { chroot "$new" env HOME=/root PYTHONPATH="$wheels" python2.7 -m pip install -q --no-cache-dir "$@"; }
# Debian has pip for Python 2.7 as wheels only, which run from where they lie.
wheels=$(cd "$new" && printf '/%s:' usr/share/python-wheels/*.whl)
pip pip==20.3.4 setuptools==44.0.0 wheel==0.36.2
wheels=
pip incremental==16.10.1 pyOpenSSL==19.1.0 cryptography==3.3.2
# wsaccel is what the suite masks and validates with if it is there, instead of in Python.
pip --no-build-isolation Twisted==19.10.0 wsaccel==0.6.2
pip --no-build-isolation txaio==2.1.0 zope.interface==4.6.0 jinja2==2.11.3 markupsafe==1.1.1 \
    Werkzeug==1.0.1 klein==17.10.0 service_identity==18.1.0 unittest2==1.1.0 six==1.16.0 autobahn==0.10.9
pip --no-deps autobahntestsuite==25.10.1
chroot "$new" wstest --autobahnversion
umount_all "$new"
umount_all "$root"
rm -rf "$root" && mv "$new" "$root"
