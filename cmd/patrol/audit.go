package main

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"videopatrol/alerts"
	"videopatrol/alerts/audit"
	"videopatrol/alerts/audit/receiver"
	"videopatrol/inventory"
	"videopatrol/wall"
)

// openAudit makes the keeper of this node's audit, with the key of the data
// folder, and says whose signature its checkpoints bear.
func (a *app) openAudit() (wall.AuditKey, error) {
	seed, err := dataKey(a.cfg.Data, auditKeyFile)
	if err != nil {
		return wall.AuditKey{}, err
	}
	key := ed25519.NewKeyFromSeed(seed)
	public := wall.AuditKey{Node: a.node, Key: audit.FormatKey(key.Public().(ed25519.PublicKey))}
	if err := writeFile(a.path(auditPubFile), []byte(public.Key+"\n")); err != nil {
		return public, err
	}
	o := audit.KeeperOptions{Ledger: a.ledger, Key: key, Log: a.part("audit"), Registerer: a.registry}
	if path := a.cfg.Audit.Checkpoints; path != "" {
		o.Sinks = append(o.Sinks, audit.NamedSink{Name: "file", Sink: audit.File(path)})
	}
	if r := a.cfg.Audit.Receiver; r.URL != "" {
		sink, err := r.open()
		if err != nil {
			return public, err
		}
		a.onClose(sink.Close)
		o.Sinks = append(o.Sinks, audit.NamedSink{Name: "receiver", Sink: sink, Single: true})
	}
	if len(o.Sinks) == 0 {
		a.log.Info("checkpoints of the audit stay on this machine; audit.checkpoints and audit.receiver take them to another one")
	}
	a.keeper, err = audit.NewKeeper(o)
	return public, err
}

// open returns the sink that a receiver is.
func (r ReceiverConfig) open() (*receiver.Sink, error) {
	var token inventory.Secret
	if r.Token != "" {
		var err error
		if token, err = r.Token.Resolve(); err != nil {
			return nil, fmt.Errorf("audit.receiver.token: %w", err)
		}
	}
	s, err := receiver.New(receiver.Options{URL: r.URL, Token: token, Allow: r.Allow, Loopback: isLoopbackURL(r.URL)})
	if err != nil {
		return nil, fmt.Errorf("audit.receiver: %w", err)
	}
	return s, nil
}

// firstStart makes the first users, and the administrator's token, when there
// is no user at all.
func (a *app) firstStart(ctx context.Context) error {
	users, err := a.accounts.Users(ctx)
	if err != nil || len(users) > 0 {
		return err
	}
	row := alerts.AuditRow{By: alerts.System, Action: "user_create", Object: "user/officer, user/admin", Detail: "first start"}
	if err := a.engine.Along(ctx, row, func(ctx context.Context) (err error) {
		a.First, err = a.accounts.FirstStart(ctx)
		return err
	}); err != nil {
		return err
	}
	for _, c := range a.First {
		if c.Role != wall.RoleAdmin {
			continue
		}
		row := alerts.AuditRow{By: alerts.System, Action: "token_issue", Object: "user/" + c.Name, Detail: "command line on this machine"}
		if err := a.engine.Along(ctx, row, func(ctx context.Context) error {
			return adminToken(ctx, a.accounts, a.cfg.Data, c.Name)
		}); err != nil {
			return err
		}
	}
	return nil
}

// reloaded puts a change of the configuration into the audit.
func (a *app) reloaded(ctx context.Context, detail string) error {
	return a.engine.Record(ctx, alerts.AuditRow{By: alerts.System, Action: "config_reload", Object: "config", Detail: detail})
}

func newAudit() *cobra.Command {
	var f clientFlags
	return group("audit", "Read and verify the audit; wants an auditor's token", &f, newAuditList(&f), newAuditVerify(&f), newAuditKey(&f))
}

func newAuditList(f *clientFlags) *cobra.Command {
	var limit int
	cmd := &cobra.Command{
		Use: "list", Short: "List who did what, newest first", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := f.client()
			if err != nil {
				return err
			}
			rows := []alerts.AuditRow{}
			q := url.Values{}
			for len(rows) < limit {
				q.Set("limit", strconv.Itoa(min(500, limit-len(rows))))
				var page wall.AuditPage
				if err := c.get(cmd.Context(), "/audit", q, &page); err != nil {
					return err
				}
				rows = append(rows, page.Rows...)
				if page.Next == 0 {
					break
				}
				q.Set("before", strconv.FormatInt(page.Next, 10))
			}
			if f.output == "json" {
				return writeJSON(cmd.OutOrStdout(), rows)
			}
			lines := [][]string{{"ROW", "AT", "BY", "ACTION", "OBJECT", "PURPOSE", "CLIENT", "DETAIL"}}
			for _, r := range rows {
				lines = append(lines, []string{
					strconv.FormatInt(r.Seq, 10), r.At.Format(time.RFC3339), printable(r.By), r.Action, printable(r.Object),
					printable(r.Purpose), r.Client, printable(r.Detail),
				})
			}
			return table(cmd.OutOrStdout(), lines)
		},
	}
	cmd.Flags().IntVar(&limit, "limit", 50, "at most so many")
	return cmd
}

// printable is text that somebody sent, as one cell of a table: it moves no
// cursor and begins no line.
func printable(s string) string {
	if q := strconv.Quote(s); q[1:len(q)-1] != s {
		return q
	}
	return s
}

