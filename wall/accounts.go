package wall

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"
)

// How long credentials last.
const (
	sessionIdle     = 12 * time.Hour
	sessionAbsolute = 24 * time.Hour
	// sessionTouch is how exactly the last use of a session is known.
	sessionTouch = time.Minute
	minPassword  = 12 // characters
)

// Errors of Accounts and of an AccountStore.
var (
	// ErrNoAccount is returned for a user, session or token that does not
	// exist, has ended or is disabled.
	ErrNoAccount = errors.New("no such user, session or token")
	// ErrAccountExists is returned for a user name that is taken.
	ErrAccountExists = errors.New("there is a user of that name already")
	// ErrLastAdmin is returned instead of disabling the last administrator.
	ErrLastAdmin = errors.New("the last administrator cannot be disabled: nobody could make users any more")
	// ErrPassword is returned for a wrong user name or password, without
	// saying which.
	ErrPassword = errors.New("wrong user name or password")
)

// InputError says what is wrong with what a person sent, and what to do.
type InputError struct{ Why string }

func (e *InputError) Error() string { return e.Why }

// TooManyError says that logging in is limited for now.
type TooManyError struct{ Wait time.Duration }

func (e *TooManyError) Error() string {
	return fmt.Sprintf("too many attempts to log in; wait %d s", int(e.Wait.Seconds())+1)
}

// Key is what a store knows of a session's or token's secret: its SHA-256.
type Key [sha256.Size]byte

func keyOf(secret string) Key { return sha256.Sum256([]byte(secret)) }

// StoredAccount is a user with the hash of the password.
type StoredAccount struct {
	Account
	Hash string
}

// Session is one login, from the browser's cookie to its end.
type Session struct {
	Key     Key
	User    string
	Created time.Time
	Seen    time.Time // last use, to the minute
	Expires time.Time // whatever the use
}

// StoredToken is an API token as a store keeps it.
type StoredToken struct {
	Token
	Key  Key
	User string
}

// AccountStore keeps users, sessions and tokens; wall/sqlstore is one.
type AccountStore interface {
	// CreateFirst adds users when there are none; false when there are.
	CreateFirst(ctx context.Context, users []StoredAccount) (bool, error)
	// CreateUser returns ErrAccountExists for a name that is taken.
	CreateUser(ctx context.Context, u StoredAccount) error
	User(ctx context.Context, name string) (StoredAccount, error)
	Users(ctx context.Context) ([]Account, error)
	// SetPassword replaces the hash and ends the user's sessions but one.
	SetPassword(ctx context.Context, name, hash string, keep Key) error
	// Disable shuts a user out and ends sessions and tokens. It returns
	// ErrLastAdmin instead of disabling the last administrator.
	Disable(ctx context.Context, name string) error

	AddSession(ctx context.Context, s Session) error
	// Session returns a session with its user, disabled ones included.
	Session(ctx context.Context, key Key) (Session, Account, error)
	TouchSession(ctx context.Context, key Key, seen time.Time) error
	EndSession(ctx context.Context, key Key) error
	// Sweep removes sessions last seen before idle or expired before now, and
	// tokens expired before now.
	Sweep(ctx context.Context, idle, now time.Time) error

	AddToken(ctx context.Context, t StoredToken) error
	Tokens(ctx context.Context, user string) ([]Token, error)
	TokenByKey(ctx context.Context, key Key) (StoredToken, Account, error)
	// EndToken returns ErrNoAccount when the user has no such token.
	EndToken(ctx context.Context, user, id string) error
}

// AccountsOptions says what accounts need.
type AccountsOptions struct {
	Store AccountStore // required
	Log   *slog.Logger // nil is silent
	// Clock is time.Now when nil.
	Clock func() time.Time
	// Hashes is how many passwords are hashed at a time, each in 19 MiB;
	// 0 means 2.
	Hashes int
}

// Accounts knows users, sessions and API tokens.
type Accounts struct {
	store     AccountStore
	log       *slog.Logger
	now       func() time.Time
	hasher    *hasher
	byAddress *limits
	byAccount *limits
}

