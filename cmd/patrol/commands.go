package main

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"videopatrol/alerts"
	"videopatrol/inventory"
	"videopatrol/inventory/importer"
	"videopatrol/wall"
)

// group is a command that only holds others.
func group(use, short string, flags *clientFlags, children ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use: use, Short: short, Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	flags.add(cmd)
	cmd.AddCommand(children...)
	return cmd
}

// table writes rows in aligned columns, the header first.
func table(w io.Writer, rows [][]string) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	for _, r := range rows {
		if _, err := fmt.Fprintln(t, strings.Join(r, "\t")); err != nil {
			return err
		}
	}
	return t.Flush()
}

func newInventory() *cobra.Command {
	var f clientFlags
	return group("inventory", "Import, export and undo cameras and grid", &f,
		newInventoryImport(&f), newInventoryExport(&f), newInventoryUndo(&f))
}

// importTypes are the media types of what can be imported, by format.
var importTypes = map[string]string{"csv": "text/csv", "geojson": "application/geo+json"}

func newInventoryImport(f *clientFlags) *cobra.Command {
	var format, crs string
	var dryRun, replace bool
	var expectRemoved int
	cmd := &cobra.Command{
		Use: "import FILE", Short: "Import cameras (CSV) or grid cells (GeoJSON); an absent row deletes nothing", Args: oneArg("FILE, or - for standard input"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := f.client()
			if err != nil {
				return err
			}
			in := cmd.InOrStdin()
			if args[0] != "-" {
				file, err := os.Open(args[0])
				if err != nil {
					return err
				}
				defer file.Close()
				in = file
			}
			if format == "" {
				format = "csv"
				if strings.HasSuffix(args[0], "json") {
					format = "geojson"
				}
			}
			if importTypes[format] == "" {
				return usageError{fmt.Errorf("no such format %q (want csv or geojson)", format)}
			}
			q := url.Values{"format": {format}, "crs": {crs}, "dry_run": {strconv.FormatBool(dryRun)}, "replace": {strconv.FormatBool(replace)}}
			if cmd.Flags().Changed("expect-removed") {
				q.Set("expect_removed", strconv.Itoa(expectRemoved))
			}
			var r wall.ImportReport
			if err := c.do(cmd.Context(), http.MethodPost, "/inventory/imports", q, importTypes[format], in, &r); err != nil {
				return err
			}
			if f.output == "json" {
				err = writeJSON(cmd.OutOrStdout(), r)
			} else {
				err = printReport(cmd.OutOrStdout(), r)
			}
			if err == nil && r.Rejected > 0 {
				return fmt.Errorf("%d rows were rejected; the others are not held up by them", r.Rejected)
			}
			return err
		},
	}
	p := cmd.Flags()
	p.StringVar(&format, "format", "", "csv or geojson (default by the file's name)")
	p.StringVar(&crs, "crs", "wgs84", "coordinates of rows that name none: wgs84, gcj02 or bd09")
	p.BoolVar(&dryRun, "dry-run", false, "only report what would change")
	p.BoolVar(&replace, "replace", false, "remove the cameras that the file does not have")
	p.IntVar(&expectRemoved, "expect-removed", 0, "with --replace: how many removals you expect, when there are many")
	return cmd
}

func printReport(w io.Writer, r wall.ImportReport) error {
	verb := "applied"
	if r.DryRun {
		verb = "would change (dry run)"
	} else if r.Revision == nil {
		verb = "nothing to apply"
	}
	fmt.Fprintf(w, "%s: %d new, %d changed, %d same, %d removed, %d rejected\n", verb, r.New, r.Changed, r.Same, r.Removed, r.Rejected)
	if r.Revision != nil {
		fmt.Fprintf(w, "revision %d; take it back with: patrol inventory undo %d\n", r.Revision.ID, r.Revision.ID)
	}
	for title, list := range map[string][]wall.ImportReject{"rejected": r.Rows, "warning": r.Warnings} {
		for _, x := range list {
			fmt.Fprintf(w, "%s: line %d", title, x.Line)
			if x.Column != "" {
				fmt.Fprintf(w, ", %s", x.Column)
			}
			if x.Value != "" {
				fmt.Fprintf(w, " %q", x.Value)
			}
			if _, err := fmt.Fprintf(w, ": %s\n", x.Reason); err != nil {
				return err
			}
		}
	}
	return nil
}

