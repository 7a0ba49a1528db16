package wall

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// Costs of argon2id: the OWASP Password Storage Cheat Sheet's first choice for
// 19 MiB. Stored hashes carry their own, so raising these is safe.
const (
	hashMemory  = 19 << 10 // KiB
	hashTime    = 2
	hashThreads = 1
	hashSalt    = 16
	hashSize    = 32

	// Bounds of what a stored hash may ask for.
	maxHashMemory = 256 << 10
	maxHashTime   = 16
)

// hasher hashes passwords, a bounded number at a time: each takes 19 MiB, and
// a flood of logins must not take the memory of the patrol.
type hasher struct {
	slots  chan struct{}
	memory uint32 // KiB
}

func newHasher(parallel int) *hasher {
	return &hasher{slots: make(chan struct{}, parallel), memory: hashMemory}
}

func (h *hasher) enter(ctx context.Context) error {
	select {
	case h.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// hash returns a new hash of a password in PHC string format.
func (h *hasher) hash(ctx context.Context, password string) (string, error) {
	if err := h.enter(ctx); err != nil {
		return "", err
	}
	defer func() { <-h.slots }()
	salt := make([]byte, hashSalt)
	_, _ = rand.Read(salt) // never fails (crypto/rand)
	sum := argon2.IDKey([]byte(password), salt, hashTime, h.memory, hashThreads, hashSize)
	return encodeHash(phc{memory: h.memory, time: hashTime, threads: hashThreads, salt: salt, sum: sum}), nil
}

// verify tells whether a password is the one of a hash. An empty hash takes
// as long as any other and fits no password, so that nobody learns by the
// clock which users exist.
func (h *hasher) verify(ctx context.Context, hash, password string) (bool, error) {
	p := phc{memory: h.memory, time: hashTime, threads: hashThreads, salt: make([]byte, hashSalt), sum: make([]byte, hashSize)}
	if hash != "" {
		var err error
		if p, err = parseHash(hash); err != nil {
			return false, err
		}
	}
	if err := h.enter(ctx); err != nil {
		return false, err
	}
	defer func() { <-h.slots }()
	sum := argon2.IDKey([]byte(password), p.salt, p.time, p.memory, p.threads, uint32(len(p.sum)))
	return subtle.ConstantTimeCompare(sum, p.sum) == 1 && hash != "", nil
}

// phc is an argon2id hash with its costs.
type phc struct {
	memory, time uint32
	threads      uint8
	salt, sum    []byte
}

func encodeHash(p phc) string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, p.memory, p.time, p.threads,
		b64.EncodeToString(p.salt), b64.EncodeToString(p.sum))
}

var errBadHash = errors.New("the stored password hash cannot be read")

// parseHash reads what encodeHash wrote.
func parseHash(s string) (phc, error) {
	var p phc
	parts := strings.Split(s, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return p, errBadHash
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &p.memory, &p.time, &p.threads); err != nil {
		return p, errBadHash
	}
	var errSalt, errSum error
	p.salt, errSalt = base64.RawStdEncoding.Strict().DecodeString(parts[4])
	p.sum, errSum = base64.RawStdEncoding.Strict().DecodeString(parts[5])
	if errSalt != nil || errSum != nil || len(p.salt) < 8 || len(p.sum) < 16 || len(p.sum) > 64 ||
		p.time < 1 || p.time > maxHashTime || p.threads < 1 || p.memory < 8 || p.memory > maxHashMemory {
		return p, errBadHash
	}
	return p, nil
}
