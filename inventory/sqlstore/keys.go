package sqlstore

import (
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"golang.org/x/crypto/chacha20poly1305"

	"videopatrol/inventory"
)

// KeySize is the length of a key in bytes.
const KeySize = chacha20poly1305.KeySize

// keyring seals passwords with its first key and opens them with any.
type keyring struct {
	active string
	aeads  map[string]cipher.AEAD
}

func newKeyring(keys [][]byte) (*keyring, error) {
	if len(keys) == 0 {
		return nil, errors.New("inventory store: a key for the passwords is required")
	}
	k := &keyring{aeads: map[string]cipher.AEAD{}}
	for i, key := range keys {
		aead, err := chacha20poly1305.NewX(key)
		if err != nil {
			return nil, fmt.Errorf("inventory store: key %d of %d: want %d bytes, got %d", i+1, len(keys), KeySize, len(key))
		}
		// A key names itself, so that nobody has to keep names and keys in step.
		sum := sha256.Sum256(append([]byte("patrol password key id\x00"), key...))
		id := hex.EncodeToString(sum[:8])
		if i == 0 {
			k.active = id
		}
		k.aeads[id] = aead
	}
	return k, nil
}

// sealed is a password as the database holds it.
type sealed struct {
	password []byte
	keyID    string
}

// seal encrypts a camera's password. No password stays empty: the database
// may show that there is none.
func (k *keyring) seal(camera string, password inventory.Secret) sealed {
	if password == "" {
		return sealed{password: []byte{}}
	}
	aead := k.aeads[k.active]
	nonce := make([]byte, aead.NonceSize(), aead.NonceSize()+len(password)+aead.Overhead())
	_, _ = rand.Read(nonce) // never fails (crypto/rand)
	return sealed{aead.Seal(nonce, nonce, []byte(password.Reveal()), []byte(camera)), k.active}
}

func (k *keyring) open(camera string, s sealed) (inventory.Secret, error) {
	if len(s.password) == 0 {
		return "", nil
	}
	aead := k.aeads[s.keyID]
	if aead == nil {
		return "", fmt.Errorf("password of camera %s: it is encrypted with key %s, which was not handed in: add the old key behind the new one", camera, s.keyID)
	}
	n := aead.NonceSize()
	if len(s.password) < n {
		return "", fmt.Errorf("password of camera %s: the stored value is damaged: import the camera's password again", camera)
	}
	plain, err := aead.Open(nil, s.password[:n], s.password[n:], []byte(camera))
	if err != nil {
		return "", fmt.Errorf("password of camera %s: the stored value is damaged or belongs to another camera: %w", camera, err)
	}
	return inventory.Secret(plain), nil
}
