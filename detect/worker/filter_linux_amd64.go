package worker

import "golang.org/x/sys/unix"

const auditArch = unix.AUDIT_ARCH_X86_64

// archCalls are the older forms of calls that arm64 does not have.
var archCalls = []uint32{
	unix.SYS_ARCH_PRCTL, unix.SYS_EPOLL_WAIT, unix.SYS_POLL, unix.SYS_PIPE, unix.SYS_TIME, unix.SYS_PAUSE,
	unix.SYS_ALARM,
}
