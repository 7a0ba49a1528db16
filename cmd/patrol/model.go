package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"videopatrol/detect/model"
	"videopatrol/detect/model/proof"
	"videopatrol/detect/model/pull"
	"videopatrol/detect/onnx"
	"videopatrol/detect/opencv"
	"videopatrol/detect/worker"
)

func newModel() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use: "model", Short: "Check, fetch and list the models that look for objects", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		PersistentPreRunE: func(*cobra.Command, []string) error {
			if output != "table" && output != "json" {
				return usageError{fmt.Errorf("no such output %q (want table or json)", output)}
			}
			return nil
		},
	}
	cmd.PersistentFlags().StringVarP(&output, "output", "o", "table", "form of listings: table or json")
	cmd.AddCommand(newModelCheck(&output), newModelPull(), newModelList(&output), newModelProve())
	return cmd
}

// The backends by name; ONNX Runtime is used where its library is found.
const (
	backendOpenCV = "opencv"
	backendONNX   = "onnxruntime"
)

// modelReport is what model check tells.
type modelReport struct {
	File     string         `json:"file"`
	Manifest model.Manifest `json:"model"`
	Results  []proof.Result `json:"results"`
}

func newModelCheck(output *string) *cobra.Command {
	var backend, library string
	cmd := &cobra.Command{
		Use: "check FILE", Short: "Prove that a model can be used on this machine",
		Args: oneArg("FILE, the model's .onnx file; its manifest is the .yaml file beside it"),
		Long: `Prove that a model can be used on this machine.

The model is tried in a process of its own by every backend that is there. The
exit code is 0 when at least one of them can run it, or the one that --backend
names.

ONNX Runtime is looked for in the usual places; --onnxruntime or the environment
variable ` + onnx.LibraryEnv + ` name the file of its shared library.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			backends := []string{backendOpenCV, backendONNX}
			if backend != "" {
				if !slices.Contains(backends, backend) {
					return usageError{fmt.Errorf("no such backend %q (want %s)", backend, strings.Join(backends, " or "))}
				}
				backends = []string{backend}
			}
			f, err := model.Load(args[0])
			if err != nil {
				return err
			}
			path, missing := onnx.Find(library)
			if missing != nil && (!errors.Is(missing, onnx.ErrAbsent) || backend == backendONNX) {
				return missing
			}
			self, err := os.Executable()
			if err != nil {
				return err
			}
			report := modelReport{File: args[0], Manifest: f.Manifest}
			usable := false
			for _, b := range backends {
				r := proof.Result{Backend: b}
				if b == backendONNX && missing != nil {
					r.Problem = missing.Error()
				} else {
					r = proof.Run(cmd.Context(), proof.Options{
						Backend: b, Command: []string{self, "model", "prove", "--backend", b, "--onnxruntime", path, args[0]},
					})
				}
				usable = usable || r.Problem == ""
				report.Results = append(report.Results, r)
			}
			if *output == "json" {
				err = writeJSON(cmd.OutOrStdout(), report)
			} else {
				err = printModel(cmd.OutOrStdout(), report)
			}
			if err == nil && !usable {
				return fmt.Errorf("%s cannot be used: %s", args[0], report.Results[0].Problem)
			}
			return err
		},
	}
	p := cmd.Flags()
	p.StringVar(&backend, "backend", "", "only this backend: opencv or onnxruntime")
	p.StringVar(&library, "onnxruntime", "", "file of ONNX Runtime's shared library")
	return cmd
}

func printModel(w io.Writer, r modelReport) error {
	m := r.Manifest
	in := m.Input
	classes := strings.Join(m.Classes[:min(len(m.Classes), 8)], ", ")
	if len(m.Classes) > 8 {
		classes += ", …"
	}
	if err := table(w, [][]string{
		{"MODEL", m.Name},
		{"FILE", fmt.Sprintf("%s, SHA-256 %s", r.File, m.SHA256)},
		{"TASK", fmt.Sprintf("%s, %d classes: %s", m.Task, len(m.Classes), classes)},
		{"INPUT", fmt.Sprintf("%d × %d pixels, %s, %s", in.Width, in.Height, in.Channels, in.Fit)},
		{"OUTPUT", string(m.Output.Layout)},
		{"LICENCE", m.Licence},
		{"SOURCE", m.Source},
	}); err != nil {
		return err
	}
	rows := [][]string{{"BACKEND", "RESULT", "LOAD", "PER PICTURE", "MEMORY", "NETWORK"}}
	for _, x := range r.Results {
		if x.Problem != "" {
			rows = append(rows, []string{x.Backend, x.Problem})
			continue
		}
		network := []string{fmt.Sprintf("%s %v →", x.Input.Name, x.Input.Shape)}
		for _, o := range x.Outputs {
			network = append(network, fmt.Sprintf("%s %v", o.Name, o.Shape))
		}
		rows = append(rows, []string{
			x.Backend, "ok", fmt.Sprintf("%.0f ms", x.Load), fmt.Sprintf("%.1f ms", x.Picture), fmt.Sprintf("%.0f MiB", x.Memory),
			strings.Join(network, " "),
		})
	}
	fmt.Fprintln(w)
	return table(w, rows)
}

// newModelProve is the child of model check.
func newModelProve() *cobra.Command {
	var backend, library string
	cmd := &cobra.Command{
		Use: "prove FILE", Short: "Try a model (internal: a child of model check)", Hidden: true, Args: oneArg("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := model.Load(args[0])
			if err != nil {
				return err
			}
			var b model.Backend = opencv.DNN{}
			if backend == backendONNX {
				if b, err = onnx.Open(library); err != nil {
					return err
				}
			}
			return proof.Serve(proof.ServeOptions{
				Backend: b, File: f, Confine: func() error { return worker.Confine(2 << 30) },
			}, cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVar(&backend, "backend", backendOpenCV, "")
	cmd.Flags().StringVar(&library, "onnxruntime", "", "")
	return cmd
}

func newModelPull() *cobra.Command {
	var dir, from, ca string
	cmd := &cobra.Command{
		Use: "pull NAME", Short: "Fetch a known model by its pinned digest",
		Args: oneArg("NAME, one that 'patrol model list' shows with an address"),
		Long: `Fetch a known model by its pinned digest.

What comes is checked against the size and SHA-256 that this program knows, and
is never there by half: an interrupted fetch goes on where it was. A site without
the internet names its own mirror by --from; the bytes must be the same.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			all := model.Known()
			i := slices.IndexFunc(all, func(m model.Manifest) bool { return m.Name == args[0] })
			if i < 0 || all[i].URL == "" && from == "" {
				var names []string
				for _, m := range all {
					if m.URL != "" {
						names = append(names, m.Name)
					}
				}
				return usageError{fmt.Errorf("no model %q can be pulled (want %s)", args[0], strings.Join(names, ", "))}
			}
			o := pull.Options{Manifest: all[i], Dir: dir, URL: from}
			if ca != "" {
				transport, err := trusting(ca)
				if err != nil {
					return err
				}
				o.Client = &http.Client{Transport: transport}
			}
			path, err := pull.Pull(cmd.Context(), o)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s is here, licence %s; prove it by: patrol model check %s\n", path, all[i].Licence, path)
			return err
		},
	}
	p := cmd.Flags()
	p.StringVar(&dir, "dir", "models", "folder to put it in")
	p.StringVar(&from, "from", "", "https address of a mirror")
	p.StringVar(&ca, "ca", "", "PEM file of the authority that signed the mirror's certificate")
	return cmd
}