func newInventoryExport(f *clientFlags) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use: "export", Short: "Write cameras (CSV) or grid cells (GeoJSON) to standard output; passwords never leave", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := f.client()
			if err != nil {
				return err
			}
			return c.get(cmd.Context(), "/inventory/export", url.Values{"format": {format}}, cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVar(&format, "format", "csv", "csv or geojson")
	return cmd
}

func newInventoryUndo(f *clientFlags) *cobra.Command {
	return &cobra.Command{
		Use: "undo REVISION", Short: "Take one revision back, as a new one", Args: oneArg("REVISION"),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := strconv.ParseInt(args[0], 10, 64)
			if err != nil {
				return usageError{fmt.Errorf("%q is no revision number", args[0])}
			}
			c, err := f.client()
			if err != nil {
				return err
			}
			var r inventory.Revision
			if err := c.post(cmd.Context(), fmt.Sprintf("/inventory/revisions/%d/undo", id), nil, &r); err != nil {
				return err
			}
			if f.output == "json" {
				return writeJSON(cmd.OutOrStdout(), r)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "revision %d undoes %d\n", r.ID, r.Undoes)
			return err
		},
	}
}

func newCamera() *cobra.Command {
	var f clientFlags
	var state, cell, search string
	var limit int
	list := &cobra.Command{
		Use: "list", Short: "List cameras with state, reason and age of the picture", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := f.client()
			if err != nil {
				return err
			}
			q := url.Values{"limit": {"500"}}
			for k, v := range map[string]string{"state": state, "cell": cell, "q": search} {
				if v != "" {
					q.Set(k, v)
				}
			}
			cameras := []wall.CameraView{}
			for len(cameras) < limit {
				var page wall.CameraList
				if err := c.get(cmd.Context(), "/cameras", q, &page); err != nil {
					return err
				}
				cameras = append(cameras, page.Cameras...)
				if page.Next == "" {
					break
				}
				q.Set("cursor", page.Next)
			}
			cameras = cameras[:min(len(cameras), limit)]
			if f.output == "json" {
				return writeJSON(cmd.OutOrStdout(), cameras)
			}
			rows := [][]string{{"ID", "NAME", "STATE", "REASON", "PICTURE AGE", "DETAIL"}}
			for _, v := range cameras {
				age := "never"
				if v.PictureAge != nil {
					age = (time.Duration(*v.PictureAge*10) * time.Second / 10).String()
				}
				rows = append(rows, []string{v.ID, v.Name, string(v.State), string(v.Reason), age, v.Detail})
			}
			return table(cmd.OutOrStdout(), rows)
		},
	}
	p := list.Flags()
	p.StringVar(&state, "state", "", "only cameras in this state")
	p.StringVar(&cell, "cell", "", "only cameras in this grid cell, of any level")
	p.StringVar(&search, "search", "", "only cameras whose id or name holds this text")
	p.IntVar(&limit, "limit", 1000, "at most so many")
	return group("camera", "Look at cameras", &f, list, newCameraTemplates(&f), newCameraProbe(&f))
}

