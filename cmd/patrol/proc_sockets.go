package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Fields of SK_MEMINFO (linux/sock_diag.h).
const (
	memReceive  = 0 // sk_rmem_alloc: what waits to be read
	memForward  = 4 // sk_forward_alloc: reserved, not used yet
	memQueued   = 5 // sk_wmem_queued: what waits to be sent
	memOptions  = 6
	memFields   = 9
	diagMessage = 72 // bytes of struct inet_diag_msg (linux/inet_diag.h)
	diagInode   = 68 // offset of idiag_inode in it
	diagRequest = 56 // bytes of struct inet_diag_req_v2
	diagMemory  = 7  // INET_DIAG_SKMEMINFO
)

// socketMemory is what the kernel holds in buffers for the TCP sockets of a
// process, bytes, from sock_diag(7). The sockets themselves, some 2 to 3 KiB
// each, are not in it.
func socketMemory(pid int) (int64, error) {
	mine, err := socketsOf(pid)
	if err != nil {
		return 0, err
	}
	var sum int64
	for _, family := range []byte{unix.AF_INET, unix.AF_INET6} {
		n, err := diagnose(family, mine)
		if err != nil {
			return 0, fmt.Errorf("sock_diag: %w", err)
		}
		sum += n
	}
	return sum, nil
}

// socketsOf lists the inodes of a process's sockets.
func socketsOf(pid int) (map[uint32]bool, error) {
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	inodes := map[uint32]bool{}
	for _, e := range entries {
		link, err := os.Readlink(filepath.Join(dir, e.Name()))
		if err != nil {
			continue // closed meanwhile
		}
		if s, ok := strings.CutPrefix(link, "socket:["); ok {
			if n, err := strconv.ParseUint(strings.TrimSuffix(s, "]"), 10, 32); err == nil {
				inodes[uint32(n)] = true
			}
		}
	}
	return inodes, nil
}

// diagnose asks the kernel for every TCP socket of a family and adds up the
// memory of those wanted.
func diagnose(family byte, wanted map[uint32]bool) (int64, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return 0, err
	}
	defer func() { _ = unix.Close(fd) }()
	req := make([]byte, unix.SizeofNlMsghdr+diagRequest)
	native := binary.NativeEndian
	native.PutUint32(req, uint32(len(req))) //nolint:gosec // 72 bytes
	native.PutUint16(req[4:], unix.SOCK_DIAG_BY_FAMILY)
	native.PutUint16(req[6:], unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	body := req[unix.SizeofNlMsghdr:]
	body[0], body[1], body[2] = family, unix.IPPROTO_TCP, 1<<(diagMemory-1)
	native.PutUint32(body[4:], 0xffffffff) // every state
	if err := unix.Sendto(fd, req, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return 0, err
	}
	var sum int64
	for buf := make([]byte, 64<<10); ; {
		n, _, err := unix.Recvfrom(fd, buf, 0)
		if err != nil {
			return 0, err
		}
		more, err := eachMessage(buf[:n], func(b []byte) { sum += memoryOf(b, wanted) })
		if err != nil || !more {
			return sum, err
		}
	}
}

// eachMessage walks the netlink messages of one answer, and tells whether more
// answers follow.
func eachMessage(b []byte, see func([]byte)) (more bool, err error) {
	for len(b) >= unix.SizeofNlMsghdr {
		size := int(binary.NativeEndian.Uint32(b))
		if size < unix.SizeofNlMsghdr || size > len(b) {
			return false, errors.New("an answer is cut short")
		}
		switch body := b[unix.SizeofNlMsghdr:size]; binary.NativeEndian.Uint16(b[4:]) {
		case unix.NLMSG_DONE:
			return false, nil
		case unix.NLMSG_ERROR:
			if len(body) < 4 {
				return false, errors.New("an answer is cut short")
			}
			return false, unix.Errno(-int32(binary.NativeEndian.Uint32(body))) //nolint:gosec // an error number
		default:
			see(body)
		}
		b = b[min((size+3)&^3, len(b)):]
	}
	return true, nil
}

// memoryOf is the memory of one socket, or 0 if it is not wanted.
func memoryOf(b []byte, wanted map[uint32]bool) int64 {
	native := binary.NativeEndian
	if len(b) < diagMessage || !wanted[native.Uint32(b[diagInode:])] {
		return 0
	}
	for b = b[diagMessage:]; len(b) >= 4; {
		size := int(native.Uint16(b))
		if size < 4 || size > len(b) {
			return 0
		}
		if native.Uint16(b[2:]) == diagMemory && size >= 4+4*memFields {
			value := func(i int) int64 { return int64(native.Uint32(b[4+4*i:])) }
			return value(memReceive) + value(memForward) + value(memQueued) + value(memOptions)
		}
		b = b[min((size+3)&^3, len(b)):]
	}
	return 0
}