// trusting is a transport that trusts one authority alone.
func trusting(file string) (*http.Transport, error) {
	pem, err := os.ReadFile(file) //nolint:gosec // the user named it
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate", file)
	}
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	return t, nil
}

func newModelList(output *string) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the models that the gateway knows", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			all := model.Known()
			if *output == "json" {
				return writeJSON(cmd.OutOrStdout(), all)
			}
			rows := [][]string{{"NAME", "TASK", "INPUT", "LAYOUT", "BYTES", "CLASSES", "LICENCE", "PULL FROM"}}
			for _, m := range all {
				from := m.URL
				if from == "" {
					from = "(made from " + m.Source + ")"
				}
				rows = append(rows, []string{
					m.Name, string(m.Task), fmt.Sprintf("%d × %d", m.Input.Width, m.Input.Height), string(m.Output.Layout),
					strconv.FormatInt(m.Size, 10), strconv.Itoa(len(m.Classes)), m.Licence, from,
				})
			}
			return table(cmd.OutOrStdout(), rows)
		},
	}
}

// models are a worker's flags for the models that are configured, each of which
// must do what it is there for.
func (a *app) models() (flags []string, err error) {
	for _, m := range []struct {
		key, path, flag, does string
		fits                  func(model.Manifest) bool
	}{
		{"detect.model", a.cfg.Detect.Model, "--model", "finds objects", func(m model.Manifest) bool { return m.Task == model.TaskDetect }},
		{"detect.fire_model", a.cfg.Detect.FireModel, "--fire-model", "says whether a picture shows fire", func(m model.Manifest) bool {
			return m.Task == model.TaskClassify && slices.Contains(m.Classes, "fire")
		}},
	} {
		if m.path == "" {
			continue
		}
		f, err := model.Load(m.path)
		if err != nil {
			return nil, fmt.Errorf("%s: %w (patrol model check tells more)", m.key, err)
		}
		if !m.fits(f.Manifest) {
			return nil, fmt.Errorf("%s: want a model that %s; %s does not (its task is %s, its classes %s)",
				m.key, m.does, f.Manifest.Name, f.Manifest.Task, strings.Join(f.Manifest.Classes, ", "))
		}
		a.log.Info("a model is at work", "does", m.does, "model", f.Manifest.Name, "file", m.path)
		path, err := filepath.Abs(m.path) // a worker stands in another folder
		if err != nil {
			return nil, err
		}
		flags = append(flags, m.flag, path)
	}
	if library := a.cfg.Detect.ONNXRuntime; library != "" && len(flags) > 0 {
		path, err := filepath.Abs(library)
		if err != nil {
			return nil, err
		}
		flags = append(flags, "--onnxruntime", path)
	}
	return flags, nil
}
