package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
)

// veth is a pair of virtual network cards. Its far end lies in a network
// namespace of its own, where the simulated city runs, so that packets are as
// small as on a wire and the two sides pay for themselves. A nil veth is the
// loopback.
type veth struct{ namespace, near string }

// The addresses of the line, from the block for benchmarks (RFC 2544).
const (
	vethNear = "198.18.77.1"
	vethFar  = "198.18.77.2"
	vethMTU  = "1500"
)

// newVeth makes the pair: root's right, and iproute2.
func newVeth(ctx context.Context) (*veth, error) {
	if os.Geteuid() != 0 {
		return nil, usageError{fmt.Errorf("--veth makes network namespaces, which only root may; run it as root, or leave it out")}
	}
	if _, err := exec.LookPath("ip"); err != nil {
		return nil, fmt.Errorf("--veth needs the ip command: install iproute2 (apt install iproute2)")
	}
	name := fmt.Sprintf("patrol%d", os.Getpid()%1_000_000)
	v := &veth{namespace: name, near: "vp" + strings.TrimPrefix(name, "patrol")}
	far := "vq" + strings.TrimPrefix(name, "patrol")
	for _, line := range []string{
		"netns add " + name,
		"link add " + v.near + " mtu " + vethMTU + " type veth peer name " + far + " mtu " + vethMTU + " netns " + name,
		// No packet of more than one segment: a wire has none.
		"link set " + v.near + " gso_max_segs 1 up",
		"addr add " + vethNear + "/30 dev " + v.near,
		"-n " + name + " link set " + far + " gso_max_segs 1 up",
		"-n " + name + " link set lo up",
		"-n " + name + " addr add " + vethFar + "/30 dev " + far,
	} {
		if out, err := exec.CommandContext(ctx, "ip", strings.Fields(line)...).CombinedOutput(); err != nil { //nolint:gosec // the words are ours
			v.remove()
			return nil, fmt.Errorf("--veth: this machine does not permit 'ip %s': %w: %s", line, err, strings.TrimSpace(string(out)))
		}
	}
	return v, nil
}

// remove takes the pair down; its other end goes with the namespace.
func (v *veth) remove() {
	if v == nil {
		return
	}
	ctx := context.Background() // also when the run was called off
	_ = exec.CommandContext(ctx, "ip", "link", "del", v.near).Run()
	_ = exec.CommandContext(ctx, "ip", "netns", "del", v.namespace).Run()
}

// listen is where a city listens.
func (v *veth) listen() string {
	if v == nil {
		return "127.0.0.1:0"
	}
	return net.JoinHostPort(vethFar, "8554")
}

// command is what to start to run a program at the far end.
func (v *veth) command(program string) string {
	if v == nil {
		return program
	}
	return "ip"
}

// arguments are those of command.
func (v *veth) arguments(program string, args []string) []string {
	if v == nil {
		return args
	}
	return append([]string{"netns", "exec", v.namespace, program}, args...)
}
