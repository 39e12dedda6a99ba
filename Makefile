# The commands of this project; Meson and Ninja do the work.
#   make            the release program, build/hauberk
#   make run        a demo server on loopback, until Ctrl-C
#   make test       sanitizer build, unit and system tests; make test-long: the same at full size
#   make bench      speed beside Postfix and Dovecot, in the same run; as root
PREFIX ?= /usr/local

.PHONY: all release run test test-long bench fuzz check-style install clean

all: release

release: build/build.ninja
	@ninja -C build --quiet

build/build.ninja:
	@tools/install-packages build
	@meson setup build --prefix=$(PREFIX) -Dbuildtype=debugoptimized >/dev/null

run:
	@tools/install-packages build run
	@$(MAKE) --no-print-directory release
	@tools/demo

test:
	@tools/install-packages build run test
	@tools/run-tests

test-long:
	@tools/install-packages build run test
	@tools/run-tests --long

bench: release
	@tools/install-packages build bench
	@ninja -C build --quiet mime_speed policy_speed spf_speed
	@build/mime_speed
	@build/policy_speed
	@build/spf_speed
	@cc -O2 -o build/spf_peer bench/spf_peer.c -lspf2
	@build/spf_peer
	@bench/run
	@bench/tickets

fuzz:
	@tools/install-packages build test
	@tools/fuzz

check-style:
	@tools/install-packages build test
	@tools/check-style
	@tools/check-layers
	@tools/check-size

install: release
	@DESTDIR=$(DESTDIR) meson install -C build --no-rebuild

clean:
	rm -rf build build-*