// NewAccounts returns accounts over a store.
func NewAccounts(o AccountsOptions) (*Accounts, error) {
	if o.Store == nil {
		return nil, errors.New("wall accounts: Store is required")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Hashes <= 0 {
		o.Hashes = 2
	}
	return &Accounts{
		store: o.Store, log: o.Log, now: o.Clock, hasher: newHasher(o.Hashes),
		byAddress: newLimits(addressEvery, addressBurst), byAccount: newLimits(accountEvery, accountBurst),
	}, nil
}

// Credential is a user just made, with the password in clear, for showing it
// once.
type Credential struct {
	Name, Password string
	Role           Role
}

// FirstStart makes the users officer and admin when there is none at all, and
// returns them; nil when there are users.
func (a *Accounts) FirstStart(ctx context.Context) ([]Credential, error) {
	users, err := a.store.Users(ctx)
	if err != nil || len(users) > 0 {
		return nil, err
	}
	first := []Credential{
		{Name: "officer", Role: RoleOfficer, Password: newPassword()},
		{Name: "admin", Role: RoleAdmin, Password: newPassword()},
	}
	stored := make([]StoredAccount, len(first))
	for i, c := range first {
		hash, err := a.hasher.hash(ctx, c.Password)
		if err != nil {
			return nil, err
		}
		stored[i] = StoredAccount{Account: Account{Name: c.Name, Role: c.Role, Created: a.now().UTC()}, Hash: hash}
	}
	made, err := a.store.CreateFirst(ctx, stored)
	if err != nil || !made {
		return nil, err
	}
	return first, nil
}

// newPassword is easy to read out and type: 20 letters and digits (base 32,
// 100 bits) in groups.
func newPassword() string {
	t := strings.ToLower(rand.Text()[:20])
	return strings.Join([]string{t[:5], t[5:10], t[10:15], t[15:]}, "-")
}

var userName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)

// Create makes a user; an empty password means a new one, which is returned.
// It returns *InputError or ErrAccountExists.
func (a *Accounts) Create(ctx context.Context, r AccountRequest) (Account, string, error) {
	name, role, password := r.Name, r.Role, r.Password
	switch {
	case !userName.MatchString(name):
		return Account{}, "", &InputError{"a user name is 1 to 64 of a-z, 0-9, dot, dash and underscore, and begins with a letter or digit"}
	case name == "system" || strings.HasPrefix(name, "link"):
		return Account{}, "", &InputError{"the gateway itself uses the name " + quote(name) + " in the audit; choose another"}
	case !role.Valid():
		return Account{}, "", &InputError{"there is no role " + quote(string(role))}
	case (role == RoleDepartment) != (r.Department != ""):
		return Account{}, "", &InputError{"a user of the role department names the department, and no other user does"}
	}
	made := ""
	if password == "" {
		made = newPassword()
		password = made
	}
	if err := checkPassword(password); err != nil {
		return Account{}, "", err
	}
	hash, err := a.hasher.hash(ctx, password)
	if err != nil {
		return Account{}, "", err
	}
	u := Account{Name: name, Role: role, Department: r.Department, Created: a.now().UTC()}
	return u, made, a.store.CreateUser(ctx, StoredAccount{Account: u, Hash: hash})
}

func checkPassword(p string) error {
	if utf8.RuneCountInString(p) < minPassword {
		return &InputError{fmt.Sprintf("a password has at least %d characters", minPassword)}
	}
	return nil
}

// Users lists every user by name.
func (a *Accounts) Users(ctx context.Context) ([]Account, error) { return a.store.Users(ctx) }

// Disable shuts a user out at once: sessions and tokens end. It returns
// ErrNoAccount or ErrLastAdmin.
func (a *Accounts) Disable(ctx context.Context, name string) error { return a.store.Disable(ctx, name) }

// check tells whether name and password belong together. It returns the user,
// ErrPassword or *TooManyError, and takes equally long for unknown users.
func (a *Accounts) check(ctx context.Context, name, password, address string) (Account, error) {
	now := a.now()
	if d := max(a.byAddress.wait(addressKey(address), now), a.byAccount.wait(name, now)); d > 0 {
		return Account{}, &TooManyError{Wait: d}
	}
	u, err := a.store.User(ctx, name)
	if err != nil && !errors.Is(err, ErrNoAccount) {
		return Account{}, err
	}
	ok, err := a.hasher.verify(ctx, u.Hash, password)
	if err != nil {
		return Account{}, err
	}
	if !ok || u.Disabled {
		return Account{}, ErrPassword
	}
	return u.Account, nil
}