// newCameraTemplates lists what the column vendor of an inventory may say. It
// asks no server.
func newCameraTemplates(f *clientFlags) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use: "templates", Short: "List the vendors whose stream addresses the gateway knows", Args: noArgs,
		Long: `List the vendors whose stream addresses the gateway knows.

An inventory that has the columns vendor, address and channel needs no main, sub
and still: they are made from these templates. A site's own file of templates
extends or replaces them; its form is that of -o json, as YAML, below the key
vendors.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			templates := importer.DefaultTemplates()
			if file != "" {
				b, err := os.ReadFile(file) //nolint:gosec // the user named it
				if err != nil {
					return err
				}
				if templates, err = importer.ParseTemplates(b); err != nil {
					return fmt.Errorf("%s: %w", file, err)
				}
			}
			all := templates.All()
			if f.output == "json" {
				return writeJSON(cmd.OutOrStdout(), all)
			}
			rows := [][]string{{"VENDOR", "ADDRESSES"}}
			for _, x := range all {
				rows = append(rows, []string{x.Name, strings.Join(append([]string{x.Title}, x.Aliases...), ", ")})
				for _, a := range [][2]string{{"main", x.Main}, {"sub", x.Sub}, {"still", x.Still}, {"note", x.Note}} {
					if a[1] != "" {
						rows = append(rows, []string{"", fmt.Sprintf("%-6s%s", a[0], a[1])})
					}
				}
			}
			return table(cmd.OutOrStdout(), rows)
		},
	}
	cmd.Flags().StringVar(&file, "templates", "", "a site's own templates, YAML, over the built-in ones")
	return cmd
}

func newLead() *cobra.Command {
	var f clientFlags
	var state string
	var limit int
	list := &cobra.Command{
		Use: "list", Short: "List leads, newest first", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := f.client()
			if err != nil {
				return err
			}
			q := url.Values{"limit": {strconv.Itoa(limit)}}
			if state != "" {
				q.Set("state", state)
			}
			var page wall.LeadList
			if err := c.get(cmd.Context(), "/leads", q, &page); err != nil {
				return err
			}
			if f.output == "json" {
				return writeJSON(cmd.OutOrStdout(), page.Leads)
			}
			rows := [][]string{{"NUMBER", "ID", "STATE", "SEVERITY", "KIND", "RAISED", "CAMERA", "CELL"}}
			for _, l := range page.Leads {
				cell := ""
				if n := len(l.Grid); n > 0 {
					cell = l.Grid[n-1].Name
				}
				rows = append(rows, []string{
					strconv.FormatInt(l.Number, 10), l.ID, string(l.State), string(l.Severity), string(l.Kind),
					l.RaisedAt.Format(time.RFC3339), l.Camera.Name, cell,
				})
			}
			return table(cmd.OutOrStdout(), rows)
		},
	}
	list.Flags().StringVar(&state, "state", "", "only leads in this state")
	list.Flags().IntVar(&limit, "limit", 50, "at most so many, 1 to 500")
	show := &cobra.Command{
		Use: "show ID", Short: "Show one lead with its trace", Args: oneArg("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := f.client()
			if err != nil {
				return err
			}
			var d wall.LeadDetail
			if err := c.get(cmd.Context(), "/leads/"+url.PathEscape(args[0]), nil, &d); err != nil {
				return err
			}
			if f.output == "json" {
				return writeJSON(cmd.OutOrStdout(), d)
			}
			return printLead(cmd.OutOrStdout(), d)
		},
	}
	return group("lead", "Look at leads and move them", &f, list, show, newLeadStats(&f),
		transition(&f, "accept", "Accept a lead", alerts.LeadAccepted),
		transition(&f, "reject", "Reject a lead, with a reason", alerts.LeadRejected),
		transition(&f, "close", "Close a lead, with a reason", alerts.LeadClosed))
}

func printLead(w io.Writer, d wall.LeadDetail) error {
	l := d.Lead
	path := make([]string, len(l.Grid))
	for i, g := range l.Grid {
		path[i] = g.Name
	}
	fmt.Fprintf(w, "lead %d  %s  %s  version %d\n%s\n%s\ncamera %s %s, zone %s\n%s\nbegan %s",
		l.Number, l.State, l.Severity, l.Version, l.Summary.ZH, l.Summary.EN, l.Camera.ID, l.Camera.Name, l.Zone.ID,
		strings.Join(path, " / "), l.BeganAt.Format(time.RFC3339))
	if l.EndedAt != nil {
		fmt.Fprintf(w, ", ended %s", l.EndedAt.Format(time.RFC3339))
	}
	fmt.Fprintln(w)
	if l.Owner != "" {
		fmt.Fprintf(w, "owner %s\n", l.Owner)
	}
	for _, c := range l.Clocks {
		fmt.Fprintf(w, "%s is due %s\n", strings.TrimSpace(string(c.Stage)+" "+c.Order), c.DueAt.Format(time.RFC3339))
	}
	for _, o := range l.Orders {
		fmt.Fprintf(w, "order %s  %s (%s)  %s  %s\n", o.ID, o.Department, o.Part, o.State, o.Feedback)
	}
	rows := [][]string{{"AT", "BY", "WHAT", "OF", "REASON", "NOTE"}}
	for _, s := range d.Trace {
		rows = append(rows, []string{s.At.Format(time.RFC3339), s.By, s.Name(), s.About, s.Reason, s.Note})
	}
	return table(w, rows)
}

func transition(f *clientFlags, use, short string, to alerts.LeadState) *cobra.Command {
	var reason, note string
	cmd := &cobra.Command{
		Use: use + " ID", Short: short, Args: oneArg("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if to != alerts.LeadAccepted && reason == "" {
				return usageError{errors.New("--reason is required")}
			}
			c, err := f.client()
			if err != nil {
				return err
			}
			path := "/leads/" + url.PathEscape(args[0])
			var d wall.LeadDetail
			if err := c.get(cmd.Context(), path, nil, &d); err != nil {
				return err
			}
			var l alerts.Lead
			err = c.post(cmd.Context(), path+"/transitions", wall.TransitionRequest{To: to, Reason: reason, Note: note, Version: d.Lead.Version}, &l)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "lead %d is %s\n", l.Number, l.State)
			return err
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why")
	cmd.Flags().StringVar(&note, "note", "", "what else is to be known")
	return cmd
}

func newUser() *cobra.Command {
	var f clientFlags
	var role, department string
	add := &cobra.Command{
		Use: "add NAME", Short: "Add a user; the gateway makes the password and tells it once", Args: oneArg("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !wall.Role(role).Valid() {
				return usageError{fmt.Errorf("no such role %q (want one of %v)", role, wall.Roles())}
			}
			c, err := f.client()
			if err != nil {
				return err
			}
			var u wall.NewAccount
			if err := c.post(cmd.Context(), "/users", wall.AccountRequest{Name: args[0], Role: wall.Role(role), Department: department}, &u); err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "user %s (%s), password %s\n", u.User.Name, u.User.Role, u.Password)
			return err
		},
	}
	add.Flags().StringVar(&role, "role", string(wall.RoleOfficer), "officer, dispatcher, admin, auditor, sre or department")
	add.Flags().StringVar(&department, "department", "", "id of the department whose orders a user of the role department sees")
	list := &cobra.Command{
		Use: "list", Short: "List users", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := f.client()
			if err != nil {
				return err
			}
			var l wall.AccountList
			if err := c.get(cmd.Context(), "/users", nil, &l); err != nil {
				return err
			}
			if f.output == "json" {
				return writeJSON(cmd.OutOrStdout(), l.Users)
			}
			rows := [][]string{{"NAME", "ROLE", "DEPARTMENT", "DISABLED", "CREATED"}}
			for _, u := range l.Users {
				rows = append(rows, []string{u.Name, string(u.Role), cmp.Or(u.Department, "-"), strconv.FormatBool(u.Disabled), u.Created.Format(time.RFC3339)})
			}
			return table(cmd.OutOrStdout(), rows)
		},
	}
	disable := &cobra.Command{
		Use: "disable NAME", Short: "Disable a user and end its sessions", Args: oneArg("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := f.client()
			if err != nil {
				return err
			}
			return c.post(cmd.Context(), "/users/"+url.PathEscape(args[0])+"/disable", nil, nil)
		},
	}
	return group("user", "Manage users", &f, add, list, disable, newUserToken(&f))
}

// newUserToken logs in as a person does and asks for a token of that person's
// role; an administrator cannot have an officer's.
func newUserToken(f *clientFlags) *cobra.Command {
	var days int
	cmd := &cobra.Command{
		Use: "token NAME", Short: "Make an API token of one's own; reads the password from standard input", Args: oneArg("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			password, err := bufio.NewReader(cmd.InOrStdin()).ReadString('\n')
			if err != nil && password == "" {
				return errors.New("no password on standard input")
			}
			c, err := f.anonymous()
			if err != nil {
				return err
			}
			if c.http.Jar, err = cookiejar.New(nil); err != nil {
				return err
			}
			ctx := cmd.Context()
			login := wall.LoginRequest{Username: args[0], Password: strings.TrimRight(password, "\r\n")}
			if err := c.post(ctx, "/login", login, nil); err != nil {
				return err
			}
			var t wall.NewToken
			err = c.post(ctx, "/me/tokens", wall.TokenRequest{Label: "command line", Days: days}, &t)
			if err = errors.Join(err, c.post(ctx, "/logout", nil, nil)); err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), t.Secret)
			return err
		},
	}
	cmd.Flags().IntVar(&days, "days", 30, "days until it expires, 1 to 366")
	return cmd
}
