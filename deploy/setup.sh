#!/usr/bin/env bash
# Installs what building and testing need, on Debian 12 and Ubuntu 24.04.
# Idempotent: what is there already is left alone, and sudo is asked for only
# if something is missing.
#
#   deploy/setup.sh          everything: build, tests, demo
#   deploy/setup.sh check    only say what is missing; exit 1 if anything is
set -euo pipefail

mode=${1:-install}
tools=$(cd "$(dirname "$0")/.." && pwd)/.tools
export PATH="$tools/go/bin:$tools/node/bin:$PATH"

go_want=1.26
node_want=20.19.0
node_package=20.20.2

say() { printf 'setup: %s\n' "$*" >&2; }
at_least() { [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]; }

as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		say "root is needed for: $*"
		say "run it as root, or install sudo, and start again"
		exit 1
	fi
}

. /etc/os-release
packages=(
	build-essential pkg-config ca-certificates git
	libopencv-dev libopencv-contrib-dev
	libavcodec-dev libavutil-dev libswscale-dev
	ffmpeg fonts-noto-cjk
	postgresql # its programs alone: tests start servers of their own
)
case "${ID:-}:${VERSION_ID:-}" in
debian:12) packages+=(chromium) ;;
ubuntu:24.04) say "Ubuntu's Chromium is a snap: the page test is skipped here" ;;
*) say "this is ${PRETTY_NAME:-an unknown system}; Debian 12 and Ubuntu 24.04 are what is tested" ;;
esac
command -v npm >/dev/null || packages+=(npm)

missing=()
for p in "${packages[@]}"; do
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null)" = installed ] || missing+=("$p")
done

# Go: any release with toolchain switching fetches the one that go.mod names.
go_ok() { command -v go >/dev/null && at_least 1.21 "$(go env GOVERSION | sed 's/^go//')"; }
node_ok() { command -v node >/dev/null && at_least "$node_want" "$(node --version | sed 's/^v//')"; }

if [ "$mode" = check ]; then
	go_ok || missing+=("go ≥ $go_want")
	node_ok || missing+=("node ≥ $node_want")
	[ ${#missing[@]} = 0 ] && exit 0
	say "missing: ${missing[*]}"
	exit 1
fi

apt_updated=
apt_install() {
	if [ -z "$apt_updated" ]; then
		as_root apt-get update -qq
		apt_updated=yes
	fi
	as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

if [ ${#missing[@]} -gt 0 ]; then
	say "installing ${missing[*]}"
	# The package would also make a database and start it, which nobody asked for.
	if [[ " ${missing[*]} " = *" postgresql "* ]] && [ ! -e /etc/postgresql-common/createcluster.conf ]; then
		apt_install postgresql-common
		as_root sed -i -E 's/^#?\s*create_main_cluster\b.*/create_main_cluster = false/' /etc/postgresql-common/createcluster.conf
	fi
	apt_install "${missing[@]}"
fi

if ! go_ok; then
	say "installing Go"
	if [ "${ID:-}" = debian ]; then
		if ! apt-cache policy golang-1.23-go 2>/dev/null | grep -q 'Candidate: 1'; then
			mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | grep -v security | sort -u | head -n 1)
			[ -n "$mirror" ] || { say "no Debian mirror is configured: add one, then $VERSION_CODENAME-backports, and start again"; exit 1; }
			printf 'deb %s %s-backports main\n' "$mirror" "$VERSION_CODENAME" |
				as_root tee /etc/apt/sources.list.d/video-patrol-backports.list >/dev/null
			apt_updated=
		fi
		apt_install -t "$VERSION_CODENAME-backports" golang-1.23-go
		mkdir -p "$tools/go/bin"
		ln -sf /usr/lib/go-1.23/bin/go /usr/lib/go-1.23/bin/gofmt "$tools/go/bin/"
	else
		apt_install golang-1.23-go || apt_install golang-1.22-go
		mkdir -p "$tools/go/bin"
		ln -sf "$(ls -d /usr/lib/go-1.2*/bin | tail -n 1)"/{go,gofmt} "$tools/go/bin/"
	fi
fi

# Node: the distribution's own is older than what the page's build needs; the
# npm registry's node package carries the binary.
if ! node_ok; then
	say "installing Node $node_package"
	mkdir -p "$tools/node"
	npm install --prefix "$tools/node" --no-save --no-audit --no-fund --loglevel=error \
		"node@$node_package" "npm@11" >/dev/null
	mkdir -p "$tools/node/bin"
	ln -sf ../node_modules/node/bin/node "$tools/node/bin/node"
	ln -sf ../node_modules/.bin/npm "$tools/node/bin/npm"
fi

# Tests check /metrics with promtool. Its package also starts a server, which
# nobody asked for here: only the tool is taken out of it.
if ! command -v promtool >/dev/null && [ ! -x "$tools/bin/promtool" ]; then
	say "fetching promtool"
	mkdir -p "$tools/bin"
	(
		dir=$(mktemp -d)
		trap 'rm -rf "$dir"' EXIT
		cd "$dir"
		apt-get download -qq prometheus >/dev/null 2>&1 || {
			as_root apt-get update -qq
			apt-get download -qq prometheus >/dev/null 2>&1
		}
		dpkg-deb -x prometheus_*.deb .
		install -m 755 usr/bin/promtool "$tools/bin/promtool"
	)
fi

# ONNX Runtime, for tests alone: this package carries its shared library.
onnx=$tools/onnxruntime/libonnxruntime.so
onnx_digest=0d8e3928e14fd4e2bdcf4feabbd5db689ba980ccabb9c806f43a303cdc13c5a5
if [ ! -e "$onnx" ]; then
	say "fetching ONNX Runtime"
	dir=$(mktemp -d)
	arch=$(uname -m | sed 's/x86_64/x64/; s/aarch64/arm64/')
	library=$dir/package/bin/napi-v3/linux/$arch/libonnxruntime.so.1.20.1
	(cd "$dir" && npm pack --silent onnxruntime-node@1.20.1) >/dev/null 2>&1 &&
		echo "$onnx_digest  $dir/onnxruntime-node-1.20.1.tgz" | sha256sum --check --status &&
		tar xzf "$dir/onnxruntime-node-1.20.1.tgz" -C "$dir" "${library#"$dir/"}" &&
		install -D -m 644 "$library" "$onnx.new" &&
		mv "$onnx.new" "$onnx" ||
		say "ONNX Runtime cannot be fetched: its tests are skipped"
	rm -rf "$dir"
fi

go_ok || { say "Go is still missing"; exit 1; }
node_ok || { say "Node ≥ $node_want is still missing"; exit 1; }
