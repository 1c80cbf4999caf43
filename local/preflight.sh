#!/bin/sh
# Checks that this machine has what millrace is built with, before anything is
# built: a line a problem on stderr, and exit 1 if there is any. Run it from the
# repository's root. local/cloud/tools.go checks again what `up` itself needs.
set -u
problems=0

problem() {
	echo "preflight: $*" >&2
	problems=1
}

# at_least HAVE WANT: dotted versions, of which the first two numbers count.
at_least() {
	have_major=${1%%.*} want_major=${2%%.*}
	have_rest=${1#*.} want_minor=${2#*.}
	have_minor=${have_rest%%.*}
	case "$have_major$have_minor" in '' | *[!0-9]*) return 1 ;; esac
	[ "$have_major" -gt "$want_major" ] || { [ "$have_major" -eq "$want_major" ] && [ "$have_minor" -ge "$want_minor" ]; }
}

has() { command -v "$1" >/dev/null 2>&1; }

# In a module, `go env` answers for the toolchain that the module gets: an older
# go that may download a newer one is good enough.
if ! has go; then
	problem "go is missing: install Go 1.26 or later, https://go.dev/dl"
else
	version=$(go env GOVERSION 2>&1)
	number=${version#go}
	at_least "${number%%[!0-9.]*}" 1.26 ||
		problem "go is too old ($version): install Go 1.26 or later, https://go.dev/dl"
fi

if ! has node; then
	problem "node is missing: install Node.js 20 or later, https://nodejs.org"
else
	version=$(node --version 2>&1)
	at_least "${version#v}" 20.0 ||
		problem "node is too old ($version): install Node.js 20 or later, https://nodejs.org"
fi
has npm || problem "npm is missing: install the npm that comes with Node.js, https://nodejs.org"

if ! has python3; then
	problem "python3 is missing: install Python 3.10 or later, https://www.python.org"
else
	version=$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>&1)
	if ! at_least "$version" 3.10; then
		problem "python3 is too old ($version): install Python 3.10 or later, https://www.python.org"
	elif ! python3 -c 'import ensurepip, venv' >/dev/null 2>&1; then
		problem "python3 has no venv module: install it (on Debian and Ubuntu: apt install python3-venv)"
	fi
fi

free=$(df -Pk . 2>/dev/null | awk 'NR == 2 { print int($4 / 1024) }')
if [ -n "$free" ] && [ "$free" -lt 2048 ]; then
	problem "only $free MB of disk are free here: free at least 2048 MB"
fi

exit "$problems"