// Login begins a session and returns its secret, for the cookie.
func (a *Accounts) Login(ctx context.Context, name, password, address string) (Account, string, error) {
	u, err := a.check(ctx, name, password, address)
	if err != nil {
		return Account{}, "", err
	}
	secret, err := a.begin(ctx, u)
	return u, secret, err
}

// begin begins a session of a user who was checked.
func (a *Accounts) begin(ctx context.Context, u Account) (secret string, err error) {
	secret, now := newSecret(), a.now().UTC()
	return secret, a.store.AddSession(ctx, Session{
		Key: keyOf(secret), User: u.Name, Created: now, Seen: now, Expires: now.Add(sessionAbsolute),
	})
}

func newSecret() string { return rand.Text() + rand.Text() } // 260 bits

// tokenPrefix tells an API token from a session, and helps secret scanners.
const tokenPrefix = "vpt_"

// holder returns the user behind a session's or token's key, or ErrNoAccount.
// used tells whether this counts as a use of the session.
func (a *Accounts) holder(ctx context.Context, key Key, used bool) (Account, error) {
	now := a.now()
	s, u, err := a.store.Session(ctx, key)
	if errors.Is(err, ErrNoAccount) {
		return a.tokenHolder(ctx, key)
	}
	if err != nil {
		return Account{}, err
	}
	if u.Disabled || !now.Before(s.Expires) || now.Sub(s.Seen) >= sessionIdle {
		return Account{}, ErrNoAccount
	}
	if used && now.Sub(s.Seen) >= sessionTouch {
		// The use counts even when the request is given up meanwhile.
		if err := a.store.TouchSession(context.WithoutCancel(ctx), key, now.UTC()); err != nil {
			return Account{}, err
		}
	}
	return u, nil
}

func (a *Accounts) tokenHolder(ctx context.Context, key Key) (Account, error) {
	t, u, err := a.store.TokenByKey(ctx, key)
	if err != nil {
		return Account{}, err
	}
	if u.Disabled || !a.now().Before(t.Expires) {
		return Account{}, ErrNoAccount
	}
	return u, nil
}

// ChangePassword sets a new password; the user's other sessions end. It
// returns ErrPassword, *InputError or *TooManyError.
func (a *Accounts) ChangePassword(ctx context.Context, name, old, next, address string, keep Key) error {
	if err := checkPassword(next); err != nil {
		return err
	}
	if _, err := a.check(ctx, name, old, address); err != nil {
		return err
	}
	hash, err := a.hasher.hash(ctx, next)
	if err != nil {
		return err
	}
	return a.store.SetPassword(ctx, name, hash, keep)
}

// IssueToken makes an API token of a user's own role and returns its secret,
// which is nowhere kept. It lasts 1 hour to 366 days.
func (a *Accounts) IssueToken(ctx context.Context, user, label string, lasts time.Duration) (Token, string, error) {
	if lasts < time.Hour || lasts > 366*24*time.Hour {
		return Token{}, "", &InputError{"a token lasts 1 hour to 366 days"}
	}
	u, err := a.store.User(ctx, user)
	if err != nil {
		return Token{}, "", err
	}
	if u.Disabled {
		return Token{}, "", ErrNoAccount
	}
	secret, now := tokenPrefix+newSecret(), a.now().UTC()
	t := Token{ID: strings.ToLower(rand.Text()[:12]), Label: label, Created: now, Expires: now.Add(lasts)}
	return t, secret, a.store.AddToken(ctx, StoredToken{Token: t, Key: keyOf(secret), User: user})
}

// Sweep removes what has expired. Nothing rests on it but disk space.
func (a *Accounts) Sweep(ctx context.Context) error {
	now := a.now().UTC()
	return a.store.Sweep(ctx, now.Add(-sessionIdle), now)
}