func newAuditKey(f *clientFlags) *cobra.Command {
	return &cobra.Command{
		Use: "key", Short: "Print the public key that signs the gateway's audit; keep it elsewhere", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := f.client()
			if err != nil {
				return err
			}
			var k wall.AuditKey
			if err := c.get(cmd.Context(), "/audit/key", nil, &k); err != nil {
				return err
			}
			if f.output == "json" {
				return writeJSON(cmd.OutOrStdout(), k)
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), k.Key)
			return err
		},
	}
}

// verified is what 'audit verify' found.
type verified struct {
	OK bool `json:"ok"`
	audit.Verdict
	Key string `json:"key"`
	// Trusted is whether the key was given, rather than asked of the gateway
	// that is being verified; Copy is whether there was one to compare with.
	Trusted bool         `json:"trusted"`
	Copy    bool         `json:"copy"`
	Fault   *audit.Fault `json:"fault,omitempty"`
}

func newAuditVerify(f *clientFlags) *cobra.Command {
	var copied []string
	var key, node string
	cmd := &cobra.Command{
		Use: "verify", Short: "Verify the whole audit: hashes, order, signed checkpoints and their copy", Args: noArgs,
		Long: `Verify the whole audit: hashes, order, signed checkpoints and their copy.

Every row of the node is read through the API, oldest first, in constant memory.
Without --key the key is the gateway's own word, and without --checkpoints
nothing tells of rows that somebody with all rights on the machine cut off.
Exit code 1 says that the audit is broken, or cannot be read; where, is printed.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := f.client()
			if err != nil {
				return err
			}
			v, err := c.verify(cmd.Context(), node, key, copied)
			if err != nil && v.Fault == nil {
				return err
			}
			if f.output == "json" {
				return errors.Join(err, writeJSON(cmd.OutOrStdout(), v))
			}
			return errors.Join(err, printVerified(cmd.OutOrStdout(), v))
		},
	}
	p := cmd.Flags()
	p.StringArrayVar(&copied, "checkpoints", nil, "file that audit.checkpoints of the configuration names, or what audit.receiver kept, one line a checkpoint; may be given again")
	p.StringVar(&key, "key", "", "the node's public key, or a file that holds it (default: what the gateway says)")
	p.StringVar(&node, "node", "", "node whose audit it is (default: the gateway's own); wants --key")
	return cmd
}

func (c *client) verify(ctx context.Context, node, key string, copied []string) (v verified, err error) {
	own := wall.AuditKey{Node: node, Key: key}
	switch {
	case key != "":
		own.Key, err = readKey(key)
		v.Trusted = true
	case node != "":
		return v, usageError{errors.New("--node wants --key: the gateway knows its own key only")}
	}
	if err == nil && (own.Node == "" || own.Key == "") {
		var said wall.AuditKey
		if err = c.get(ctx, "/audit/key", nil, &said); err == nil {
			own.Node = said.Node
			if own.Key == "" {
				own.Key = said.Key
			}
		}
	}
	if err != nil {
		return v, err
	}
	v.Key = own.Key
	chain := audit.Chain{Node: own.Node}
	if chain.Key, err = audit.ParseKey(own.Key); err != nil {
		return v, err
	}
	for _, path := range copied {
		// It is read no further than it goes now: what is added meanwhile may
		// tell of rows that were not read.
		file, err := os.Open(path) //nolint:gosec // the user named it
		if err != nil {
			return v, err
		}
		defer file.Close()
		info, err := file.Stat()
		if err != nil {
			return v, err
		}
		chain.Copies = append(chain.Copies, audit.ReadCopy(io.LimitReader(file, info.Size()), own.Node))
		v.Copy = true
	}
	chain.Parts = audit.Parts(func(after int64) (audit.Part, error) {
		var p wall.AuditChainPage
		q := url.Values{"node": {own.Node}, "limit": {"5000"}, "after": {strconv.FormatInt(after, 10)}}
		err := c.get(ctx, "/audit/chain", q, &p)
		return audit.Part{Head: p.Head, Rows: p.Rows, Checkpoints: p.Checkpoints, Next: p.Next}, err
	})
	v.Verdict, err = audit.Verify(chain)
	v.OK = err == nil
	_ = errors.As(err, &v.Fault)
	return v, err
}

// readKey is a public key as it was given: itself, or a file that holds it.
func readKey(given string) (string, error) {
	if _, err := audit.ParseKey(given); err == nil {
		return given, nil
	}
	b, err := os.ReadFile(given) //nolint:gosec // the user named it
	if errors.Is(err, fs.ErrNotExist) {
		return "", usageError{fmt.Errorf("--key: %q is neither a key nor a file that holds one", given)}
	}
	if err != nil {
		return "", err
	}
	if _, err := audit.ParseKey(string(b)); err != nil {
		return "", fmt.Errorf("--key %s: %w", given, err)
	}
	return string(b), nil
}

func printVerified(w io.Writer, v verified) error {
	if !v.OK {
		_, err := fmt.Fprintf(w, "node %s: %d rows hold, then the audit is broken\n", v.Node, v.Seq)
		return err
	}
	fmt.Fprintf(w, "node %s: %d rows hold together; signed checkpoints vouch for the first %d (%d compared)\n", v.Node, v.Seq, v.Sealed, v.Checkpoints)
	if !v.Trusted {
		fmt.Fprintln(w, "the key is the gateway's own word: give the one that was kept elsewhere by --key")
	}
	if !v.Copy {
		fmt.Fprintln(w, "without a copy of the checkpoints (--checkpoints) rows may have been cut off unseen")
	}
	return nil
}
