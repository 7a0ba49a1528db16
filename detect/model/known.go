package model

import (
	"embed"
	"path"
	"slices"
	"strings"
	"sync"
)

//go:embed known/*.yaml
var knownFiles embed.FS

// Known lists the models that the gateway knows, by name. Those with a URL can
// be pulled.
var Known = sync.OnceValue(func() []Manifest {
	entries, err := knownFiles.ReadDir("known")
	if err != nil {
		panic("the known models: " + err.Error()) // a test reads them too
	}
	all := make([]Manifest, 0, len(entries))
	for _, e := range entries {
		m, err := Parse(knownYAML(strings.TrimSuffix(e.Name(), ".yaml")))
		if err != nil {
			panic("the known model " + e.Name() + ": " + err.Error())
		}
		all = append(all, m)
	}
	slices.SortFunc(all, func(a, b Manifest) int { return strings.Compare(a.Name, b.Name) })
	return all
})

// knownYAML is the manifest of a known model as a file.
func knownYAML(name string) []byte {
	b, err := knownFiles.ReadFile(path.Join("known", name+".yaml"))
	if err != nil {
		panic("the known model " + name + ": " + err.Error())
	}
	return b
}

func knownDigest(digest string) (Manifest, bool) {
	all := Known()
	i := slices.IndexFunc(all, func(m Manifest) bool { return m.SHA256 == digest })
	if i < 0 {
		return Manifest{}, false
	}
	return all[i], true
}
