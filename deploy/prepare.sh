#!/bin/sh
# prepare.sh run|test [--check]
# Makes a Debian or Ubuntu machine ready: finds which system packages dockseal needs and lacks, and installs them.
#   run    what running dockseal needs     test   what its tests need as well
#   --check  only says what is missing
# Exit code 0: nothing is missing (any more). 1: installing failed. 2: something is missing; the line to type is printed.
# Services that packages bring along are not started.
set -eu

usage() {
  echo "usage: prepare.sh run|test [--check]" >&2
  exit 2
}

purpose=${1:-}
check=${2:-}
[ $# -ge 1 ] && [ $# -le 2 ] || usage
case $purpose in run | test) ;; *) usage ;; esac
case $check in '' | --check) ;; *) usage ;; esac

# Programs are looked for, not packages: it takes no time, and a program from elsewhere will do.
# Daemons live in sbin, which is not on everybody's PATH.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
missing=''
need() { # need PACKAGE PROGRAM…
  package=$1
  shift
  for program in "$@"; do
    command -v "$program" >/dev/null 2>&1 && continue
    missing="$missing $package"
    return 0
  done
}

need ffmpeg ffmpeg ffprobe
need bubblewrap bwrap
need util-linux prlimit setpriv
# Chinese letters for the lists that an export brings along.
[ -e /usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf ] || missing="$missing fonts-droid-fallback"
if [ "$purpose" = test ]; then
  need redis-server redis-server
  need ceph-mon ceph-mon
  need ceph-osd ceph-osd
  need radosgw radosgw
  need ceph-common ceph radosgw-admin
  need openssl openssl
  need curl curl
  need e2fsprogs chattr
  need procps ps
  need strace strace
  need certspotter certspotter
  need golang-go go
  [ -d /usr/share/gocode/src/golang.org/x/mod/sumdb ] || missing="$missing golang-golang-x-mod-dev"
  need chromium chromium
  need nginx-light nginx
  need poppler-utils pdftotext
  need rclone rclone
fi
[ -n "$missing" ] || exit 0

install="apt-get install -y --no-install-recommends$missing"
say_what_to_type() {
  echo "missing:$missing" >&2
  echo "type: sudo sh -c 'apt-get update && $install'" >&2
  exit 2
}

[ "$check" != --check ] || say_what_to_type
command -v apt-get >/dev/null 2>&1 || say_what_to_type
if [ "$(id -u)" = 0 ]; then
  as_root=''
elif sudo -n true 2>/dev/null; then
  as_root='sudo -n'
else
  say_what_to_type
fi

# invoke-rc.d asks this program before it starts a service; 101 means no. One that is there already is left alone.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
  trap '$as_root rm -f $policy' EXIT
  trap 'exit 1' INT TERM HUP
  printf '#!/bin/sh\nexit 101\n' | $as_root tee $policy >/dev/null
  $as_root chmod 755 $policy
fi

echo "installing:$missing" >&2
# The list of packages may be missing (containers) or old; a first failure is answered by fetching it.
# shellcheck disable=SC2086 # words are meant to be split: no package name has a space
$as_root env DEBIAN_FRONTEND=noninteractive $install >&2 || {
  $as_root apt-get update >&2
  $as_root env DEBIAN_FRONTEND=noninteractive $install >&2
} || {
  echo "prepare.sh: could not install:$missing" >&2
  exit 1
}
